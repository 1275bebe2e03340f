"""The worklist, run by Streamlit's own test harness; the table itself is tried in a browser."""

import csv
import io
import json
from datetime import date
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.errors import StoreError
from core.services import worklist as services
from core.services.installation import now
from core.services.readers import add_reader
from core.services.worklist import take, worklist_page
from core.store import studies
from core.types import (
    Band,
    CaseStatus,
    Lesion,
    Reader,
    SortKey,
    TumourClass,
    WaitState,
    WorklistQuery,
)
from pages.components import worklist_actions
from pages.components.worklist_actions import release_case, take_case
from pages.components.worklist_rows import table_row
from pages.components.worklist_view import View
from tests.core.store.made_up import add_case, finding, priority
from tests.fakes import case_summary

SCRIPT = Path(__file__).resolve().parents[2] / "streamlit_app.py"
KINDS = ("title", "subheader", "markdown", "error", "toast")


@pytest.fixture
def ada(own_installation):
    return add_reader(own_installation, "Ada")


@pytest.fixture
def bo(own_installation):
    return add_reader(own_installation, "Bo")


@pytest.fixture
def cases(own_installation):
    """Three cases of rising urgency."""
    with own_installation.database.transaction() as session:
        return [
            add_case(session, f"P-{n}", received_at=now(), given=priority(10 * n), seen=finding())
            for n in (1, 2, 3)
        ]


@pytest.fixture
def open_page(ada):
    def opened(view=None):
        app = AppTest.from_file(SCRIPT, default_timeout=60)
        app.session_state["reader"] = ada
        app.session_state["worklist_view"] = view or View()
        return shown(app.run().switch_page("pages/worklist.py").run())

    return opened


def shown(app):
    assert not app.exception, app.exception
    return app


def table(app):
    """What the browser is given; None where there is no table."""
    found = [one.proto for one in app.get("bidi_component")]
    tables = [json.loads(one.json) for one in found if one.component_name == "worklist_table"]
    return tables[0] if tables else None


def references(app):
    return [row["patient"] for row in table(app)["rows"]]


def texts(app):
    """Everything that is said, without the backslashes that keep Markdown from typed text."""
    said = "\n".join(element.value for kind in KINDS for element in getattr(app, kind))
    return said.replace("\\", "")


def figures(app):
    return {metric.label: metric.value for metric in app.metric}


def button(app, label):
    [found] = [one for one in app.button if one.label == label]
    return found


def test_without_cases_the_page_leads_to_the_upload(open_page):
    app = open_page()
    assert "No cases yet" in texts(app)
    assert [link.label for link in app.get("page_link")] == ["Upload scans"]
    assert table(app) is None
    assert figures(app)["Waiting"] == "0"
    assert figures(app)["Median wait"] == "–"


def test_cases_stand_in_order_of_urgency_under_their_figures(open_page, cases):
    app = open_page()
    assert references(app) == ["P-3", "P-2", "P-1"]
    assert [row["rank"] for row in table(app)["rows"]] == ["1", "2", "3"]
    assert figures(app)["Waiting"] == "3"
    assert table(app)["caption"] == "Cases 1 to 3 of 3"
    assert table(app)["sort"] == {"key": "priority", "direction": "descending"}
    assert table(app)["note"] == "Calibrated probabilities by model model-1."


def test_a_search_that_finds_nothing_offers_to_clear_it(open_page, cases):
    app = open_page()
    app.text_input[0].set_value("X-").run()
    assert "No case fits the filters" in texts(app)
    button(app, "Show all 3 open cases").click().run()
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
def test_filters_narrow_the_list(own_installation, open_page, cases, ada, label, option, found):
    with own_installation.database.transaction() as session:
        studies.set_status(session, cases[0], CaseStatus.REPORTED, now=now())
    take(own_installation, ada, cases[1])
    app = open_page()
    [box] = [one for one in app.selectbox if one.label == label]
    box.set_value(ada.id if option == "me" else option).run()
    assert references(shown(app)) == found


def test_flagged_and_late_cases_alone(own_installation, open_page, cases):
    with own_installation.database.transaction() as session:
        add_case(session, "late", received_at=now() - 7200, given=priority(1, flagged=True))
        add_case(session, "flagged", received_at=now(), given=priority(2, flagged=True))
    app = open_page()
    assert (figures(app)["Over target"], figures(app)["Flagged"]) == ("1", "2")
    [only] = app.button_group
    only.set_value(["Flagged"]).run()
    assert references(shown(app)) == ["late", "flagged"]
    app.button_group[0].set_value(["Flagged", "Over target"]).run()
    assert references(shown(app)) == ["late"]


def test_pages_follow_each_other_and_ranks_go_on(open_page, cases):
    app = open_page(View(page_size=2))
    assert button(app, "Previous").disabled
    button(app, "Next").click().run()
    assert references(shown(app)) == ["P-1"]
    assert table(app)["rows"][0]["rank"] == "3"
    select(app, cases)
    assert "**3** selected, 2 not shown" in texts(app)
    assert button(app, "Next").disabled
    button(app, "Previous").click().run()
    assert references(shown(app)) == ["P-3", "P-2"]


def test_a_page_whose_cases_have_left_gives_way_to_the_first(own_installation, open_page, cases):
    app = open_page(View(page_size=2))
    button(app, "Next").click().run()
    with own_installation.database.transaction() as session:
        studies.set_status(session, cases[0], CaseStatus.REPORTED, now=now())
    app.run()
    assert references(shown(app)) == ["P-3", "P-2"]


def test_selected_cases_are_assigned_and_the_selection_ends(
    own_installation, open_page, cases, ada, bo
):
    app = open_page()
    assert button(app, "Assign to me").disabled
    select(app, cases[:2])
    assert "**2** selected" in texts(app)
    assert "not shown" not in texts(app)
    button(app, "Assign to me").click().run()
    assert "2 cases assigned to Ada." in texts(shown(app))
    assert [row["assignee"] for row in table(app)["rows"]] == [None, "You", "You"]
    assert table(app)["selection"]["ids"] == []
    select(app, cases)
    button(app, "Release").click().run()
    assert "2 cases released. The others were so already" in texts(shown(app))
    assert {row["assignee"] for row in table(app)["rows"]} == {None}


def test_selected_cases_are_assigned_to_any_reader(open_page, cases, bo):
    app = open_page()
    select(app, cases[1:])
    app.menu_button[0].set_value(bo.id).run()
    assert "2 cases assigned to Bo." in texts(shown(app))
    assert [row["assignee"] for row in table(app)["rows"]] == ["Bo", "Bo", None]


def select(app, numbers):
    app.session_state["worklist_view"].select(numbers)
    return shown(app.run())


def test_names_are_shown_as_they_were_typed(own_installation, open_page, cases):
    add_reader(own_installation, "Dr *Star*")
    app = open_page(View(selected=cases))
    assert r"Dr \*Star\* \(unverified\)" in app.menu_button[0].options
    app.session_state["worklist_view"].message = "Assigned to Dr *Star*."
    app.run()
    assert app.toast[0].value == r"Assigned to Dr \*Star\*\."


def test_the_export_is_of_the_selection_or_else_of_what_the_filters_find(
    own_installation, open_page, cases, ada
):
    app = open_page()
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


def test_filters_order_and_place_outlive_a_visit_to_a_case(open_page, cases):
    app = open_page()
    app.text_input[0].set_value("P-").run()
    app.session_state["worklist_view"].sort_by(SortKey.PATIENT_REFERENCE)
    app.session_state["worklist_view"].came_from = cases[1]
    app.switch_page("pages/model_card.py").run()
    app.switch_page("pages/worklist.py").run()
    assert app.text_input[0].value == "P-"
    assert references(shown(app)) == ["P-1", "P-2", "P-3"]
    assert table(app)["came_from"] == cases[1]


def test_what_stood_against_a_step_is_told(own_installation, open_page, cases, ada, bo):
    take(own_installation, bo, cases[0])
    app = open_page()
    view = app.session_state["worklist_view"]
    take_case(own_installation, ada, view, cases[0])
    app.run()
    assert f"Bo took case {cases[0]} before you" in texts(shown(app))
    app.run()
    assert "took case" not in texts(app), "it is told once"


def test_a_store_that_fails_is_said_and_the_page_stays(open_page, cases, monkeypatch):
    app = open_page()

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


# ---- rows in words


def row(**changes):
    return table_row(case_summary(**changes), 1, Reader(1, "Ada", False), lambda key: f"/{key}")


def test_a_row_says_what_the_model_says():
    found = row()
    assert (found["finding"], found["finding_share"]) == ("Glioma", "91.2 %")
    assert (found["tumour"], found["lesion"]) == ("95.3 %", "12 mm")
    assert found["lesion_detail"] == "1.2 % of head"
    assert found["study"] == "4 Mar 2026 · case 7 · North"
    assert found["reasons"][0] == {"text": "Glioma 91\u00a0%", "points": "+55"}
    assert found["band"] == "Immediate"


def test_no_tumour_is_none_of_the_three_and_nothing_outlined_is_said():
    found = row(predicted=TumourClass.NO_TUMOR, lesion=None)
    assert found["finding"] == "None of the three"
    assert found["lesion"] == "None outlined"
    assert "normal" not in json.dumps(found).lower()


def test_a_case_not_analysed_yet_says_so():
    found = row(
        predicted=None, probability=None, tumour_probability=None, lesion=None, scored_count=0
    )
    assert (found["finding"], found["finding_share"]) == ("Not analysed yet", None)
    assert (found["tumour"], found["tumour_share"], found["lesion"]) == ("–", None, "–")


def test_a_case_of_which_nothing_could_be_analysed_says_so():
    found = row(
        predicted=None, probability=None, tumour_probability=None, scored_count=0,
        failed_count=1, status=CaseStatus.FAILED,
    )  # fmt: skip
    assert found["finding"] == "Analysis failed"
    assert found["status"] == "Failed"


def test_scans_that_are_left_are_told():
    found = row(scan_count=5, scored_count=2, failed_count=1)
    assert found["finding_detail"] == "2 of 5 scans not analysed yet, 1 of 5 scans failed"
    assert "5 scans" in found["study"]


def test_a_wait_over_the_target_is_told_in_words():
    found = row(waited_minutes=130, wait_state=WaitState.OVER_TARGET, band=Band.SOON)
    assert found["waited"] == "2 h 10 min"
    assert found["wait_detail"] == "over the target of 1 h by 1 h 10 min"


def test_a_size_without_a_known_spacing_is_in_pixels():
    assert row(lesion=Lesion(120, 14.2, 0.0123))["lesion"] == "14 px"


@pytest.mark.parametrize(
    ("assignee", "status", "says", "offers"),
    [
        (None, CaseStatus.NEW, None, "Assign to me"),
        (Reader(1, "Ada", False), CaseStatus.NEW, "You", "Release"),
        (Reader(2, "Bo", True), CaseStatus.IN_REVIEW, "Bo", None),
        (Reader(1, "Ada", False), CaseStatus.REPORTED, "You", None),
        (None, CaseStatus.REPORTED, None, None),
    ],
)
def test_a_row_offers_what_its_reader_may_do(assignee, status, says, offers):
    found = row(assignee=assignee, status=status)
    assert (found["assignee"], found["assign"]) == (says, offers)


def test_an_account_that_nobody_vouches_for_is_marked():
    assert row(assignee=Reader(2, "Bo", False))["assignee_detail"] == "unverified"
    assert row(assignee=Reader(2, "Bo", True))["assignee_detail"] is None


def test_a_picture_that_cannot_be_had_leaves_a_row_without_one():
    case = case_summary(thumbnail_key="k", study_date=date(2026, 3, 4))
    found = table_row(case, 1, Reader(1, "Ada", False), lambda key: None)
    assert (found["picture"], found["no_picture"]) == (None, "No picture")


# ---- order, pages and selection


def test_the_same_header_twice_turns_the_order_round():
    view = View(cursors=["a"])
    view.sort_by(SortKey.WAITING)
    assert (view.sort, view.reverse, view.descending, view.page) == (
        SortKey.WAITING, False, True, 1
    )  # fmt: skip
    view.sort_by(SortKey.WAITING)
    assert (view.reverse, view.descending) == (True, False)
    view.sort_by(SortKey.PATIENT_REFERENCE)
    assert (view.reverse, view.descending) == (False, False)


def test_a_late_message_from_the_browser_does_not_bring_a_selection_back():
    view = View()
    view.selected_in_browser(0, [1, 2])
    assert view.selected == [1, 2]
    view.select([])
    view.selected_in_browser(0, [1, 2])
    assert view.selected == []
