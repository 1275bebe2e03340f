"""What statements have in common: how much fits into one, and what one did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from sqlalchemy import CursorResult

T = TypeVar("T")

# SQLite takes no more than some 32,000 values in a statement, PostgreSQL some 65,000.
_AT_ONCE = 1000


def lots(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Rows or numbers in lots that fit into one statement each."""
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def rows_changed(result: object) -> int:
    """How many rows an ``UPDATE`` or a ``DELETE`` changed."""
    return result.rowcount if isinstance(result, CursorResult) else 0
