"""The page of a case, run by Streamlit's own test harness; the viewer is tried in a browser."""

from datetime import date
from functools import partial

import pytest

from core.errors import StoreError
from core.services import review
from core.services.review import DecisionInput, decide, look_again
from core.services.scoring import score_waiting
from core.types import CaseStatus, TumourClass
from pages.components import case_scans
from tests.fakes import FakeEngine, scan_png
from tests.pages.harness import place_of, press, sent_to_viewers, shown, text_of

KINDS = (
    "title", "subheader", "markdown", "caption", "error", "warning", "info", "success", "text",
    "toast",
)  # fmt: skip
GLIOMA, MENINGIOMA = TumourClass.GLIOMA, TumourClass.MENINGIOMA

said = partial(text_of, kinds=KINDS)


def pictures(app):
    """What the viewer shows; None where there is no viewer."""
    sent = sent_to_viewers(app)
    return sent[0]["pictures"] if sent else None


def choose(app, name):
    app.radio[0].set_value(name)
    return shown(app.run())


@pytest.mark.parametrize("asked", ["abc", "1; drop table", "-1", "9" * 30, "#", "77", None])
def test_an_address_without_a_case_leads_back(open_case, asked):
    app = open_case(asked)
    assert "case" in app.title[0].value.lower()
    assert pictures(app) is None
    assert app.get("page_link")[0].proto.label == "Back to the worklist"


def test_a_case_shows_what_the_model_says_and_what_is_measured(open_case, new_case):
    case = new_case(
        scan_png(), patient_reference="P<b>1", study_date=date(2024, 5, 2), site="N*rth",
        indication="Seizure",
    )  # fmt: skip
    app = open_case(case)
    text = said(app)
    for words in (
        "P\\<b\\>1", "2 May 2024", r"N\*rth", "Glioma suspected", "Model fake-1", "Seizure",
        "decision threshold of 40.0 %", "longest diameter", "of the head", "no pixel spacing",
        "not a medical device", "Nobody’s case",
    ):  # fmt: skip
        assert words in text, words
    assert "normal" not in text.lower()
    [picture] = pictures(app)
    assert picture["maskMeaning"].startswith("The mask outlines enhancing tumour")
    assert set(picture["heatMaps"]) == set(TumourClass)
    assert app.radio[0].value is None, "a decision was preset"
    assert look_again_status(app, case) == CaseStatus.NEW


def look_again_status(app, case):
    from core.services.installation import open_installation

    installation = open_installation()
    view = look_again(installation, app.session_state["reader"], case)
    installation.database.close()
    return view.summary.status


def test_a_glioma_is_confirmed_and_waits_for_a_second_reader(
    open_case, new_case, own_installation, ada, bo
):
    case = new_case()
    app = choose(open_case(case), GLIOMA)
    assert "You confirm the model. A second, different reader" in said(app)
    app = press(app, "Save")
    text = said(app)
    assert "**You**: Glioma" in text
    assert "A second, different reader has to confirm the glioma" in text
    assert app.expander[0].label == "Change your reading"
    # The same reader again is refused in words.
    app = press(choose(app, GLIOMA), "Save")
    assert any("second reader" in one.value for one in app.error)
    other = press(choose(open_case(case, reader=bo), GLIOMA), "Save")
    assert "Reported." in said(other)
    assert look_again(own_installation, ada, case).summary.status is CaseStatus.REPORTED


def test_an_override_is_saved_with_everything_the_reader_set(
    open_case, new_case, own_installation, ada
):
    case = new_case()
    app = choose(open_case(case), MENINGIOMA)
    assert "You override the model’s glioma." in said(app)
    assert "the case is reported" in said(app)
    app.selectbox[0].set_value("emergency")
    app.checkbox[0].check()
    app.text_area[0].set_value("Dural *tail*")
    app = press(app, "Save")
    view = look_again(own_installation, ada, case)
    assert (view.own.finding, view.own.urgency, view.own.mask_wrong) == (
        MENINGIOMA, "emergency", True,
    )  # fmt: skip
    assert [note.text for note in view.notes] == ["Dural *tail*"]
    assert "Reported." in said(app)
    assert "Dural *tail*" in [one.value for one in app.text]
    [history] = [one.value for one in app.markdown if "| When |" in one.value]
    assert "overriding the model's glioma" in history
    assert "Ada \\(unverified\\)" in history


def test_nothing_is_saved_without_a_class(open_case, new_case, own_installation, ada):
    case = new_case()
    app = press(open_case(case), "Save and next")
    assert "Please choose a class" in app.error[0].value
    assert look_again(own_installation, ada, case).own is None


def test_save_and_next_opens_the_next_case_and_at_last_the_worklist(open_case, new_case):
    low = new_case(scan_png(lesion=False), patient_reference="low")
    high = new_case(scan_png(), patient_reference="high")
    app = choose(open_case(high), MENINGIOMA)
    app = press(app, "Save and next")
    assert app.query_params["case"] == str(low)
    assert app.subheader[0].value == "low"
    assert app.radio[0].value is None
    assert f"Case {high} saved as meningioma." in said(app)


def test_a_conflict_is_told_and_the_input_stays(open_case, new_case, own_installation, ada, bo):
    case = new_case()
    app = choose(open_case(case), MENINGIOMA)
    app.text_area[0].set_value("my long text")
    version = look_again(own_installation, bo, case).summary.version
    decide(own_installation, bo, case, version, DecisionInput(TumourClass.PITUITARY))
    app = press(app, "Save")
    told = said(app)
    assert "This case changed while you had it open" in told
    assert "Read as pituitary tumour" in told
    assert app.text_area[0].value == "my long text"
    view = look_again(own_installation, ada, case)
    assert [one.reader for one in view.readings] == [bo]


def test_a_note_without_a_reading_keeps_the_one_that_is_being_made(open_case, new_case):
    case = new_case()
    app = choose(open_case(case), MENINGIOMA)
    app.text_area[0].set_value("for later")
    app = press(app, "Save without reading")
    assert "for later" in [one.value for one in app.text]
    assert app.radio[0].value is MENINGIOMA
    assert app.text_area[0].value == ""
    app = press(app, "Save without reading")
    assert "The note is empty" in app.error[0].value


def test_the_urgency_is_corrected_without_a_reading(open_case, new_case, own_installation, ada):
    case = new_case(scan_png(lesion=False))
    app = open_case(case)
    app.selectbox[0].set_value("emergency")
    app = press(app, "Save without reading")
    assert "Urgency: immediate" in said(app)
    assert "corrected to emergency" in said(app)
    assert app.selectbox[0].value == "left"
    view = look_again(own_installation, ada, case)
    assert (view.own, view.summary.status) == (None, CaseStatus.NEW)
    assert view.history[-1].text == "Urgency corrected to emergency"


def test_what_was_saved_presets_nothing_when_the_case_is_opened_again(open_case, new_case):
    case, other = new_case(), new_case(scan_png(99))
    app = press(choose(open_case(case), GLIOMA), "Save")
    for number in (other, case):
        app.query_params["case"] = str(number)
        app = shown(app.run())
    assert app.subheader[0].value == f"Case {case}"
    assert app.radio[0].value is None


def test_what_is_being_entered_outlives_a_look_at_another_case(open_case, new_case):
    case, other = new_case(), new_case(scan_png(99))
    app = choose(open_case(case), MENINGIOMA)
    app.text_area[0].set_value("unfinished")
    app = shown(app.run())
    app.query_params["case"] = str(other)
    app = shown(app.run())
    assert (app.radio[0].value, app.text_area[0].value) == (None, "")
    app.query_params["case"] = str(case)
    app = shown(app.run())
    assert (app.radio[0].value, app.text_area[0].value) == (MENINGIOMA, "unfinished")


def test_a_scan_that_waits_is_shown_and_the_analysis_comes_without_losing_input(
    open_case, new_case, own_installation
):
    case = new_case(score=False)
    app = open_case(case)
    assert "waits for the model" in app.info[0].value
    [picture] = pictures(app)
    assert picture["analysed"] is False
    app = choose(app, MENINGIOMA)
    score_waiting(own_installation, FakeEngine())
    app = shown(app.run())
    assert "waits for the model" not in said(app)
    assert "Glioma suspected" in said(app)
    assert pictures(app)[0]["analysed"] is True
    assert app.radio[0].value is MENINGIOMA


def test_a_note_keeps_its_place_whatever_others_and_the_model_do(
    open_case, new_case, own_installation, bo
):
    case = new_case(score=False)
    app = open_case(case)
    before = place_of(app, app.text_area[0])
    score_waiting(own_installation, FakeEngine())
    assert "Glioma suspected" in said(shown(app.run()))
    assert place_of(app, app.text_area[0]) == before
    version = look_again(own_installation, bo, case).summary.version
    decide(own_installation, bo, case, version, DecisionInput(MENINGIOMA))
    assert "Correct the report" in [one.label for one in shown(app.run()).expander]
    assert place_of(app, app.text_area[0]) == before


def test_a_scan_that_failed_says_why_and_can_be_tried_again(
    open_case, new_case, own_installation, monkeypatch
):
    class Broken(FakeEngine):
        def analyse(self, *_, **__):
            raise ValueError("no")

    case = new_case(score=False)
    monkeypatch.setattr(own_installation.settings, "scoring_attempts", 1)
    score_waiting(own_installation, Broken())
    app = open_case(case)
    assert "could not analyse this scan" in app.error[0].value
    assert pictures(app) is not None, "it can be read all the same"
    app = press(app, "Try the analysis again")
    assert "waits for the model" in said(app)


def test_scans_of_a_case_are_chosen_one_at_a_time(open_case, new_case):
    case = new_case(scan_png(), scan_png(lesion=False), patient_reference="P")
    app = open_case(case)
    assert pictures(app)[0]["title"] == "Scan 1"
    app = press(app, "Scan 2")
    assert pictures(app)[0]["title"] == "Scan 2"
    assert "No region was outlined" in said(app)


def test_an_earlier_scan_is_put_beside(open_case, new_case):
    old = new_case(scan_png(), patient_reference="P", study_date=date(2023, 1, 2))
    new = new_case(scan_png(130), patient_reference="P", study_date=date(2024, 1, 2))
    app = open_case(new)
    text = said(app)
    assert "**2 Jan 2023**" in text
    assert f"[case {old}](case?case={old})" in text
    assert "Share of the head" in text
    app = press(app, "Put beside the scan")
    assert [one["title"] for one in pictures(app)] == ["Scan", "Earlier: 2 Jan 2023"]
    app = press(app, "Take away")
    assert len(pictures(app)) == 1


def test_a_picture_that_is_lost_takes_nothing_else_with_it(open_case, new_case, monkeypatch):
    case = new_case()

    def lost(*_):
        raise StoreError("The file is gone.")

    monkeypatch.setattr(case_scans, "scan_layers", lost)
    app = open_case(case)
    assert "The file is gone." in app.error[0].value
    assert app.radio


def test_who_else_has_the_case_open_is_shown(open_case, new_case, own_installation, bo):
    case = new_case()
    review.open_case(own_installation, bo, case)
    assert any(
        "Bo \\(unverified\\)** has this case open since" in one.value
        for one in open_case(case).info
    )
