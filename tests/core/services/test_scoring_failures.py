"""What cannot be scored: tried again, failed with a reason, and no other scan spoilt."""

import logging
import time

import pytest

from core.errors import StoreError
from core.services import scoring
from core.services.scoring import score_waiting
from core.store import scoring as store
from core.store import studies
from core.types import CaseStatus, ScoringState
from tests.core.services.scored_cases import FragileEngine, distinct
from tests.fakes import FakeEngine, scan_png

NOT_A_PICTURE = b"This was never a picture."


def test_what_cannot_be_read_fails_at_once_and_spoils_no_other(installation, cases):
    good = [cases.add(picture) for picture in distinct(3)]
    bad = cases.add(NOT_A_PICTURE)
    score_waiting(installation, FakeEngine())
    assert [cases.case(case).predicted for case in good] == ["glioma"] * 3
    (scan,) = cases.scans(bad)
    assert (scan.state, scan.analysis) == (ScoringState.FAILED, None)
    assert "not a picture" in scan.failure
    case = cases.case(bad)
    assert (case.status, case.flagged, case.failed_count) == (CaseStatus.FAILED, True, 1)
    assert cases.counters().by_status[CaseStatus.FAILED] == 1
    assert cases.history(bad)[-1] == ("scan_failed", f"One scan not analysed: {scan.failure}")


def test_one_that_breaks_the_engine_is_tried_again_and_spoils_no_other(
    installation, cases, scoring_clock, caplog
):
    good = [cases.add(picture) for picture in distinct(3)]
    bad = cases.add(scan_png(blank=True))
    engine = FragileEngine()
    assert score_waiting(installation, engine) == 4
    assert [cases.case(case).scored_count for case in good] == [1, 1, 1]
    assert cases.scans(bad)[0].state is ScoringState.QUEUED
    assert cases.case(bad).status is CaseStatus.NEW
    trace = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "the network choked" in str(trace[0].exc_info[1])
    assert score_waiting(installation, engine) == 0, "it is not tried again at once"
    scoring_clock(installation.settings.lease_seconds)
    engine.fails = False
    assert score_waiting(installation, engine) == 1
    assert cases.case(bad).scored_count == 1


def test_after_its_attempts_it_fails_for_good_with_a_reason_and_stays_visible(
    installation, cases, scoring_clock
):
    bad = cases.add(scan_png(blank=True))
    engine = FragileEngine()
    for attempt in range(installation.settings.scoring_attempts):
        assert cases.case(bad).status is CaseStatus.NEW, f"after {attempt} attempts"
        score_waiting(installation, engine)
        scoring_clock(installation.settings.lease_seconds)
    assert score_waiting(installation, engine) == 0
    (scan,) = cases.scans(bad)
    assert scan.failure.startswith("The analysis failed 3 times")
    assert "choked" not in scan.failure
    case = cases.case(bad)
    assert (case.status, case.flagged, case.reasons[0].code) == ("failed", True, "failed")
    assert cases.counters().waiting == 1


def test_a_retry_that_succeeds_makes_a_failed_case_new_again(installation, cases, scoring_clock):
    bad = cases.add(scan_png(blank=True))
    engine = FragileEngine()
    for _ in range(installation.settings.scoring_attempts):
        score_waiting(installation, engine)
        scoring_clock(installation.settings.lease_seconds)
    cases.retry(bad)
    assert cases.case(bad).status is CaseStatus.NEW
    engine.fails = False
    score_waiting(installation, engine)
    case = cases.case(bad)
    assert (case.status, case.scored_count, case.failed_count) == (CaseStatus.NEW, 1, 0)


def test_a_case_in_a_readers_hands_keeps_its_status(installation, cases):
    bad = cases.add(NOT_A_PICTURE)
    with installation.database.transaction() as session:
        studies.set_status(session, bad, CaseStatus.IN_REVIEW, now=time.time())
    score_waiting(installation, FakeEngine())
    assert (cases.case(bad).status, cases.case(bad).failed_count) == (CaseStatus.IN_REVIEW, 1)


def test_a_case_with_a_scored_scan_is_not_failed(installation, cases):
    mixed = cases.add(NOT_A_PICTURE, scan_png())
    score_waiting(installation, FakeEngine())
    case = cases.case(mixed)
    assert (case.status, case.scored_count, case.failed_count) == (CaseStatus.NEW, 1, 1)
    assert case.flagged


def test_a_file_that_is_gone_fails_after_its_attempts_and_spoils_no_other(
    installation, cases, scoring_clock
):
    good, lost = cases.add(scan_png()), cases.add(scan_png(80, 80))
    key = cases.scans(lost)[0].content_key
    (file,) = (installation.settings.storage / "files").rglob(key)
    file.unlink()
    for _ in range(installation.settings.scoring_attempts):
        score_waiting(installation, FakeEngine())
        scoring_clock(installation.settings.lease_seconds)
    assert cases.case(good).scored_count == 1
    assert cases.case(lost).status is CaseStatus.FAILED
    assert cases.scans(lost)[0].failure.startswith("The stored file of this scan is missing")


def test_a_disk_that_is_full_is_no_fault_of_the_images(installation, cases, monkeypatch):
    for picture in distinct(3):
        cases.add(picture)

    def full(data):
        raise StoreError("A file could not be kept. Make room on the disk.")

    for _ in range(installation.settings.scoring_attempts + 1):
        with monkeypatch.context() as patch:
            patch.setattr(installation.files, "put", full)
            with pytest.raises(StoreError, match="Make room"):
                score_waiting(installation, FakeEngine())
    engine = FakeEngine()
    assert score_waiting(installation, engine) == 3
    assert engine.batches == [3], "none of them counts as tried"


def test_an_image_that_brings_down_its_workers_fails_with_a_reason(
    installation, cases, scoring_clock
):
    bad = cases.add(scan_png())
    for attempt in range(3):
        with installation.database.transaction() as session:
            (claimed,) = store.claim(
                session, owner=f"killed-{attempt}", limit=8, attempts_allowed=3,
                until=scoring.now() + 60, now=scoring.now(),
            )  # fmt: skip
        assert claimed.attempts == attempt + 1
        scoring_clock(61)
    assert score_waiting(installation, FakeEngine()) == 0
    (scan,) = cases.scans(bad)
    assert scan.failure.startswith("The analysis was broken off 3 times")
    assert cases.case(bad).status is CaseStatus.FAILED
