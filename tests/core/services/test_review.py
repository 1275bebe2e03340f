"""Reading a case: decisions, second readers, conflicts, notes, the next case."""

from datetime import date

import pytest

from core.errors import ConflictError, InputError, RuleError
from core.services import review, review_presence
from core.services.readers import add_reader
from core.services.review import DecisionInput, add_note, decide, look_again, open_case
from core.services.scoring import score_waiting
from core.types import CaseStatus, RequestedPriority
from tests.core.services.read_cases import GLIOMA, MENINGIOMA, NONE, case_of, read_as
from tests.fakes import FakeEngine, scan_png
from tests.installations import make_installation


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
