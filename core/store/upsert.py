"""Insertion where another process may insert the same at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.store.tables import Base


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
