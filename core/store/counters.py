"""The figures on top of the worklist, kept up to date with every change of a case.

Changes are gathered while a transaction runs and written at its end, in a fixed order. So two
transactions never wait for each other's counters crosswise, and hold them for the commit only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from core.store.scoring import waiting_count
from core.store.tables import CounterRow, StudyRow
from core.store.upsert import dialect_insert
from core.types import CaseStatus, WorklistCounters

_HOUR = 3600
_PENDING = "counter_changes"
_OPEN, _FLAGGED = "open", "open_flagged"
_RECEIVED, _DUE = "open_received", "open_due"


@dataclass(frozen=True)
class CounterState:
    """What the counters look at in a case.

    Attributes:
        status: where it stands.
        flagged: whether a human should look although the probabilities do not say so.
        received_at: start of the waiting, in seconds since 1970.
        due_at: when the target is over, in seconds since 1970.
    """

    status: CaseStatus
    flagged: bool
    received_at: float
    due_at: float


def state_of(study: StudyRow) -> CounterState:
    """What the counters see of a case now."""
    return CounterState(CaseStatus(study.status), study.flagged, study.received_at, study.due_at)


def apply_change(session: Session, before: CounterState | None, after: CounterState | None) -> None:
    """Take note of a change of one case; None where it did not exist, or does not any more."""
    changes: Counter[tuple[str, int]] = session.info.setdefault(_PENDING, Counter())
    for state, step in ((before, -1), (after, 1)):
        if state is not None:
            for key in _keys(state):
                changes[key] += step


def _keys(state: CounterState) -> list[tuple[str, int]]:
    keys = [(_status(state.status), 0)]
    if state.status is not CaseStatus.REPORTED:
        keys += [
            (_OPEN, 0),
            (_RECEIVED, int(state.received_at // _HOUR)),
            (_DUE, int(state.due_at // _HOUR)),
        ]
        if state.flagged:
            keys.append((_FLAGGED, 0))
    return keys


def _status(status: CaseStatus) -> str:
    return f"status:{status}"


def write_changes(session: Session) -> None:
    """Write what :func:`apply_change` gathered; the last step of a transaction."""
    changes: Counter[tuple[str, int]] = session.info.pop(_PENDING, Counter())
    rows = [
        {"name": name, "bucket": bucket, "value": step}
        for (name, bucket), step in sorted(changes.items())
        if step
    ]
    if not rows:
        return
    insert = dialect_insert(session, CounterRow).values(rows)
    written = session.execute(
        insert.on_conflict_do_update(
            index_elements=["name", "bucket"],
            set_={"value": CounterRow.value + insert.excluded.value},
        ).returning(CounterRow.name, CounterRow.bucket, CounterRow.value)
    ).all()
    # An hour without open cases leaves no row behind, or the table would grow for ever.
    empty = [(name, bucket) for name, bucket, value in written if bucket and not value]
    if empty:
        table = CounterRow.__table__
        session.execute(table.delete().where(tuple_(table.c.name, table.c.bucket).in_(empty)))


def counters(session: Session, now: float) -> WorklistCounters:
    """The figures at the moment ``now``, exact, at a cost that does not grow with the cases.

    Hours before and after the one that matters are counted already; within it an index is read.
    """
    single = dict(
        session.execute(
            select(CounterRow.name, CounterRow.value).where(
                CounterRow.name.in_([_OPEN, _FLAGGED, *map(_status, CaseStatus)]),
                CounterRow.bucket == 0,
            )
        ).all()
    )
    waiting = single.get(_OPEN, 0)
    return WorklistCounters(
        waiting=waiting,
        over_target=_over_target(session, now),
        flagged=single.get(_FLAGGED, 0),
        median_wait_minutes=_median_wait(session, waiting, now),
        by_status={status: single.get(_status(status), 0) for status in CaseStatus},
        images_to_score=waiting_count(session),
    )


def _over_target(session: Session, now: float) -> int:
    hour = int(now // _HOUR)
    earlier = session.scalar(
        select(func.coalesce(func.sum(CounterRow.value), 0)).where(
            CounterRow.name == _DUE, CounterRow.bucket < hour
        )
    )
    within = session.scalar(
        select(func.count()).where(
            StudyRow.open.is_(True), StudyRow.due_at >= hour * _HOUR, StudyRow.due_at < now
        )
    )
    return int(earlier) + within


def _median_wait(session: Session, waiting: int, now: float) -> float | None:
    if not waiting:
        return None
    # The two in the middle; the same one where their number is odd.
    middle = [_received_at(session, n) for n in {(waiting - 1) // 2, waiting // 2}]
    return (now - sum(middle) / len(middle)) / 60


def _received_at(session: Session, n: int) -> float:
    """Receipt of the open case that ``n`` others precede."""
    hours = (
        select(
            CounterRow.bucket,
            CounterRow.value,
            func.sum(CounterRow.value).over(order_by=CounterRow.bucket).label("up_to"),
        )
        .where(CounterRow.name == _RECEIVED)
        .subquery()
    )
    hour = session.execute(
        select(hours.c.bucket, hours.c.up_to - hours.c.value)
        .where(hours.c.up_to > n)
        .order_by(hours.c.bucket)
        .limit(1)
    ).one()
    start = hour[0] * _HOUR
    return session.execute(
        select(StudyRow.received_at)
        .where(
            StudyRow.open.is_(True),
            StudyRow.received_at >= start,
            StudyRow.received_at < start + _HOUR,
        )
        .order_by(StudyRow.received_at)
        .offset(n - int(hour[1]))
        .limit(1)
    ).scalar_one()
