"""What readers found, for training: reported cases and the images they are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.store.rows import utc
from core.store.simulated import simulated_cases
from core.store.statements import lots
from core.store.tables import DecisionRow, ImageRow, ScanRow, StudyRow
from core.types import CaseStatus, TumourClass


@dataclass(frozen=True)
class ReportedCase:
    """A reported case.

    Attributes:
        id: its number.
        patient: the folded patient reference; None where none was given.
        finding: the readers' last word.
        model_finding: what the model had said; None where it had said nothing.
        model_version: of the model that said so.
        decided_at: when the last decision was made, in UTC.
        readers: how many readers decided in the present round.
        scan_count: scans of the case.
    """

    id: int
    patient: str | None
    finding: TumourClass
    model_finding: TumourClass | None
    model_version: str | None
    decided_at: datetime
    readers: int
    scan_count: int


def reported_cases(session: Session, *, overridden_only: bool) -> list[ReportedCase]:
    """Reported cases in the order of their last decision, without the simulated ones.

    Args:
        session: reading will do.
        overridden_only: only those where the readers' last word differs from what the model said.
    """
    last = (
        select(
            func.max(DecisionRow.id).label("id"),
            func.count(DecisionRow.reader_id.distinct()).label("readers"),
        )
        .join(StudyRow, StudyRow.id == DecisionRow.study_id)
        .where(
            StudyRow.status == str(CaseStatus.REPORTED),
            DecisionRow.round == StudyRow.round,
            StudyRow.id.not_in(simulated_cases()),
        )
        .group_by(DecisionRow.study_id)
        .subquery()
    )
    query = (
        select(DecisionRow, StudyRow.reference_folded, StudyRow.scan_count, last.c.readers)
        .join(last, last.c.id == DecisionRow.id)
        .join(StudyRow, StudyRow.id == DecisionRow.study_id)
        .order_by(DecisionRow.id)
    )
    if overridden_only:
        query = query.where(DecisionRow.finding != DecisionRow.model_finding)
    return [
        ReportedCase(
            id=row.study_id,
            patient=patient,
            finding=TumourClass(row.finding),
            model_finding=None if row.model_finding is None else TumourClass(row.model_finding),
            model_version=row.model_version,
            decided_at=utc(row.decided_at),
            readers=readers,
            scan_count=scan_count,
        )
        for row, patient, scan_count, readers in session.execute(query)
    ]


def images_of_cases(session: Session, study_ids: list[int]) -> Iterator[tuple[int, str, str]]:
    """Case, content key and container of each picture of some cases, in the order of the cases.

    Slices of volumes are left out: what readers found is said of the case, and most slices of a
    volume show nothing of it.
    """
    for part in lots(study_ids):
        rows = session.execute(
            select(ScanRow.study_id, ImageRow.content_key, ImageRow.source_format)
            .join(ImageRow, ImageRow.id == ScanRow.image_id)
            .where(ScanRow.study_id.in_(part), ScanRow.series_id.is_(None))
            .order_by(ScanRow.id)
        ).all()
        place = {study_id: number for number, study_id in enumerate(part)}
        yield from sorted(((r[0], r[1], r[2]) for r in rows), key=lambda row: place[row[0]])
