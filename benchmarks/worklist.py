"""``python -m benchmarks.worklist``: the worklist with 1,000 and with 1,000,000 cases.

Half of the cases are open, which is far more than any department has, and all were received within
30 days. SQLite lies in a temporary folder; where ``NEUROTRIAGE_DATABASE_URL`` is set, an empty
PostgreSQL database is measured too. It is filled, so give one of its own for each size, with
``SIZE`` in its name standing for the size: ``postgresql://.../bench_SIZE``.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection, String, case, cast, func, literal, select
from sqlalchemy.orm import Session

from benchmarks.machine import BUSY_SHARE, busy_share
from core.config import PriorityRules, settings
from core.store.counters import CounterState, apply_change, counters
from core.store.database import Database
from core.store.tables import ImageRow, ScanRow, StudyRow, UserRow
from core.store.worklist import next_case, worklist_page
from core.triage.queueing import rate_per_second
from core.types import (
    CLASSES,
    Band,
    CaseStatus,
    Lesion,
    SortKey,
    TumourClass,
    WorklistQuery,
)

SIZES = (1_000, 1_000_000)
ROUNDS = 25
READERS = 8
LATER = 40  # pages on

_RULES = PriorityRules()
_NOW = 1_800_000_000.0
_DAYS = 30
_TARGETS = (
    _RULES.immediate_target_minutes,
    _RULES.soon_target_minutes,
    _RULES.routine_target_minutes,
)
_ROWS_AT_ONCE = 10_000

Task = Callable[[Session], object]


def main(
    largest: Annotated[int, typer.Option(help="Cases of the large store.")] = SIZES[1],
) -> None:
    """Milliseconds of what the first page of the application asks for."""
    if (busy := busy_share()) > BUSY_SHARE:
        typer.echo(f"Other programs use {busy:.0%} of this machine: figures may be too large.")
    sizes = (min(SIZES[0], largest), largest)
    with tempfile.TemporaryDirectory() as folder:
        _compare("SQLite", sizes, lambda size: f"sqlite:///{Path(folder) / f'{size}.db'}")
    if address := settings().database_url.get_secret_value():
        _compare("PostgreSQL", sizes, lambda size: address.replace("SIZE", str(size)))


def _compare(title: str, sizes: tuple[int, int], address: Callable[[int], str]) -> None:
    stores = []
    for size in sizes:
        started = time.perf_counter()
        database = Database.open(address(size))
        fill(database, size)
        stores.append(database)
        typer.echo(f"{title}: {size:,} cases filled in {time.perf_counter() - started:.0f} s")
    for name, task in tasks().items():
        small, large = (_least_ms(database, task) for database in stores)
        typer.echo(f"  {name:<34} {small:8.2f} ms {large:8.2f} ms   ratio {large / small:6.2f}")
    for database in stores:
        database.close()


def tasks() -> dict[str, Task]:
    """What is measured, by name."""
    first = WorklistQuery()
    return {
        "first page": _page(first),
        f"page {LATER + 1}": _page_after(first, LATER),
        "counters": lambda session: counters(session, _NOW),
        "next case": lambda session: next_case(session, exclude={1, 2, 3}, reader_id=1),
        "flagged": _page(replace(first, flagged=True)),
        "one class, largest lesion first": _page(
            replace(first, predicted=TumourClass.GLIOMA, sort=SortKey.LESION_SIZE)
        ),
        "over target, longest wait first": _page(
            replace(first, over_target=True, sort=SortKey.WAITING)
        ),
        "own cases": _page(replace(first, assignee_id=1)),
        "failed": _page(replace(first, statuses=(CaseStatus.FAILED,))),
        "search by reference": _page(replace(first, search="p0000007")),
        "search by number": _page(replace(first, search="#500", statuses=tuple(CaseStatus))),
        "reported, by tumour probability": _page(
            replace(first, statuses=(CaseStatus.REPORTED,), sort=SortKey.TUMOUR_PROBABILITY)
        ),
    }


def _page(query: WorklistQuery) -> Task:
    rate = rate_per_second(_RULES)
    return lambda session: worklist_page(session, query, _NOW, rate, _RULES.amber_share)


def _page_after(query: WorklistQuery, pages: int) -> Task:
    """The page after so many; the way there is gone once for each store and not measured."""
    cursors: dict[str, str] = {}

    def task(session: Session) -> object:
        store = str(session.get_bind())
        if store not in cursors:
            at = query
            for _ in range(pages):
                cursor = _page(at)(session).cursor or at.after
                at = replace(at, after=cursor)
            cursors[store] = at.after
        return _page(replace(query, after=cursors[store]))(session)

    return task


def _least_ms(database: Database, task: Task) -> float:
    """The quickest round: other programs can only make it slower."""
    times = []
    for _ in range(ROUNDS):
        with database.reading() as session:
            session.connection()
            started = time.perf_counter()
            task(session)
            times.append(time.perf_counter() - started)
    return min(times) * 1000


def fill(database: Database, size: int) -> None:
    """Put so many cases, each with one scored scan, into an empty store."""
    with database.transaction() as session:
        if session.scalar(select(func.count()).select_from(StudyRow)):
            raise typer.BadParameter("The database is not empty.", param_hint="database_url")
        for number in range(1, READERS + 1):
            session.add(
                UserRow(
                    id=number, subject=f"local:{number}", name=f"Reader {number}",
                    verified=False, created_at=_NOW,
                )
            )  # fmt: skip
        session.flush()
        connection = session.connection()
        # Indices are made afterwards: row by row they would take most of the time.
        indices = [i for table in (StudyRow, ImageRow, ScanRow) for i in table.__table__.indexes]
        for index in indices:
            index.drop(connection)
        rng = random.Random(0)
        _insert_cases(connection, _counted(session, (_case(rng, n + 1) for n in range(size))))
        for table, values in ((ImageRow, _IMAGE), (ScanRow, _SCAN)):
            source = select(*values.values())
            connection.execute(table.__table__.insert().from_select(list(values), source))
        for index in indices:
            index.create(connection)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE")  # as its autovacuum does by itself


_IMAGE: dict[str, Any] = {
    "id": StudyRow.id,
    "content_key": cast(StudyRow.id, String),
    "frame": literal(0),
    "source_format": literal("PNG"),
    "height": literal(256),
    "width": literal(256),
    "received_at": StudyRow.received_at,
    "state": case((StudyRow.scored_count == 1, literal("scored")), else_=literal("queued")),
    "attempts": literal(1),
    "queue_rank": StudyRow.rank_key,
}
_SCAN: dict[str, Any] = {
    "id": StudyRow.id,
    "study_id": StudyRow.id,
    "image_id": StudyRow.id,
    "received_at": StudyRow.received_at,
}


def _case(rng: random.Random, number: int) -> dict[str, Any]:
    """A case as scoring would have left it; a few hundred at most still wait for the model."""
    status = CaseStatus.REPORTED if rng.random() < 0.5 else _status(rng)
    received_at = _NOW - rng.random() * _DAYS * 86_400
    score = rng.uniform(0, 100)
    predicted = rng.choice(CLASSES)
    tumour = predicted is not TumourClass.NO_TUMOR
    area = rng.uniform(0.001, 0.1) if tumour and rng.random() < 0.9 else None
    minutes = rng.choice(_TARGETS)
    return {
        "id": number,
        "study_key": f"case {number}",
        "patient_reference": f"P{number // 2:08}",
        "reference_folded": f"p{number // 2:08}",
        "study_date": None,
        "site": None,
        "indication": None,
        "requested": "routine",
        "urgency": None,
        "received_at": received_at,
        "due_at": received_at + minutes * 60,
        "status": str(status),
        "open": status is not CaseStatus.REPORTED,
        "flagged": rng.random() < 0.05,
        "assignee_id": rng.randint(1, READERS) if rng.random() < 0.1 else None,
        "reported_at": received_at + 3600 if status is CaseStatus.REPORTED else None,
        "version": 1,
        "round": 1,
        "score": score,
        "rank_key": score - rate_per_second(_RULES) * received_at,
        "band": str(Band.ROUTINE),
        "reasons": [{"code": "class", "text": f"{predicted} is likely.", "points": score}],
        "scan_count": 1,
        "scored_count": 0 if number % 2_000 == 0 else 1,
        "failed_count": 0,
        "leading_scan_id": number,
        "predicted": str(predicted),
        "probability": 0.8,
        "tumour_probability": rng.random(),
        "lesion": None if area is None else asdict(Lesion(100, 12.5, area)),
        "lesion_fraction": area,
        "thumbnail_key": None,
        "model_version": "model-1",
    }


def _status(rng: random.Random) -> CaseStatus:
    if rng.random() < 0.001:
        return CaseStatus.FAILED
    return CaseStatus.IN_REVIEW if rng.random() < 0.01 else CaseStatus.NEW


def _counted(session: Session, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        status = CaseStatus(row["status"])
        state = CounterState(status, row["flagged"], row["received_at"], row["due_at"])
        apply_change(session, None, state)
        yield row


def _insert_cases(connection: Connection, rows: Iterator[dict[str, Any]]) -> None:
    insert = StudyRow.__table__.insert()
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        connection.execute(insert, batch)


if __name__ == "__main__":
    typer.run(main)
