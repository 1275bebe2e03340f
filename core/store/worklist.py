"""Pages of the worklist, at a cost that does not grow with the number of cases.

Each order has an index, along which a page is read from where the last one ended (keyset paging).
A filter that only few cases pass would make that a long way: those few are looked up by the
filter's own index first. Cases of a filter that many pass are met soon along the way.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, func, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.errors import InputError
from core.store.rows import clean, folded_reference, is_row_number, summary_from
from core.store.tables import DecisionRow, StudyRow, UserRow
from core.types import CaseStatus, SortKey, WorklistPage, WorklistQuery

_MOST_ROWS = 200
# Up to so many cases are looked up and sorted instead of being met along the way.
_FEW = 1000
_NUMBER = re.compile(r"#\s*([0-9]{1,18})")
_LAST_CHARACTER = "\U0010ffff"

_OPEN = frozenset(CaseStatus) - {CaseStatus.REPORTED}

# Column, and whether its largest value comes first.
_ORDERS: dict[SortKey, tuple[InstrumentedAttribute[Any], bool]] = {
    SortKey.PRIORITY: (StudyRow.rank_key, True),
    SortKey.WAITING: (StudyRow.received_at, False),
    SortKey.TUMOUR_PROBABILITY: (StudyRow.tumour_probability, True),
    SortKey.LESION_SIZE: (StudyRow.lesion_fraction, True),
    SortKey.PATIENT_REFERENCE: (StudyRow.reference_folded, False),
}

Column = ColumnElement[Any]
Condition = ColumnElement[bool]


def worklist_page(
    session: Session,
    query: WorklistQuery,
    now: float,
    rate_per_second: float,
    amber_share: float,
) -> WorklistPage:
    """One page of the worklist. Cases without a value of the order come last, either way round.

    Args:
        session: reading will do.
        query: which cases, in which order, from where on.
        now: the moment to show, in seconds since 1970.
        rate_per_second: points that a second of waiting adds.
        amber_share: share of the target from which waiting is ``DUE_SOON``.

    Raises:
        InputError: the query asks for too many rows, or its cursor is not one of this order.
    """
    if not 1 <= query.limit <= _MOST_ROWS:
        raise InputError(f"A page has 1 to {_MOST_ROWS} rows, not {query.limit}.")
    order = _Order(query)
    place = None if query.after is None else order.place(query.after)
    found: list[StudyRow] = []
    for is_open in _wanted_halves(query):
        conditions = _conditions(session, query, now, is_open)
        # One row more tells whether there is another page.
        found += order.read(session, conditions, place, query.limit + 1)
    rows = order.sorted(found)
    shown = rows[: query.limit]
    readers = _assignees(session, shown)
    return WorklistPage(
        rows=tuple(
            summary_from(row, readers.get(row.assignee_id), now, rate_per_second, amber_share)
            for row in shown
        ),
        cursor=order.cursor(shown[-1]) if len(rows) > query.limit else None,
    )


def next_case(session: Session, *, exclude: Collection[int], reader_id: int) -> int | None:
    """The most urgent open case for a reader; None where there is none.

    Cases of other readers are left out, and those that wait for somebody else's second reading.

    Args:
        session: reading will do.
        exclude: cases to leave out too.
        reader_id: who asks.
    """
    read_already = exists().where(
        DecisionRow.study_id == StudyRow.id,
        DecisionRow.reader_id == reader_id,
        DecisionRow.round == StudyRow.round,
    )
    found = []
    # Two queries along an index each; with OR it would be none.
    for whose in (StudyRow.assignee_id.is_(None), StudyRow.assignee_id == reader_id):
        found += session.execute(
            select(StudyRow.rank_key, StudyRow.id)
            .where(
                StudyRow.open.is_(True),
                whose,
                StudyRow.id.not_in(exclude),
                (StudyRow.status != CaseStatus.NEEDS_SECOND_READER) | ~read_already,
            )
            .order_by(StudyRow.rank_key.desc(), StudyRow.id.desc())
            .limit(1)
        ).all()
    return max(found)[1] if found else None


def _assignees(session: Session, rows: list[StudyRow]) -> dict[int | None, UserRow]:
    wanted = {row.assignee_id for row in rows} - {None}
    found = session.scalars(select(UserRow).where(UserRow.id.in_(wanted))) if wanted else ()
    return {row.id: row for row in found}


@dataclass(frozen=True)
class _Place:
    """Where a page ended: the value of the order, None where it is unknown, and the case."""

    value: float | str | None
    study_id: int


class _Order:
    """The order of a query: reading along it, and where a page ended."""

    def __init__(self, query: WorklistQuery) -> None:
        self._name = f"{query.sort}{'-reverse' if query.reverse else ''}"
        self._column, largest_first = _ORDERS[query.sort]
        self._descending = largest_first is not query.reverse

    def read(
        self, session: Session, conditions: list[Condition], place: _Place | None, limit: int
    ) -> list[StudyRow]:
        """Cases after a place: those with a value, then those without."""
        found: list[StudyRow] = []
        for known in (True, False) if self._column.nullable else (True,):
            if known and place is not None and place.value is None:
                continue
            here = [self._column.is_not(None) if known else self._column.is_(None)]
            if place is not None and (place.value is not None) is known:
                here.append(self._after(place))
            if len(found) < limit:
                found += session.scalars(
                    select(StudyRow)
                    .where(*conditions, *here)
                    .order_by(*map(self._directed, (self._column, StudyRow.id)))
                    .limit(limit - len(found))
                )
        return found

    def _directed(self, column: Column) -> Column:
        return column.desc() if self._descending else column.asc()

    def _after(self, place: _Place) -> Condition:
        mine: Column = StudyRow.id
        there: Column = literal(place.study_id, StudyRow.id.type)
        if place.value is not None:
            mine = tuple_(self._column, StudyRow.id)
            there = tuple_(literal(place.value, self._column.type), there)
        return mine < there if self._descending else mine > there

    def sorted(self, rows: list[StudyRow]) -> list[StudyRow]:
        """Rows of several readings as one; like the databases, by the codes of the characters."""
        pairs = [(getattr(row, self._column.key), row.id, row) for row in rows]
        known = sorted((p for p in pairs if p[0] is not None), key=lambda p: p[:2])
        unknown = sorted((p for p in pairs if p[0] is None), key=lambda p: p[1])
        step = -1 if self._descending else 1
        return [row for _, _, row in [*known[::step], *unknown[::step]]]

    def cursor(self, row: StudyRow) -> str:
        """The place of a row, for whoever asks for the next page."""
        place = [self._name, getattr(row, self._column.key), row.id]
        return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()

    def place(self, cursor: str) -> _Place:
        """What :meth:`cursor` gave.

        Raises:
            InputError: it gave something else, or for another order.
        """
        try:
            name, value, study_id = json.loads(base64.urlsafe_b64decode(cursor))
            kinds = str if self._column is StudyRow.reference_folded else float
            if name != self._name or not is_row_number(study_id):
                raise ValueError(name)
            if value is None and not self._column.nullable:
                raise ValueError(value)
            if value is not None and not isinstance(value, kinds):
                raise ValueError(value)
        except (ValueError, TypeError, RecursionError) as error:
            raise InputError(
                "This page of the worklist is not known any more. Please start with the first one."
            ) from error
        return _Place(clean(value) if isinstance(value, str) else value, study_id)


@dataclass(frozen=True)
class _Filter:
    """A condition on cases.

    Attributes:
        condition: makes it, from a function that is applied to each column first.
        along_priority: whether an index holds those cases in the order of priority.
    """

    condition: Callable[[Callable[[Column], Column]], Condition]
    along_priority: bool


def _wanted_halves(query: WorklistQuery) -> set[bool]:
    """Whether open cases are wanted, or reported ones, or both. Reported ones wait no longer."""
    halves = {status is not CaseStatus.REPORTED for status in query.statuses} or {True}
    return halves & {True} if query.over_target else halves


def _filters(query: WorklistQuery, now: float, is_open: bool) -> Iterator[_Filter]:
    statuses = set(query.statuses) & _OPEN
    if is_open and statuses and statuses != _OPEN:
        yield _Filter(lambda c: c(StudyRow.status).in_(statuses), len(statuses) == 1)
    if query.predicted is not None:
        yield _Filter(lambda c: c(StudyRow.predicted) == str(query.predicted), True)
    if query.flagged:
        yield _Filter(lambda c: c(StudyRow.flagged).is_(True), True)
    if query.assignee_id is not None:
        yield _Filter(lambda c: c(StudyRow.assignee_id) == query.assignee_id, True)
    if query.unassigned:
        yield _Filter(lambda c: c(StudyRow.assignee_id).is_(None), True)
    if query.over_target:
        yield _Filter(lambda c: c(StudyRow.due_at) < now, False)
    number = _NUMBER.fullmatch(query.search.strip())
    start = folded_reference(query.search)
    if number:
        yield _Filter(lambda c: c(StudyRow.id) == int(number[1]), False)
    elif start:
        # A range instead of LIKE: an index knows it, and no character has a meaning of its own.
        yield _Filter(
            lambda c: c(StudyRow.reference_folded).between(start, start + _LAST_CHARACTER), False
        )


def _conditions(
    session: Session, query: WorklistQuery, now: float, is_open: bool
) -> list[Condition]:
    """The conditions of a query, written so that the cheaper one of two ways is taken."""
    half = StudyRow.open.is_(is_open)
    filters = list(_filters(query, now, is_open))
    by_priority = query.sort is SortKey.PRIORITY
    if not (by_priority and len(filters) == 1 and filters[0].along_priority):
        for one in filters:
            few = select(StudyRow.id).where(half, one.condition(_plain)).limit(_FEW + 1)
            numbers = list(session.scalars(few))
            if len(numbers) <= _FEW:
                return [StudyRow.id.in_(numbers), *(f.condition(_without_index) for f in filters)]
    return [
        half,
        *(
            f.condition(_plain if by_priority and f.along_priority else _without_index)
            for f in filters
        ),
    ]


def _plain(column: Column) -> Column:
    return column


def _without_index(column: Column) -> Column:
    """The same value, in words that keep SQLite from choosing an index of the column.

    It knows nothing of how many cases a filter leaves, and takes any index for a good one.
    """
    return func.coalesce(column, column)
