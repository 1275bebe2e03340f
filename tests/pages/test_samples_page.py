"""The samples on the pages, run by Streamlit's own test harness."""

import pytest

from core.services.samples import samples
from core.services.scoring import score_waiting
from core.services.worklist import worklist_page
from core.types import TumourClass, WorklistQuery
from tests.fakes import FakeEngine, scan_png
from tests.installations import send_case
from tests.pages.harness import place_of, shown


@pytest.fixture(autouse=True)
def pictures_alone(monkeypatch):
    """The samples of the program without the long series, which take seconds to store."""
    few = tuple(one for one in samples() if one.kind == "PNG")[:4]
    monkeypatch.setattr("core.services.samples.samples", lambda: few)
    monkeypatch.setattr("pages.components.samples.samples", lambda: few)
    return few


def offers(app):
    return [button for button in app.button if button.key == "samples_load"]


@pytest.mark.parametrize("page", ["pages/worklist.py", "pages/upload.py"])
def test_a_newcomer_fills_the_worklist_with_samples(page, own_installation, open_page):
    app = open_page(page)
    (said,) = [one.value for one in app.caption if "4 simulated cases" in one.value]
    # Before the click: they cannot be taken out again.
    assert "They stay in the worklist" in said
    shown(offers(app)[0].click().run())
    assert [one.value for one in app.title] == ["Worklist"]
    assert any("4 sample cases added" in one.value for one in app.toast)
    rows = worklist_page(own_installation, WorklistQuery()).rows
    assert {case.site for case in rows} == {"Simulated sample"}
    assert len(rows) == 4
    assert not offers(app)


def test_on_an_empty_worklist_the_samples_come_first_and_stand_above_the_guide(open_page):
    app = open_page("pages/worklist.py")
    [offer] = offers(app)
    guides = [one for one in app.markdown if "Bring scans" in one.value]
    assert offer.proto.type == "primary"
    assert place_of(app, offer) < place_of(app, guides[0])


def test_a_worklist_of_patients_is_not_offered_samples(new_case, open_page):
    new_case(score=False)
    assert not offers(open_page("pages/worklist.py"))
    assert not offers(open_page("pages/upload.py"))


def notes(app):
    return [("info", one.value) for one in app.info] + [
        ("warning", one.value) for one in app.warning
    ]


def sample_case(own_installation, ada, meant, lesion):
    """A case with the details of a sample and a picture in which the fake engine finds a glioma."""
    sample = next(one for one in samples() if one.meant is meant)
    picture = scan_png(lesion=lesion)
    case = send_case(own_installation, ada, picture, details=sample.details, score=False)
    return sample, case


@pytest.mark.parametrize(
    ("lesion", "kind", "said"),
    [
        (True, "info", "The model is right."),
        (False, "warning", "it says none of the three, and glioma was simulated"),
    ],
)
def test_a_sample_says_whether_the_model_is_right(
    lesion, kind, said, own_installation, ada, open_case
):
    sample, case = sample_case(own_installation, ada, TumourClass.GLIOMA, lesion)
    score_waiting(own_installation, FakeEngine())
    found = [(k, text) for k, text in notes(open_case(case)) if said in text]
    assert [k for k, _ in found] == [kind]
    assert "Simulated sample, nobody’s scan" in found[0][1]
    assert sample.words.split(":")[0] in found[0][1]


def test_a_sample_that_waits_says_so(own_installation, ada, open_case):
    _, case = sample_case(own_installation, ada, TumourClass.GLIOMA, True)
    app = open_case(case)
    assert any("still at work" in text for _, text in notes(app))


def test_the_case_of_a_patient_says_nothing_of_samples(open_case, new_case):
    app = open_case(new_case())
    assert not any("imulated" in text for _, text in notes(app))
