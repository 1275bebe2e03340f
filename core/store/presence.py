"""Who has which case before them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.store.rows import reader_from
from core.store.tables import PresenceRow, UserRow
from core.store.upsert import dialect_insert
from core.types import Reader


def touch_presence(session: Session, study_id: int, reader_id: int, now: float) -> None:
    """Note that a reader has a case before them."""
    insert = dialect_insert(session, PresenceRow).values(
        study_id=study_id, reader_id=reader_id, seen_at=now
    )
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["study_id", "reader_id"], set_={"seen_at": insert.excluded.seen_at}
        )
    )


def present_readers(session: Session, study_id: int, since: float) -> list[Reader]:
    """Who has had a case before them since then, by name."""
    rows = session.scalars(
        select(UserRow)
        .join(PresenceRow, PresenceRow.reader_id == UserRow.id)
        .where(PresenceRow.study_id == study_id, PresenceRow.seen_at >= since)
        .order_by(UserRow.name)
    )
    return [reader_from(row) for row in rows]
