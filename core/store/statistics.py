"""Live figures of an installation: volume, agreement between readers and model, scores over time.

Days are days of UTC. Each figure reads the rows of its time alone, along an index. Simulated cases
are counted nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from sqlalchemy import (
    CTE,
    ColumnElement,
    Double,
    Integer,
    case,
    column,
    exists,
    func,
    select,
    values,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.store.simulated import simulated_cases
from core.store.tables import AnalysisRow, DecisionRow, ScanRow
from core.types import TumourClass

BINS = 10
_DAY = 86_400


@dataclass(frozen=True)
class DayVolume:
    """What happened on a day.

    Attributes:
        day: in UTC.
        received: scans that came.
        scored: images that the model looked at.
        decided: decisions of readers.
    """

    day: date
    received: int
    scored: int
    decided: int


@dataclass(frozen=True)
class AgreementCount:
    """How often readers said one class where the model had said another, or the same.

    Attributes:
        model_version: of the model that said so.
        model_finding: the class it gave.
        finding: the class the reader gave.
        count: readings; of a reader who changed their mind about a case, only the last.
    """

    model_version: str
    model_finding: TumourClass
    finding: TumourClass
    count: int


@dataclass(frozen=True)
class DayScores:
    """What the model said on a day.

    Attributes:
        day: in UTC.
        bins: analyses by tumour probability, ten bins of equal width from 0 to 1.
        unlike_training: analyses of scans unlike those of the training.
    """

    day: date
    bins: tuple[int, ...]
    unlike_training: int


def volume_per_day(session: Session, since: date, until: date) -> list[DayVolume]:
    """What happened on each day, both ends included."""
    days = _days(since, until)
    counts = [
        dict(
            session.execute(
                select(days.c.number, func.count())
                .join_from(days, at.class_, _within(at, days))
                .where(of_patients)
                .group_by(days.c.number)
            ).all()
        )
        for at, of_patients in (
            (ScanRow.received_at, ScanRow.study_id.not_in(simulated_cases())),
            (AnalysisRow.created_at, _of_patients()),
            (DecisionRow.decided_at, DecisionRow.study_id.not_in(simulated_cases())),
        )
    ]
    return [
        DayVolume(since + timedelta(number), *(count.get(number, 0) for count in counts))
        for number in range((until - since).days + 1)
    ]


def agreement(session: Session, since: float = 0) -> list[AgreementCount]:
    """Readings of cases that the model had scored, by what both said.

    Args:
        session: reading will do.
        since: only decisions from then on, in seconds since 1970.
    """
    last = (
        select(func.max(DecisionRow.id))
        .where(DecisionRow.decided_at >= since, DecisionRow.study_id.not_in(simulated_cases()))
        .group_by(DecisionRow.study_id, DecisionRow.round, DecisionRow.reader_id)
    )
    kinds = (DecisionRow.model_version, DecisionRow.model_finding, DecisionRow.finding)
    rows = session.execute(
        select(*kinds, func.count())
        .where(DecisionRow.id.in_(last), DecisionRow.model_finding.is_not(None))
        .group_by(*kinds)
        .order_by(*kinds)
    )
    return [
        AgreementCount(version, TumourClass(model), TumourClass(reader), count)
        for version, model, reader, count in rows
    ]


def scores_per_day(session: Session, since: date, until: date) -> list[DayScores]:
    """What the model said on each day, both ends included."""
    days = _days(since, until)
    probability = AnalysisRow.tumour_probability
    bounds = [number / BINS for number in range(BINS)] + [2.0]  # 1 belongs to the last bin
    bins = [
        func.sum(case(((probability >= low) & (probability < high), 1), else_=0))
        for low, high in pairwise(bounds)
    ]
    unlike = func.sum(case((AnalysisRow.in_distribution.is_(False), 1), else_=0))
    rows = session.execute(
        select(days.c.number, *bins, unlike)
        .join_from(days, AnalysisRow, _within(AnalysisRow.created_at, days))
        .where(_of_patients())
        .group_by(days.c.number)
    )
    found = {number: counts for number, *counts in rows}
    nothing = [0] * (BINS + 1)
    return [
        DayScores(since + timedelta(number), tuple(map(int, counts[:BINS])), int(counts[BINS]))
        for number in range((until - since).days + 1)
        for counts in [found.get(number, nothing)]
    ]


def _days(since: date, until: date) -> CTE:
    """The number of each day from ``since`` on, and when it begins and ends, as a table."""
    begins = datetime(since.year, since.month, since.day, tzinfo=UTC).timestamp()
    rows = [
        (number, begins + number * _DAY, begins + (number + 1) * _DAY)
        for number in range((until - since).days + 1)
    ]
    columns = (column("number", Integer), column("begins", Double), column("ends", Double))
    return values(*columns, name="days").data(rows).cte()


def _of_patients() -> ColumnElement[bool]:
    """Whether an analysis is of an image that some case holds which is not simulated."""
    return exists().where(
        ScanRow.image_id == AnalysisRow.image_id, ScanRow.study_id.not_in(simulated_cases())
    )


def _within(at: InstrumentedAttribute[float], days: CTE) -> ColumnElement[bool]:
    return (at >= days.c.begins) & (at < days.c.ends)
