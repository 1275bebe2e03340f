"""Reading a case: decisions, second readers, conflicts, notes, earlier cases, the next case."""

import dataclasses
import io
from datetime import date

import numpy as np
import pytest
from PIL import Image

from core.errors import ConflictError, InputError, RuleError
from core.services import review, review_presence
from core.services.readers import add_reader
from core.services.review import DecisionInput, add_note, decide, look_again, open_case
from core.services.review_change import size_change
from core.services.review_layers import scan_layers
from core.services.scoring import score_waiting
from core.services.submit import Upload, batch_items, submit
from core.types import (
    CaseStatus,
    Lesion,
    RequestedPriority,
    ScanFinding,
    ScanKind,
    StudyDetails,
    TumourClass,
)
from tests.fakes import FakeEngine, scan_png
from tests.installations import make_installation

GLIOMA, MENINGIOMA, NONE = TumourClass.GLIOMA, TumourClass.MENINGIOMA, TumourClass.NO_TUMOR


@pytest.fixture
def ada(installation):
    return add_reader(installation, "Dr Ada")


@pytest.fixture
def ben(installation):
    return add_reader(installation, "Dr Ben")


def case_of(installation, reader, *pictures, score=True, **details):
    """A new case with these scans; its number."""
    uploads = [Upload(f"{n}.png", data) for n, data in enumerate(pictures or (scan_png(),))]
    batch = submit(installation, reader, uploads, StudyDetails(**details))
    if score:
        score_waiting(installation, FakeEngine())
    return batch_items(installation, reader, batch.batch_id)[0].case_id


def read_as(installation, reader, case_id, finding, **more):
    version = look_again(installation, reader, case_id).summary.version
    return decide(installation, reader, case_id, version, DecisionInput(finding, **more))


def actions(view):
    return [entry.action for entry in view.history]


def test_opening_a_case_leaves_it_as_it_is_and_is_logged_once_a_visit(installation, ada, ben):
    case = case_of(installation, ada, patient_reference="P1")
    before = look_again(installation, ada, case).summary
    open_case(installation, ada, case)
    open_case(installation, ben, case)
    view = open_case(installation, ada, case)
    assert view.summary.version == before.version
    assert (view.summary.status, view.summary.assignee) == (CaseStatus.NEW, None)
    opened = [entry.who for entry in view.history if entry.action == "opened"]
    assert opened == ["Dr Ada (unverified)", "Dr Ben (unverified)"]


def test_a_case_that_is_not_there_is_said(installation, ada):
    for look in (open_case, look_again):
        with pytest.raises(InputError, match="no case with the number 77"):
            look(installation, ada, 77)
    with pytest.raises(InputError, match="77"):
        review_presence.present(installation, ada, 77)


def test_a_glioma_is_reported_by_a_second_different_reader_only(installation, ada, ben):
    case = case_of(installation, ada)
    first = read_as(installation, ada, case, GLIOMA)
    assert first.summary.status is CaseStatus.NEEDS_SECOND_READER
    assert "second, different reader" in first.missing
    assert first.summary.assignee is None, "nobody else would be offered the case"
    with pytest.raises(RuleError, match="nobody can be their own second reader"):
        read_as(installation, ada, case, GLIOMA)
    assert look_again(installation, ada, case).summary.version == first.summary.version
    second = read_as(installation, ben, case, GLIOMA)
    assert second.summary.status is CaseStatus.REPORTED
    assert second.missing is None
    assert [one.reader for one in second.readings] == [ada, ben]
    assert second.own.reader == ben


def test_the_second_reader_for_glioma_can_be_switched_off(tmp_path):
    installation = make_installation(tmp_path, second_reader_for_glioma=False)
    ada = add_reader(installation, "Dr Ada")
    view = read_as(installation, ada, case_of(installation, ada), GLIOMA)
    assert view.summary.status is CaseStatus.REPORTED
    installation.database.close()


def test_a_request_for_a_second_reader_can_be_withdrawn_by_its_reader(installation, ada):
    case = case_of(installation, ada)
    asked = read_as(installation, ada, case, MENINGIOMA, asks_second=True)
    assert asked.summary.status is CaseStatus.NEEDS_SECOND_READER
    alone = read_as(installation, ada, case, MENINGIOMA)
    assert alone.summary.status is CaseStatus.REPORTED
    assert len(alone.readings) == 2


def test_what_saving_would_mean_is_known_before(installation, ada, ben):
    case = case_of(installation, ada)
    view = look_again(installation, ada, case)
    after = review.after_saving
    assert after(installation, ada, view, MENINGIOMA, False) is None
    assert "second" in after(installation, ada, view, MENINGIOMA, True)
    assert "second" in after(installation, ada, view, GLIOMA, False)
    view = read_as(installation, ada, case, GLIOMA)
    assert after(installation, ben, view, GLIOMA, False) is None
    assert "disagree" in after(installation, ben, view, NONE, False)


def test_a_decision_is_kept_with_what_the_model_had_said(installation, ada):
    view = read_as(
        installation, ada, case_of(installation, ada), MENINGIOMA,
        mask_wrong=True, urgency=RequestedPriority.EMERGENCY, note=" Dural tail. ",
    )  # fmt: skip
    decision = view.own
    assert (decision.finding, decision.model_finding) == (MENINGIOMA, GLIOMA)
    assert decision.model_version == "fake-1"
    assert decision.mask_wrong
    assert view.summary.urgency is decision.urgency is RequestedPriority.EMERGENCY
    assert view.summary.assignee == ada
    assert [note.text for note in view.notes] == ["Dural tail."]
    told = {entry.action: entry for entry in view.history}
    assert told["decision"].who == "Dr Ada (unverified)"
    for words in ("meningioma", "overriding the model's glioma", "emergency", "mask", "reported"):
        assert words in told["decision"].text
    assert "Dural tail." in told["note"].text


def test_a_corrected_urgency_moves_the_case(installation, ada):
    low = case_of(installation, ada, scan_png(lesion=False), patient_reference="low")
    case_of(installation, ada, scan_png(), patient_reference="high")
    before = look_again(installation, ada, low).summary
    read_as(installation, ada, low, NONE, urgency=RequestedPriority.EMERGENCY, asks_second=True)
    after = look_again(installation, ada, low).summary
    assert after.score > before.score + 30
    assert after.due_at < before.due_at
    # What is corrected to what it is already is no correction.
    again = read_as(installation, ada, low, NONE, urgency=RequestedPriority.EMERGENCY)
    assert again.own.urgency is None


def test_the_urgency_is_corrected_without_a_reading(installation, ada, ben):
    case = case_of(installation, ada, scan_png(lesion=False))
    before = look_again(installation, ada, case).summary
    emergency = RequestedPriority.EMERGENCY
    view = review.correct_urgency(installation, ada, case, before.version, emergency, "asap")
    assert view.summary.score > before.score + 30
    assert (view.summary.status, view.readings) == (CaseStatus.NEW, ())
    assert [note.text for note in view.notes] == ["asap"]
    assert actions(view)[-2:] == ["urgency", "note"]
    with pytest.raises(ConflictError, match="corrected to emergency"):
        review.correct_urgency(installation, ben, case, before.version, emergency)


def test_nothing_is_overwritten_when_two_readers_decide_at_once(installation, ada, ben):
    case = case_of(installation, ada)
    version = open_case(installation, ada, case).summary.version
    open_case(installation, ben, case)
    decide(installation, ben, case, version, DecisionInput(MENINGIOMA))
    with pytest.raises(ConflictError, match=r"Dr Ben .* meningioma"):
        decide(installation, ada, case, version, DecisionInput(NONE, note="mine"))
    view = look_again(installation, ada, case)
    assert [one.finding for one in view.readings] == [MENINGIOMA]
    assert view.notes == ()
    assert view.summary.assignee == ben


def test_an_analysis_that_arrives_makes_the_view_out_of_date(installation, ada):
    case = case_of(installation, ada, score=False)
    view = open_case(installation, ada, case)
    assert view.scans[0].analysis is None
    score_waiting(installation, FakeEngine())
    with pytest.raises(ConflictError, match="analysed"):
        decide(installation, ada, case, view.summary.version, DecisionInput(NONE))
    now = look_again(installation, ada, case)
    assert now.scans[0].analysis.finding.predicted is GLIOMA
    assert decide(installation, ada, case, now.summary.version, DecisionInput(NONE)).own


def test_a_case_can_be_read_before_the_model_and_after_it_failed(installation, ada):
    case = case_of(installation, ada, score=False)
    view = read_as(installation, ada, case, MENINGIOMA)
    assert view.summary.status is CaseStatus.REPORTED
    assert view.own.model_finding is None


def test_notes_stand_beside_each_other_and_have_a_length(installation, ada, ben):
    case = case_of(installation, ada)
    version = look_again(installation, ada, case).summary.version
    add_note(installation, ada, case, "first")
    view = add_note(installation, ben, case, "x" * review.NOTE_LENGTH)
    assert [note.reader for note in view.notes] == [ada, ben]
    assert view.summary.status is CaseStatus.NEW
    with pytest.raises(InputError, match="2001 characters; at most 2000"):
        add_note(installation, ada, case, "x" * 2001)
    with pytest.raises(InputError, match="empty"):
        add_note(installation, ada, case, " \n ")
    assert len(look_again(installation, ada, case).notes) == 2
    with pytest.raises(ConflictError, match="first"):
        decide(installation, ben, case, version, DecisionInput(NONE))


def test_a_review_is_started_and_taken_over(installation, ada, ben):
    case = case_of(installation, ada)
    view = review.start_review(
        installation, ada, case, look_again(installation, ada, case).summary.version
    )
    assert (view.summary.status, view.summary.assignee) == (CaseStatus.IN_REVIEW, ada)
    view = review.start_review(installation, ben, case, view.summary.version)
    assert view.summary.assignee == ben
    assert "took over from Dr Ada" in view.history[-1].text
    with pytest.raises(ConflictError, match="took over from Dr Ada"):
        review.start_review(installation, ada, case, view.summary.version - 1)
    assert actions(view)[-2:] == ["started", "started"]


def test_a_report_can_be_corrected_but_not_started_again(installation, ada, ben):
    case = case_of(installation, ada)
    view = read_as(installation, ada, case, MENINGIOMA)
    with pytest.raises(RuleError, match="reported"):
        review.start_review(installation, ben, case, view.summary.version)
    corrected = read_as(installation, ben, case, GLIOMA)
    assert corrected.summary.status is CaseStatus.NEEDS_SECOND_READER
    assert "disagree" in corrected.missing
    agreed = read_as(installation, ada, case, GLIOMA)
    assert agreed.summary.status is CaseStatus.REPORTED


def test_readings_of_a_round_before_do_not_count_for_the_next(installation, ada):
    case = case_of(installation, ada, patient_reference="P1", study_date=date(2024, 1, 2))
    read_as(installation, ada, case, MENINGIOMA)
    again = case_of(
        installation, ada, scan_png(90), patient_reference="P1", study_date=date(2024, 1, 2)
    )
    assert again == case
    view = look_again(installation, ada, case)
    assert view.summary.status is CaseStatus.NEW
    assert view.readings == ()
    assert view.missing == "No reader has decided yet."


def test_the_next_case_is_the_most_urgent_one_the_reader_can_bring_forward(installation, ada, ben):
    calm = case_of(installation, ada, scan_png(lesion=False), patient_reference="calm")
    urgent = case_of(installation, ada, scan_png(), patient_reference="urgent")
    assert review.next_case(installation, ada) == urgent
    assert review.next_case(installation, ada, frozenset({urgent})) == calm
    read_as(installation, ada, urgent, GLIOMA)
    # It needs another reader now: this one goes on to the next, the other begins with it.
    assert review.next_case(installation, ada) == calm
    assert review.next_case(installation, ben) == urgent
    version = look_again(installation, ben, calm).summary.version
    review.start_review(installation, ben, calm, version)
    assert review.next_case(installation, ada) is None


def test_others_see_who_has_a_case_open_since_when(installation, ada, ben, monkeypatch):
    case = case_of(installation, ada)
    open_case(installation, ada, case)
    view = open_case(installation, ben, case)
    others, version = review_presence.present(installation, ben, case)
    assert [one.reader for one in others] == [ada]
    assert others[0].since == next(e.at for e in view.history if e.action == "opened")
    assert version == view.summary.version
    later = review_presence.now() + 120
    monkeypatch.setattr(review_presence, "now", lambda: later)
    assert review_presence.present(installation, ben, case)[0] == ()


def test_earlier_cases_of_the_reference_come_with_the_change_in_size(installation, ada):
    old = case_of(
        installation, ada, scan_png(), scan_png(lesion=False),
        patient_reference="p 1", study_date=date(2023, 1, 2),
    )  # fmt: skip
    read_as(installation, ada, old, MENINGIOMA)
    case_of(installation, ada, scan_png(80), patient_reference="Q", study_date=date(2022, 1, 1))
    new = case_of(
        installation, ada, scan_png(140, 100),
        patient_reference="P 1", study_date=date(2024, 1, 2), requested=RequestedPriority.EMERGENCY,
    )  # fmt: skip
    [earlier] = look_again(installation, ada, new).earlier
    assert (earlier.id, earlier.made_on) == (old, date(2023, 1, 2))
    assert earlier.decision.finding is MENINGIOMA
    assert earlier.scan.analysis.finding.lesion is not None, "the slice with the lesion"
    [share] = earlier.change.measures
    assert share.unit == "%"
    assert share.before == pytest.approx(share.now, rel=0.1)
    assert "no pixel spacing" in earlier.change.remark
    assert look_again(installation, ada, old).earlier == ()


def finding(kind=ScanKind.GRAY, lesion=None):
    return ScanFinding({}, GLIOMA, 0.9, True, lesion, True, kind, "v")


def test_findings_of_different_model_versions_are_compared_with_a_warning():
    before = finding(lesion=Lesion(100, 12.0, 0.02, 100.0, 12.0))
    now = dataclasses.replace(before, model_version="w")
    assert "another version of the model" in size_change(before, now).remark
    assert "another version" not in size_change(before, before).remark


def test_a_change_is_given_in_millimetres_where_both_are_known():
    before = finding(lesion=Lesion(100, 12.0, 0.02, 100.0, 12.0))
    now = finding(lesion=Lesion(300, 15.0, 0.03, 150.0, 15.0))
    area, diameter = size_change(before, now).measures
    assert (area.unit, area.change, area.relative) == ("mm²", 50.0, 0.5)
    assert (diameter.unit, diameter.change, diameter.relative) == ("mm", 3.0, 0.25)


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (None, finding(), "earlier scan is not analysed"),
        (finding(), None, "present scan is not analysed"),
        (finding(ScanKind.COMPOSITE), finding(), "different things"),
        (finding(), finding(), "No region was outlined then or now"),
        (finding(), finding(lesion=Lesion(9, 3.0, 0.1)), "outlined now, none then"),
        (finding(lesion=Lesion(9, 3.0, 0.1)), finding(), "outlined then, none now"),
    ],
)
def test_what_cannot_be_compared_is_said(before, now, said):
    change = size_change(before, now)
    assert change.measures == ()
    assert said in change.remark


def png(array):
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG")
    return out.getvalue()


def layers_of(installation, reader, data):
    case = case_of(installation, reader, data)
    return scan_layers(installation, look_again(installation, reader, case).scans[0].id)


def test_sixteen_bits_stay_sixteen_for_the_viewer(installation, ada):
    values = (np.add.outer(np.arange(64), np.arange(50)) * 500).astype(np.uint16)
    layers = layers_of(installation, ada, png(values))
    assert layers.pixels.dtype == np.uint16
    assert (layers.offset, layers.scale, layers.bits) == (0, 1, 16)
    np.testing.assert_array_equal(layers.pixels, values)
    assert layers.value_range == (0, values.max())
    start, whole, *_ = layers.windows["all"]
    assert (whole.low, whole.high) == (0, values.max())
    assert 0 < start.low < start.high < values.max()


def test_a_large_scan_is_sent_smaller_with_its_mask_and_all_heat_maps(installation, ada):
    layers = layers_of(installation, ada, scan_png(1600, 1200))
    assert layers.pixels.shape == layers.mask.shape == (1024, 768)
    assert layers.pixels.dtype == np.uint8
    assert layers.source_size == (1600, 1200)
    assert set(np.unique(layers.mask)) == {0, 255}
    assert set(layers.heat_maps) == set(TumourClass)
    assert max(layers.heat_maps[GLIOMA].shape) <= 384
    assert layers.heat_maps[GLIOMA].max() > 200


def test_a_composite_brings_three_channels_and_windows_for_each(installation, ada):
    colour = np.zeros((60, 50, 3), np.uint8)
    colour[10:50, 10:40] = (200, 90, 30)
    colour[20:30, 15:25] = (40, 220, 120)
    layers = layers_of(installation, ada, png(colour))
    np.testing.assert_array_equal(layers.pixels, colour)
    assert set(layers.windows) == {"all", "0", "1", "2"}
    assert layers.windows["2"][1].high == 120


def test_a_scan_that_waits_is_there_without_overlays(installation, ada):
    case = case_of(installation, ada, score=False)
    layers = scan_layers(installation, look_again(installation, ada, case).scans[0].id)
    assert layers.pixels.shape == (120, 100)
    assert layers.mask is None
    assert layers.heat_maps == {}
