"""The counters are what counting would give, whatever happens to cases and however many write."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest
from sqlalchemy import select

from core.store import studies
from core.store.counters import counters
from core.store.tables import CounterRow, StudyRow
from core.types import CaseStatus, WorklistCounters
from tests.core.store.made_up import NOW, RATE, add_case, add_image, finding, priority, score, show

HOUR = 3600


def _recounted(session, now: float) -> WorklistCounters:
    """The same figures, from the cases themselves."""
    rows = list(session.scalars(select(StudyRow)))
    waiting = [row for row in rows if row.status != CaseStatus.REPORTED]
    statuses = Counter(row.status for row in rows)
    return WorklistCounters(
        waiting=len(waiting),
        over_target=sum(now > row.due_at for row in waiting),
        flagged=sum(row.flagged for row in waiting),
        median_wait_minutes=(
            (now - median(row.received_at for row in waiting)) / 60 if waiting else None
        ),
        by_status={status: statuses[status] for status in CaseStatus},
        images_to_score=0,
    )


def _assert_right(installation, now: float) -> None:
    with installation.database.reading() as session:
        found, expected = counters(session, now), _recounted(session, now)
        assert found.median_wait_minutes == pytest.approx(expected.median_wait_minutes, abs=1e-6)
        assert found.by_status == expected.by_status
        assert (found.waiting, found.over_target, found.flagged) == (
            expected.waiting, expected.over_target, expected.flagged,
        )  # fmt: skip
        stored = list(session.scalars(select(CounterRow)))
        assert all(row.value >= 0 for row in stored)
        # Hours that are over leave nothing behind.
        assert all(row.value > 0 for row in stored if row.bucket)


def _something(session, rng: random.Random, study_id: int, now: float) -> None:
    """Any change that a case may undergo."""
    given = priority(rng.uniform(0, 100), rng.choice([60, 240, 1440]), rng.random() < 0.5)
    rng.choice([
        lambda: show(session, study_id, given, finding()),
        lambda: studies.set_status(session, study_id, rng.choice(list(CaseStatus)), now=now),
        lambda: studies.reopen(session, study_id, RATE, now),
        lambda: studies.set_assignee(session, study_id, None),
    ])()  # fmt: skip


def test_an_empty_worklist_has_no_median(installation):
    with installation.database.reading() as session:
        found = counters(session, NOW)
    assert found == WorklistCounters(0, 0, 0, None, {status: 0 for status in CaseStatus}, 0)


def test_every_change_is_counted(installation):
    rng = random.Random(1)
    with installation.database.transaction() as session:
        cases = [
            add_case(
                session,
                received_at=NOW - rng.uniform(0, 30) * HOUR,
                given=priority(flagged=rng.random() < 0.3, target_minutes=rng.choice([60, 600])),
            )
            for _ in range(41)
        ]
    _assert_right(installation, NOW)
    for step in range(15):
        now = NOW + step * HOUR / 3
        with installation.database.transaction() as session:
            for study_id in sorted(rng.sample(cases, 5)):
                _something(session, rng, study_id, now)
        _assert_right(installation, now)


def test_the_median_and_the_overdue_are_exact_within_an_hour(installation):
    start = NOW // HOUR * HOUR
    with installation.database.transaction() as session:
        for minute in (1, 2, 30, 58, 59):
            add_case(session, received_at=start + minute * 60, given=priority(target_minutes=20))
    with installation.database.reading() as session:
        found = counters(session, start + 51 * 60)
        assert (found.over_target, found.median_wait_minutes) == (3, 21)
        assert counters(session, start + 21 * 60).over_target == 0  # the target is not over yet
    with installation.database.transaction() as session:
        add_case(session, received_at=start + 40 * 60)
    with installation.database.reading() as session:
        assert counters(session, start + 60 * 60).median_wait_minutes == 25  # of 20 and 30


def test_what_is_undone_is_not_counted(installation):
    def fail() -> None:
        with installation.database.transaction() as session:
            add_case(session)
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    with installation.database.transaction() as session:
        add_case(session)
    _assert_right(installation, NOW)


def test_images_that_wait_for_the_model_are_counted(installation):
    with installation.database.transaction() as session:
        first, _ = add_image(session), add_image(session)
        assert counters(session, NOW).images_to_score == 2
        score(session, first, finding())
        assert counters(session, NOW).images_to_score == 1


def test_many_writers_at_once_keep_the_counters_right(installation):
    with installation.database.transaction() as session:
        cases = [
            add_case(session, received_at=NOW - number * HOUR / 2, given=priority(flagged=True))
            for number in range(12)
        ]

    def write(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(15):
            with installation.database.transaction() as session:
                add_case(session, received_at=NOW - rng.uniform(0, 5) * HOUR)
                for study_id in sorted(rng.sample(cases, 3)):
                    _something(session, rng, study_id, NOW)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    with installation.database.reading() as session:
        assert len(list(session.scalars(select(StudyRow.id)))) == 12 + 6 * 15
    _assert_right(installation, NOW)
