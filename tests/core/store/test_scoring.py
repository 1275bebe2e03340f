"""Claims, leases and results: who may score what, and what is recorded of it."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import pytest

from core.store.scoring import ClaimedImage, NewAnalysis
from core.store.tables import ImageRow
from core.types import CLASSES, Lesion, ScanFinding, ScanKind, TumourClass
from tests.core.store.scored_images import ATTEMPTS, START, Store
from tests.installations import make_installation

FINDING = ScanFinding(
    probabilities=dict(zip(CLASSES, (0.9, 0.05, 0.03, 0.02), strict=True)),
    predicted=TumourClass.GLIOMA,
    tumour_probability=0.97,
    suspected=True,
    lesion=Lesion(area_px=12, diameter_px=4.5, area_fraction=0.01),
    in_distribution=True,
    kind=ScanKind.GRAY,
    model_version="fake-1",
)
ANALYSIS = NewAnalysis(
    finding=FINDING,
    decision_threshold=0.4,
    ood_score=0.25,
    mask_key="a" * 64,
    heat_map_keys={name: "b" * 64 for name in CLASSES},
    thumbnail_key="c" * 64,
    elapsed_ms=12.5,
)


@pytest.fixture
def store(installation) -> Store:
    return Store(installation)


def test_the_most_urgent_come_first_and_then_the_earliest(store):
    routine, urgent = store.add(3, rank=1.0), store.add(2, rank=5.0)
    assert store.claimed_ids(limit=4) == [*urgent, *routine[:2]]
    assert store.claimed_ids() == routine[2:]


def test_a_claim_says_what_the_engine_needs(store):
    (image_id,) = store.add()
    (claimed,) = store.claim()
    assert claimed == ClaimedImage(image_id, "0" * 64, 0, False, (0.5, 0.25), attempts=1)


def test_what_is_held_is_handed_out_again_only_after_the_lease(store):
    ids = store.add(2)
    assert store.claimed_ids(lease=60) == ids
    assert store.claimed_ids(owner="other", now=START + 59) == []
    assert not store.has_claimable(START + 59)
    assert store.has_claimable(START + 60)
    assert store.claimed_ids(owner="other", now=START + 60) == ids[:1]


def test_a_lease_that_is_extended_lasts_longer(store):
    ids = store.add(2)
    store.claim(lease=60)
    store.extend("worker", ids, START + 120)
    assert store.claimed_ids(owner="other", now=START + 119) == []


def test_a_lost_lease_cannot_be_extended(store):
    (image_id,) = store.add()
    store.claim(lease=60)
    store.claim(owner="other", now=START + 60, lease=60)
    store.extend("worker", [image_id], START + 1000)
    assert store.row(image_id).lease_until == START + 120


def test_what_was_tried_before_is_taken_alone(store):
    ids = store.add(3, rank=1.0)
    store.claim(limit=2, lease=60)
    fresh = store.add(2)
    later = START + 60
    assert store.claimed_ids(now=later) == ids[:1]
    assert store.claimed_ids(now=later) == ids[1:2]
    assert store.claimed_ids(now=later) == [ids[2], *fresh]


def test_a_fresh_one_is_not_taken_together_with_one_that_was_tried(store):
    tried = store.add(1, rank=1.0)
    store.claim(lease=60)
    fresh = store.add(2, rank=2.0)
    assert store.claimed_ids(now=START + 60) == fresh
    assert store.claimed_ids(now=START + 60) == tried


def test_the_only_attempt_is_made_alone(store):
    ids = store.add(2)
    assert store.claimed_ids(allowed=1) == ids[:1]
    assert store.claimed_ids(allowed=1) == ids[1:]


def test_a_result_is_recorded_once_and_as_it_was(store):
    (image_id,) = store.add()
    store.claim()
    assert store.finish(image_id, "worker", ANALYSIS, START + 5)
    assert not store.finish(image_id, "worker", ANALYSIS, START + 6)
    (row,) = store.analyses()
    assert (row.image_id, row.created_at, row.mask_key) == (image_id, START + 5, "a" * 64)
    assert row.lesion == {
        "area_px": 12, "diameter_px": 4.5, "area_fraction": 0.01,
        "area_mm2": None, "diameter_mm": None,
    }  # fmt: skip
    assert row.probabilities["glioma"] == 0.9
    assert set(row.heat_map_keys) == {str(name) for name in CLASSES}
    assert (store.row(image_id).state, store.row(image_id).lease_owner) == ("scored", None)
    assert store.claimed_ids(now=START + 1e6) == []


@pytest.mark.parametrize("late", ["finish", "fail", "try_later", "give_back"])
def test_whoever_lost_the_lease_changes_nothing(store, late):
    (image_id,) = store.add()
    store.claim(lease=60)
    store.claim(owner="other", now=START + 60)
    calls = {
        "finish": lambda: store.finish(image_id, "worker", ANALYSIS, START + 61),
        "fail": lambda: store.fail(image_id, "worker", "too late"),
        "try_later": lambda: store.try_later(image_id, "worker", START + 500),
        "give_back": lambda: store.give_back([image_id], "worker"),
    }
    assert not calls[late]()
    row = store.row(image_id)
    assert (row.state, row.lease_owner, row.lease_until) == ("queued", "other", START + 120)
    assert (row.attempts, row.failure, store.analyses()) == (2, None, [])
    assert store.finish(image_id, "other", ANALYSIS, START + 62)


def test_another_result_of_the_same_model_is_not_recorded(store):
    (image_id,) = store.add()
    store.claim()
    store.finish(image_id, "worker", ANALYSIS, START)
    with store.database.transaction() as session:
        session.get_one(ImageRow, image_id).state = "queued"
    store.claim(now=START + 1)
    assert store.finish(image_id, "worker", ANALYSIS, START + 2)
    assert len(store.analyses()) == 1
    assert store.row(image_id).state == "scored"


def test_a_given_up_image_stays_so_until_it_is_asked_for_again(store):
    (image_id,) = store.add()
    store.claim()
    assert store.fail(image_id, "worker", "No brain.")
    row = store.row(image_id)
    assert (row.state, row.failure, row.lease_owner) == ("failed", "No brain.", None)
    assert store.claimed_ids(now=START + 1e6) == []
    assert store.requeue_failed(image_id)
    assert not store.requeue_failed(image_id)
    (again,) = store.claim(owner="other")
    assert (again.attempts, store.row(image_id).failure) == (1, None)


def test_what_is_to_be_tried_later_is_not_tried_before(store):
    (image_id,) = store.add()
    store.claim()
    assert store.try_later(image_id, "worker", START + 30)
    assert store.claimed_ids(now=START + 29) == []
    assert store.claim(now=START + 30)[0].attempts == 2


def test_what_is_given_back_can_be_had_at_once_and_as_if_never_taken(store):
    ids = store.add(2)
    store.claim()
    store.give_back(ids, "worker")
    assert [(image.id, image.attempts) for image in store.claim(owner="other")] == [
        (ids[0], 1),
        (ids[1], 1),
    ]


def test_an_image_whose_workers_vanish_is_given_up_after_its_attempts(store):
    (image_id,) = store.add()
    now = START
    for _ in range(ATTEMPTS):
        assert store.exhausted(attempts_allowed=ATTEMPTS, now=now) == []
        assert store.claimed_ids(now=now, lease=60) == [image_id]
        assert store.exhausted(attempts_allowed=ATTEMPTS, now=now + 59) == []
        now += 60
    assert store.claimed_ids(now=now) == []
    assert store.exhausted(attempts_allowed=ATTEMPTS, now=now) == [image_id]
    give_up = partial(
        store.fail_exhausted, image_id, attempts_allowed=ATTEMPTS, reason="Gone.", now=now
    )
    assert give_up()
    assert not give_up()
    assert (store.row(image_id).state, store.row(image_id).failure) == ("failed", "Gone.")


def test_an_image_at_its_last_attempt_is_not_given_up_while_it_is_held(store):
    (image_id,) = store.add()
    store.claim(allowed=1, lease=60)
    assert not store.fail_exhausted(image_id, attempts_allowed=1, reason="Gone.", now=START + 59)


def test_held_images_still_count_as_waiting(store):
    ids = store.add(3)
    store.claim(limit=1)
    assert store.waiting_count() == 3
    store.finish(ids[0], "worker", ANALYSIS, START)
    assert store.waiting_count() == 2


def test_waiting_in_vain_means_that_nobody_has_worked_for_a_while(store):
    def in_vain(seconds: float) -> bool:
        return store.waits_in_vain(since=START + seconds - 90, now=START + seconds)

    assert not in_vain(1000)
    ids = store.add(2)
    assert not in_vain(89)
    assert in_vain(91)
    store.claim(limit=1, now=START + 91, lease=60)
    assert not in_vain(92)
    store.finish(ids[0], "worker", ANALYSIS, START + 100)
    assert not in_vain(189)
    assert in_vain(191)


def claim_all(store: Store, owner: str) -> list[int]:
    found = []
    while claimed := store.claimed_ids(owner=owner, limit=3):
        found += claimed
    return found


def claim_all_in_process(folder, settings: dict[str, str], owner: str) -> list[int]:
    installation = make_installation(folder, **settings)
    try:
        return claim_all(Store(installation), owner)
    finally:
        installation.database.close()


def test_threads_never_get_the_same_image(store):
    ids = store.add(120)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: claim_all(store, f"thread-{n}"), range(8)))
    assert sorted(image for share in found for image in share) == ids


@pytest.mark.slow
def test_processes_never_get_the_same_image(store, back_end, tmp_path):
    ids = store.add(300)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=context) as pool:
        work = partial(claim_all_in_process, tmp_path, back_end)
        found = list(pool.map(work, [f"process-{n}" for n in range(4)]))
    assert sorted(image for share in found for image in share) == ids
