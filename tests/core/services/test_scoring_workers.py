"""Workers at the same images: overtaken, kept away, told to stop, and side by side at one case."""

import threading
import time
from dataclasses import replace

from core.services import ranking, scoring
from core.services.scoring import score_waiting
from core.store import scoring as store
from core.triage.priority import case_priority
from tests.core.services.scored_cases import Cases, FragileEngine, distinct
from tests.fakes import FakeEngine, scan_png
from tests.installations import make_installation


def test_a_worker_that_was_overtaken_records_nothing(installation, cases, scoring_clock):
    study_id = cases.add(scan_png())

    class Slow(FakeEngine):
        def analyse(self, *arguments, **options):
            scoring_clock(installation.settings.lease_seconds)
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
