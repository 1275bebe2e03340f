"""Which rules the cases were ranked by, and what it takes to rank them all anew."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.store.tables import MarkRow, StudyRow
from core.store.upsert import dialect_insert

_MARK = "priority_rules"


def ranked_by(session: Session) -> str | None:
    """The rules that :func:`note_rules` wrote last; None where it never did."""
    row = session.get(MarkRow, _MARK)
    return None if row is None else row.value


def note_rules(session: Session, rules: str) -> None:
    """Note that all cases are ranked by these rules now."""
    insert = dialect_insert(session, MarkRow).values(name=_MARK, value=rules)
    session.execute(
        insert.on_conflict_do_update(index_elements=["name"], set_={"value": insert.excluded.value})
    )


def highest_number(session: Session) -> int:
    """The number of the last case; 0 where there is none."""
    return session.scalar(select(func.max(StudyRow.id))) or 0


def open_cases(session: Session, numbers: range) -> list[int]:
    """The open cases among the given numbers, in order."""
    return list(
        session.scalars(
            select(StudyRow.id)
            .where(StudyRow.id.between(numbers[0], numbers[-1]), StudyRow.open.is_(True))
            .order_by(StudyRow.id)
        )
    )


def age_reported(session: Session, numbers: range, rate_per_second: float) -> None:
    """Give the reported cases among the given numbers the place of another rate of ageing."""
    session.execute(
        update(StudyRow)
        .where(StudyRow.id.between(numbers[0], numbers[-1]), StudyRow.open.is_(False))
        .values(rank_key=StudyRow.score - rate_per_second * StudyRow.received_at)
    )
