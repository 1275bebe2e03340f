"""Insertion where another process may insert the same at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.store.statements import lots
from core.store.table_base import Base


def dialect_insert(session: Session, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """An ``INSERT`` that takes ``ON CONFLICT``, written alike for both databases."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_new(
    session: Session, table: type[Base], values: Mapping[str, Any], unique: Sequence[str]
) -> bool:
    """Add a row unless there is one with the same ``unique`` columns; whether it was added.

    Where another transaction is adding the same row, this waits for its end.
    """
    key = next(iter(table.__table__.primary_key.columns))
    statement = dialect_insert(session, table).values(**values)
    added = session.execute(
        statement.on_conflict_do_nothing(index_elements=list(unique)).returning(key)
    )
    return added.first() is not None


def insert_all_new(
    session: Session,
    table: type[Base],
    rows: Sequence[Mapping[str, Any]],
    unique: Sequence[str],
    key: InstrumentedAttribute[int],
) -> list[int]:
    """Add those rows that are not there yet, in their order; the numbers of those added.

    As :func:`insert_new` it waits for transactions that are adding the same rows.
    """
    added: list[int] = []
    for some in lots(rows):
        statement = dialect_insert(session, table).values(list(some))
        statement = statement.on_conflict_do_nothing(index_elements=list(unique))
        added += session.execute(statement.returning(key)).scalars()
    return added
