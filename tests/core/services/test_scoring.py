"""From images that wait to cases that stand where they belong, whatever goes wrong on the way."""

import io
import logging
import threading
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from core.errors import StoreError
from core.services import ranking, scoring
from core.services.installation import Installation
from core.services.pictures import MASK_COLOUR
from core.services.scoring import rerank, score_waiting
from core.store import audit, counters, images, studies
from core.store import scoring as store
from core.triage.priority import case_priority
from core.triage.queueing import rate_per_second
from core.types import CLASSES, CaseStatus, RequestedPriority, ScoringState, StudyDetails
from tests.fakes import FakeEngine, scan_png
from tests.installations import make_installation

NOT_A_PICTURE = b"This was never a picture."


class Cases:
    """Cases of an installation: made and looked at."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.count = 0

    def add(self, *pictures: bytes, spacing=None, requested=RequestedPriority.ROUTINE) -> int:
        """A new case of these pictures."""
        self.count += 1
        details = StudyDetails(patient_reference=f"P-{self.count}", requested=requested)
        rules, now = self.installation.settings.priority, time.time()
        rate = rate_per_second(rules)
        empty = case_priority([], failed=0, waiting=0, requested=requested, rules=rules)
        keys = [self.installation.files.put(picture) for picture in pictures]
        with self.installation.database.transaction() as session:
            found = [
                images.find_or_create_images(
                    session, content_key=key, source_format="PNG", height=120, width=100,
                    spacing=spacing, queue_rank=0, now=now,
                )[0][0]
                for key in keys
            ]  # fmt: skip
            study_id, _ = studies.find_or_create_study(
                session, study_key=f"case {self.count}", details=details, priority=empty,
                rate_per_second=rate, now=now,
            )  # fmt: skip
            for image_id in found:
                images.link_scans(session, study_id, [images.NewScan(image_id)], now)
            rerank(session, self.installation.settings, study_id, now)
        return study_id

    def case(self, study_id: int):
        rules = self.installation.settings.priority
        with self.installation.database.reading() as session:
            rate, share = rate_per_second(rules), rules.amber_share
            return studies.get_case(session, study_id, time.time(), rate, share)

    def scans(self, study_id: int):
        with self.installation.database.reading() as session:
            return images.scans_of_study(session, study_id)

    def history(self, study_id: int) -> list[tuple[str, str]]:
        with self.installation.database.reading() as session:
            return [(line.action, line.text) for line in audit.history(session, study_id)]

    def counters(self):
        with self.installation.database.reading() as session:
            return counters.counters(session, time.time())

    def stored(self, key: str) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(self.installation.files.get(key))))

    def retry(self, study_id: int) -> None:
        """What the retry button does."""
        with self.installation.database.transaction() as session:
            for scan in images.scans_of_study(session, study_id):
                store.requeue_failed(session, scan.image_id)
            rerank(session, self.installation.settings, study_id, time.time())


class FragileEngine(FakeEngine):
    """Fails on blank scans as long as it is told to."""

    fails = True

    def analyse(self, scans, *arguments, **options):
        if self.fails and any(np.ptp(scan.pixels) == 0 for scan in scans):
            raise RuntimeError("the network choked")
        return super().analyse(scans, *arguments, **options)


@pytest.fixture
def cases(installation) -> Cases:
    return Cases(installation)


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests can put forward: ``clock(60)``."""
    ahead = [0.0]
    monkeypatch.setattr(scoring, "now", lambda: time.time() + ahead[0])

    def put_forward(seconds: float) -> None:
        ahead[0] += seconds

    return put_forward


def distinct(count: int, **options) -> list[bytes]:
    """Scans that differ in their size."""
    return [scan_png(60 + n, 50, **options) for n in range(count)]


def test_a_scored_case_takes_its_place(installation, cases):
    calm = cases.add(scan_png(lesion=False))
    urgent = cases.add(scan_png())
    before = cases.case(urgent)
    assert (before.predicted, before.reasons[0].code, before.scored_count) == (None, "waiting", 0)
    assert score_waiting(installation, FakeEngine()) == 2
    case = cases.case(urgent)
    assert (case.predicted, case.model_version, case.status) == ("glioma", "fake-1", "new")
    assert (case.scan_count, case.scored_count, case.failed_count) == (1, 1, 0)
    assert case.reasons[0].code == "glioma"
    assert case.score > cases.case(calm).score
    assert cases.counters().images_to_score == 0
    assert cases.history(urgent)[-1] == ("scan_scored", "One scan analysed by model fake-1")


def test_a_case_stands_where_its_worst_scan_puts_it(installation, cases):
    study_id = cases.add(scan_png(lesion=False), scan_png(), scan_png(80, 80, lesion=False))
    score_waiting(installation, FakeEngine())
    case = cases.case(study_id)
    leading = next(s for s in cases.scans(study_id) if s.analysis.finding.predicted == "glioma")
    assert case.thumbnail_key == leading.analysis.thumbnail_key
    assert (case.predicted, case.scored_count) == ("glioma", 3)


def test_the_pictures_of_a_result_are_kept(installation, cases):
    study_id = cases.add(scan_png(900, 600), spacing=(0.5, 0.5))
    score_waiting(installation, FakeEngine())
    (scan,) = cases.scans(study_id)
    found = scan.analysis
    mask = cases.stored(found.mask_key)
    assert mask.shape == (900, 600)
    assert set(np.unique(mask)) == {0, 255}
    assert found.finding.lesion.area_px == (mask > 0).sum()
    assert found.finding.lesion.area_mm2 == pytest.approx((mask > 0).sum() * 0.25)
    heat = {name: cases.stored(key) for name, key in found.heat_map_keys.items()}
    assert set(heat) == set(CLASSES)
    assert all(picture.shape == (512, 341) for picture in heat.values())
    assert heat["glioma"].max() > heat["meningioma"].max() > 0
    assert cases.stored(found.thumbnail_key).shape == (96, 64, 3)
    assert found.decision_threshold == 0.4


def test_the_small_picture_shows_even_a_small_lesion(installation, cases):
    picture = np.full((960, 960), 60, np.uint8)
    cv2.circle(picture, (480, 480), 300, 120, -1)
    picture[400:404, 500:504] = 220
    study_id = cases.add(cv2.imencode(".png", picture)[1].tobytes())
    score_waiting(installation, FakeEngine())
    small = cases.stored(cases.case(study_id).thumbnail_key)
    rows, columns = np.where((small == MASK_COLOUR).all(axis=2))
    assert len(rows)
    assert (np.abs(rows - 40) <= 2).all()
    assert (np.abs(columns - 50) <= 2).all()


def test_an_image_of_two_cases_is_scored_once_and_moves_both(installation, cases):
    first, second = cases.add(scan_png()), cases.add(scan_png(), scan_png(80, 80, lesion=False))
    assert score_waiting(installation, FakeEngine()) == 2
    assert [cases.case(case).predicted for case in (first, second)] == ["glioma", "glioma"]
    assert cases.case(second).scored_count == 2


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
    installation, cases, clock, caplog
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
    clock(installation.settings.lease_seconds)
    engine.fails = False
    assert score_waiting(installation, engine) == 1
    assert cases.case(bad).scored_count == 1


def test_after_its_attempts_it_fails_for_good_with_a_reason_and_stays_visible(
    installation, cases, clock
):
    bad = cases.add(scan_png(blank=True))
    engine = FragileEngine()
    for attempt in range(installation.settings.scoring_attempts):
        assert cases.case(bad).status is CaseStatus.NEW, f"after {attempt} attempts"
        score_waiting(installation, engine)
        clock(installation.settings.lease_seconds)
    assert score_waiting(installation, engine) == 0
    (scan,) = cases.scans(bad)
    assert scan.failure.startswith("The analysis failed 3 times")
    assert "choked" not in scan.failure
    case = cases.case(bad)
    assert (case.status, case.flagged, case.reasons[0].code) == ("failed", True, "failed")
    assert cases.counters().waiting == 1


def test_a_retry_that_succeeds_makes_a_failed_case_new_again(installation, cases, clock):
    bad = cases.add(scan_png(blank=True))
    engine = FragileEngine()
    for _ in range(installation.settings.scoring_attempts):
        score_waiting(installation, engine)
        clock(installation.settings.lease_seconds)
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
    installation, cases, clock
):
    good, lost = cases.add(scan_png()), cases.add(scan_png(80, 80))
    key = cases.scans(lost)[0].content_key
    (file,) = (installation.settings.storage / "files").rglob(key)
    file.unlink()
    for _ in range(installation.settings.scoring_attempts):
        score_waiting(installation, FakeEngine())
        clock(installation.settings.lease_seconds)
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


def test_an_image_that_brings_down_its_workers_fails_with_a_reason(installation, cases, clock):
    bad = cases.add(scan_png())
    for attempt in range(3):
        with installation.database.transaction() as session:
            (claimed,) = store.claim(
                session, owner=f"killed-{attempt}", limit=8, attempts_allowed=3,
                until=scoring.now() + 60, now=scoring.now(),
            )  # fmt: skip
        assert claimed.attempts == attempt + 1
        clock(61)
    assert score_waiting(installation, FakeEngine()) == 0
    (scan,) = cases.scans(bad)
    assert scan.failure.startswith("The analysis was broken off 3 times")
    assert cases.case(bad).status is CaseStatus.FAILED


def test_a_worker_that_was_overtaken_records_nothing(installation, cases, clock):
    study_id = cases.add(scan_png())

    class Slow(FakeEngine):
        def analyse(self, *arguments, **options):
            clock(installation.settings.lease_seconds)
            assert score_waiting(installation, FakeEngine()) == 1
            return [
                replace(one, model_version="late") for one in super().analyse(*arguments, **options)
            ]

    score_waiting(installation, Slow())
    case = cases.case(study_id)
    assert (case.model_version, case.scored_count) == ("fake-1", 1)
    assert [action for action, _ in cases.history(study_id)] == ["scan_scored"]


def test_signs_of_life_keep_images_from_others_while_the_engine_works(tmp_path, back_end):
    installation = make_installation(tmp_path, **back_end, lease_seconds=0.6)
    Cases(installation).add(scan_png())
    seen = []

    class Slow(FakeEngine):
        def analyse(self, *arguments, **options):
            for _ in range(10):
                time.sleep(0.2)
                with installation.database.reading() as session:
                    seen.append(store.has_claimable(session, time.time()))
            return super().analyse(*arguments, **options)

    assert score_waiting(installation, Slow()) == 1
    assert seen == [False] * 10


def test_a_worker_that_is_told_to_stop_finishes_what_it_holds_and_takes_no_more(
    installation, cases
):
    for picture in distinct(12):
        cases.add(picture)
    stop = threading.Event()

    class Stopping(FakeEngine):
        def analyse(self, *arguments, **options):
            stop.set()
            return super().analyse(*arguments, **options)

    assert score_waiting(installation, Stopping(), stop) == 8
    assert cases.counters().images_to_score == 4
    assert score_waiting(installation, FakeEngine()) == 4


def test_what_a_stopped_worker_has_not_begun_with_is_given_back(installation, cases):
    for picture in distinct(3):
        cases.add(picture)
    cases.add(scan_png(blank=True))
    stop = threading.Event()

    class Stopping(FragileEngine):
        def analyse(self, *arguments, **options):
            stop.set()
            return super().analyse(*arguments, **options)

    score_waiting(installation, Stopping(), stop)
    engine = FakeEngine()
    assert score_waiting(installation, engine) == 4
    assert engine.batches == [4], "none of them counts as tried"


def test_a_worker_with_its_hands_full_wakes_another(installation, cases):
    for picture in distinct(9):
        cases.add(picture)
    score_waiting(installation, FakeEngine())
    assert installation.queue.huey.pending_count() == 1


def test_workers_at_scans_of_one_case_do_not_overlook_each_other(installation, cases, monkeypatch):
    """Each takes one scan at a time, and dawdles between looking at a case and placing it."""
    monkeypatch.setattr(scoring, "BATCH_SIZE", 1)
    monkeypatch.setattr(
        ranking, "case_priority", lambda *a, **k: time.sleep(0.05) or case_priority(*a, **k)
    )
    shared = distinct(4, lesion=False)
    large = cases.add(*distinct(8), *shared)
    others = [cases.add(picture, *shared) for picture in distinct(3, blank=True)]
    workers = [
        threading.Thread(target=score_waiting, args=(installation, FakeEngine())) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert cases.case(large).scored_count == 12
    assert [cases.case(case).scored_count for case in others] == [5] * 3
