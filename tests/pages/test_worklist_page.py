"""The worklist, run by Streamlit's own test harness; the table itself is tried in a browser."""

import csv
import io
import json

import pytest

from core.errors import StoreError
from core.services import worklist as services
from core.services.installation import now
from core.services.readers import add_reader
from core.services.worklist import take, worklist_page
from core.store import studies
from core.types import CaseStatus, SortKey, WorklistQuery
from pages.components import worklist_actions
from pages.components.worklist_actions import release_case, take_case
from pages.components.worklist_view import View
from tests.core.store.made_up import add_case, finding, priority
from tests.pages.harness import button, components, press, shown, text_of

KINDS = ("title", "subheader", "markdown", "error", "toast")


@pytest.fixture
def cases(own_installation):
    """Three cases of rising urgency."""
    with own_installation.database.transaction() as session:
        return [
            add_case(session, f"P-{n}", received_at=now(), given=priority(10 * n), seen=finding())
            for n in (1, 2, 3)
        ]


@pytest.fixture
def open_worklist(open_page):
    def opened(view=None):
        return open_page("pages/worklist.py", session={"worklist_view": view or View()})

    return opened


def table(app):
    """What the browser is given; None where there is no table."""
    found = components(app, "worklist_table")
    return json.loads(found[0].json) if found else None


def references(app):
    return [row["patient"] for row in table(app)["rows"]]


def texts(app):
    """Everything that is said, without the backslashes that keep Markdown from typed text."""
    return text_of(app, KINDS).replace("\\", "")


def figures(app):
    return {metric.label: metric.value for metric in app.metric}


def test_without_cases_the_page_leads_to_the_upload(open_worklist):
    app = open_worklist()
    assert "No cases yet" in texts(app)
    assert [link.label for link in app.get("page_link")] == ["Upload scans"]
    assert table(app) is None
    assert figures(app)["Waiting"] == "0"
    assert figures(app)["Median wait"] == "–"


def test_cases_stand_in_order_of_urgency_under_their_figures(open_worklist, cases):
    app = open_worklist()
    assert references(app) == ["P-3", "P-2", "P-1"]
    assert [row["rank"] for row in table(app)["rows"]] == ["1", "2", "3"]
    assert figures(app)["Waiting"] == "3"
    assert table(app)["caption"] == "Cases 1 to 3 of 3"
    assert table(app)["sort"] == {"key": "priority", "direction": "descending"}
    assert table(app)["note"] == "Calibrated probabilities by model model-1."


def test_a_search_that_finds_nothing_offers_to_clear_it(open_worklist, cases):
    app = open_worklist()
    app.text_input[0].set_value("X-").run()
    assert "No case fits the filters" in texts(app)
    press(app, "Show all 3 open cases")
    assert references(shown(app)) == ["P-3", "P-2", "P-1"]
    assert app.text_input[0].value == ""


@pytest.mark.parametrize(
    ("label", "option", "found"),
    [
        ("Status", CaseStatus.REPORTED, ["P-1"]),
        ("Status", "All, reported too", ["P-3", "P-2", "P-1"]),
        ("Model says", "glioma", ["P-3", "P-2"]),
        ("Assignee", "Unassigned", ["P-3"]),
        ("Assignee", "me", ["P-2"]),
    ],
)
def test_filters_narrow_the_list(own_installation, open_worklist, cases, ada, label, option, found):
    with own_installation.database.transaction() as session:
        studies.set_status(session, cases[0], CaseStatus.REPORTED, now=now())
    take(own_installation, ada, cases[1])
    app = open_worklist()
    [box] = [one for one in app.selectbox if one.label == label]
    box.set_value(ada.id if option == "me" else option).run()
    assert references(shown(app)) == found


def test_flagged_and_late_cases_alone(own_installation, open_worklist, cases):
    with own_installation.database.transaction() as session:
        add_case(session, "late", received_at=now() - 7200, given=priority(1, flagged=True))
        add_case(session, "flagged", received_at=now(), given=priority(2, flagged=True))
    app = open_worklist()
    assert (figures(app)["Over target"], figures(app)["Flagged"]) == ("1", "2")
    [only] = app.button_group
    only.set_value(["Flagged"]).run()
    assert references(shown(app)) == ["late", "flagged"]
    app.button_group[0].set_value(["Flagged", "Over target"]).run()
    assert references(shown(app)) == ["late"]


def test_pages_follow_each_other_and_ranks_go_on(open_worklist, cases):
    app = open_worklist(View(page_size=2))
    assert button(app, "Previous").disabled
    press(app, "Next")
    assert references(shown(app)) == ["P-1"]
    assert table(app)["rows"][0]["rank"] == "3"
    select(app, cases)
    assert "**3** selected, 2 not shown" in texts(app)
    assert button(app, "Next").disabled
    press(app, "Previous")
    assert references(shown(app)) == ["P-3", "P-2"]


def test_a_page_whose_cases_have_left_gives_way_to_the_first(
    own_installation, open_worklist, cases
):
    app = open_worklist(View(page_size=2))
    press(app, "Next")
    with own_installation.database.transaction() as session:
        studies.set_status(session, cases[0], CaseStatus.REPORTED, now=now())
    app.run()
    assert references(shown(app)) == ["P-3", "P-2"]


def test_selected_cases_are_assigned_and_the_selection_ends(
    own_installation, open_worklist, cases, ada, bo
):
    app = open_worklist()
    assert button(app, "Assign to me").disabled
    select(app, cases[:2])
    assert "**2** selected" in texts(app)
    assert "not shown" not in texts(app)
    press(app, "Assign to me")
    assert "2 cases assigned to Ada." in texts(shown(app))
    assert [row["assignee"] for row in table(app)["rows"]] == [None, "You", "You"]
    assert table(app)["selection"]["ids"] == []
    select(app, cases)
    press(app, "Release")
    assert "2 cases released. The others were so already" in texts(shown(app))
    assert {row["assignee"] for row in table(app)["rows"]} == {None}


def test_selected_cases_are_assigned_to_any_reader(open_worklist, cases, bo):
    app = open_worklist()
    select(app, cases[1:])
    app.menu_button[0].set_value(bo.id).run()
    assert "2 cases assigned to Bo." in texts(shown(app))
    assert [row["assignee"] for row in table(app)["rows"]] == ["Bo", "Bo", None]


def select(app, numbers):
    app.session_state["worklist_view"].select(numbers)
    return shown(app.run())


def test_names_are_shown_as_they_were_typed(own_installation, open_worklist, cases):
    add_reader(own_installation, "Dr *Star*")
    app = open_worklist(View(selected=cases))
    assert r"Dr \*Star\* \(unverified\)" in app.menu_button[0].options
    app.session_state["worklist_view"].message = "Assigned to Dr *Star*."
    app.run()
    assert app.toast[0].value == r"Assigned to Dr \*Star\*\."


def test_the_export_is_of_the_selection_or_else_of_what_the_filters_find(
    own_installation, open_worklist, cases, ada
):
    app = open_worklist()
    app.text_input[0].set_value("P-").run()
    view = app.session_state["worklist_view"]
    assert exported(own_installation, ada, view) == ["P-3", "P-2", "P-1"]
    app.text_input[0].set_value("P-2").run()
    assert exported(own_installation, ada, view) == ["P-2"]
    view.select(cases[:2])
    assert exported(own_installation, ada, view) == ["P-2", "P-1"]


def exported(*of):
    lines = io.StringIO(worklist_actions._exported(*of).decode("utf-8-sig"), newline="")
    return [line["Patient reference"] for line in csv.DictReader(lines)]


def test_filters_order_and_place_outlive_a_visit_to_a_case(open_worklist, cases):
    app = open_worklist()
    app.text_input[0].set_value("P-").run()
    app.session_state["worklist_view"].sort_by(SortKey.PATIENT_REFERENCE)
    app.session_state["worklist_view"].came_from = cases[1]
    app.switch_page("pages/model_card.py").run()
    app.switch_page("pages/worklist.py").run()
    assert app.text_input[0].value == "P-"
    assert references(shown(app)) == ["P-1", "P-2", "P-3"]
    assert table(app)["came_from"] == cases[1]


def test_what_stood_against_a_step_is_told(own_installation, open_worklist, cases, ada, bo):
    take(own_installation, bo, cases[0])
    app = open_worklist()
    view = app.session_state["worklist_view"]
    take_case(own_installation, ada, view, cases[0])
    app.run()
    assert f"Bo took case {cases[0]} before you" in texts(shown(app))
    app.run()
    assert "took case" not in texts(app), "it is told once"


def test_a_store_that_fails_is_said_and_the_page_stays(open_worklist, cases, monkeypatch):
    app = open_worklist()

    def broken(*_, **__):
        raise StoreError("The disk is full.")

    monkeypatch.setattr(services, "stored_page", broken)
    app.run()
    assert "The disk is full." in texts(shown(app))


def test_one_case_is_taken_and_given_back(own_installation, cases, ada):
    view = View()
    take_case(own_installation, ada, view, cases[0])
    assert assignees(own_installation)[cases[0]] == ada
    release_case(own_installation, ada, view, cases[0])
    assert assignees(own_installation)[cases[0]] is None
    assert view.message is None


def assignees(installation):
    return {row.id: row.assignee for row in worklist_page(installation, WorklistQuery()).rows}
