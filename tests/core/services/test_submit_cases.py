"""Which case an uploaded picture joins, and what that changes of the case."""

from datetime import date

import pytest

from core.services.installation import now
from core.services.scoring import score_waiting
from core.services.submit import recent_batches
from core.store import studies
from core.types import CaseStatus, RequestedPriority, StudyDetails, TumourClass
from tests.core.services.sent_series import DAY, LINKED, OF_P1, RECEIVED, entries_of
from tests.fakes import FakeEngine, scan_png


def report(installation, case_id):
    with installation.database.transaction() as session:
        studies.set_status(session, case_id, CaseStatus.REPORTED, now=now())


def test_reference_and_date_make_a_case(send_pictures):
    first = send_pictures(scan_png(60), scan_png(61), details=OF_P1)
    same = send_pictures(scan_png(62), details=StudyDetails("  p-1", DAY))
    other_day = send_pictures(scan_png(63), details=StudyDetails("P-1", date(2026, 3, 5)))
    no_day = send_pictures(scan_png(64), details=StudyDetails("P-1"))
    assert len({item.case_id for item in first + same}) == 1
    assert len({item.case_id for item in [*first, *other_day, *no_day]}) == 3


def test_without_a_reference_every_file_is_a_case(send_pictures):
    found = send_pictures(scan_png(60), scan_png(61), details=StudyDetails(study_date=DAY))
    assert len({item.case_id for item in found}) == 2


def test_the_same_picture_again_is_linked_and_scored_once(installation, reader, send_pictures):
    first, again = send_pictures(scan_png(), scan_png(), details=OF_P1)
    assert (again.outcome, again.case_id) == (LINKED, first.case_id)
    assert again.reason == f"Already received as case #{first.case_id}."
    [later] = send_pictures(scan_png(), details=OF_P1)
    assert (later.outcome, later.case_id) == (LINKED, first.case_id)
    engine = FakeEngine()
    assert score_waiting(installation, engine) == 1
    assert engine.batches == [1]
    [batch, _] = recent_batches(installation, reader)
    assert (batch.linked, batch.received, batch.waiting, batch.scored) == (1, 0, 0, 1)


def test_another_study_with_the_same_picture_shares_its_analysis_at_once(
    installation, send_pictures, case
):
    [first] = send_pictures(scan_png(), details=OF_P1)
    score_waiting(installation, FakeEngine())
    [item] = send_pictures(scan_png(), details=StudyDetails("P-2", DAY))
    assert item.case_id != first.case_id
    assert item.outcome is LINKED
    assert f"#{first.case_id}" in item.reason
    assert case(item.case_id).predicted is TumourClass.GLIOMA
    assert case(item.case_id).score == pytest.approx(case(first.case_id).score, abs=0.1)


def test_a_known_picture_without_a_reference_makes_no_second_case(send_pictures):
    [first] = send_pictures(scan_png(), details=OF_P1)
    [item] = send_pictures(scan_png())
    assert (item.outcome, item.case_id) == (LINKED, first.case_id)


def test_a_new_scan_reopens_a_reported_case_and_a_known_one_does_not(
    installation, send_pictures, case
):
    [first] = send_pictures(scan_png(60), details=OF_P1)
    report(installation, first.case_id)
    send_pictures(scan_png(60), details=OF_P1)
    assert case(first.case_id).status is CaseStatus.REPORTED
    [item] = send_pictures(scan_png(61), details=OF_P1)
    assert item.outcome is RECEIVED
    assert "reopened" in item.reason
    assert case(first.case_id).status is CaseStatus.NEW


def test_a_more_urgent_request_counts_and_a_less_urgent_one_does_not(
    installation, send_pictures, case
):
    [item] = send_pictures(scan_png(60), details=OF_P1)
    calm = case(item.case_id).score
    urgent = StudyDetails("P-1", DAY, requested=RequestedPriority.EMERGENCY)
    send_pictures(scan_png(60), details=urgent)
    assert case(item.case_id).requested is RequestedPriority.EMERGENCY
    assert case(item.case_id).score > calm + 10
    assert "emergency" in entries_of(installation, item.case_id)[-1].text
    send_pictures(scan_png(61), details=OF_P1)
    assert case(item.case_id).requested is RequestedPriority.EMERGENCY


def test_details_fill_blanks_and_never_overwrite(installation, send_pictures):
    [item] = send_pictures(scan_png(60), details=StudyDetails("P-1", DAY, site="North"))
    [later] = send_pictures(scan_png(61), details=StudyDetails("P-1", DAY, "South", "Headache"))
    assert later.outcome is RECEIVED
    assert "site" in later.reason
    assert "indication" not in later.reason
    with installation.database.reading() as session:
        kept = studies.case_details(session, item.case_id)
    assert (kept.site, kept.indication) == ("North", "Headache")
