"""Images, each stored and scored once, and the scans that say which cases they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from core.errors import InputError
from core.store.rows import is_row_number, lesion_from, utc
from core.store.tables import AnalysisRow, ImageRow, ScanRow
from core.store.upsert import insert_new
from core.types import ScanFinding, ScanKind, ScoringState, TumourClass


@dataclass(frozen=True)
class StoredAnalysis:
    """What one model version says of an image.

    Attributes:
        id: its row.
        finding: what triage looks at.
        decision_threshold: tumour probability from which a tumour is suspected.
        ood_score: out-of-distribution score; higher is stranger.
        mask_key: the mask in the file store.
        heat_map_keys: the heat map of each class in the file store.
        thumbnail_key: the small picture with the overlay in the file store.
        elapsed_ms: time spent on the image.
        created_at: when, in UTC.
    """

    id: int
    finding: ScanFinding
    decision_threshold: float
    ood_score: float
    mask_key: str
    heat_map_keys: dict[TumourClass, str]
    thumbnail_key: str
    elapsed_ms: float
    created_at: datetime


@dataclass(frozen=True)
class StoredScan:
    """An image as part of a case.

    Attributes:
        id: its row.
        study_id: the case.
        image_id: the image.
        content_key: its bytes in the file store.
        source_format: the container, such as ``PNG``.
        height: in pixels.
        width: in pixels.
        spacing_mm: millimetres between rows and between columns, where known.
        state: how far the model is with it.
        failure: why it cannot be scored, in words; None where it can.
        received_at: when it came to the case, in UTC.
        analysis: the newest; None while there is none.
    """

    id: int
    study_id: int
    image_id: int
    content_key: str
    source_format: str
    height: int
    width: int
    spacing_mm: tuple[float, float] | None
    state: ScoringState
    failure: str | None
    received_at: datetime
    analysis: StoredAnalysis | None


def find_or_create_image(
    session: Session,
    *,
    content_key: str,
    source_format: str,
    height: int,
    width: int,
    spacing: tuple[float, float] | None,
    queue_rank: float,
    now: float,
) -> tuple[int, bool]:
    """The image with that content; a new one waits for the model from then on.

    A known one that still waits moves forward where it is more urgent now. It is locked until the
    end of the transaction: whoever links it to a case and whoever scores it come one after the
    other, so that the case learns of the score. Lock images before cases.

    Args:
        session: a transaction.
        content_key: of its bytes, which are in the file store already.
        source_format: the container, such as ``PNG``.
        height: in pixels.
        width: in pixels.
        spacing: millimetres between rows and between columns, where known.
        queue_rank: larger is scored sooner.
        now: receipt, in seconds since 1970.

    Returns:
        Its number, and whether it was made.
    """
    row_mm, column_mm = spacing or (None, None)
    values = {
        "content_key": content_key,
        "source_format": source_format,
        "height": height,
        "width": width,
        "spacing_row_mm": row_mm,
        "spacing_column_mm": column_mm,
        "received_at": now,
        "state": str(ScoringState.QUEUED),
        "attempts": 0,
        "queue_rank": queue_rank,
    }
    created = insert_new(session, ImageRow, values, unique=("content_key",))
    image = session.scalars(
        select(ImageRow)
        .where(ImageRow.content_key == content_key)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    if image.state == ScoringState.QUEUED and image.queue_rank < queue_rank:
        image.queue_rank = queue_rank
        session.flush()
    return image.id, created


def link_scan(session: Session, study_id: int, image_id: int, now: float) -> tuple[int, bool]:
    """The image as a scan of the case; its number, and whether it was none before."""
    values = {"study_id": study_id, "image_id": image_id, "received_at": now}
    created = insert_new(session, ScanRow, values, unique=("study_id", "image_id"))
    scan_id = session.execute(
        select(ScanRow.id).where(ScanRow.study_id == study_id, ScanRow.image_id == image_id)
    ).scalar_one()
    return scan_id, created


def scans_of_study(session: Session, study_id: int) -> list[StoredScan]:
    """A case's scans in the order of their receipt, each with its newest analysis."""
    rows = session.execute(_scans().where(ScanRow.study_id == study_id).order_by(ScanRow.id))
    return [_scan(*row) for row in rows]


def get_scan(session: Session, scan_id: int) -> StoredScan:
    """One scan with its newest analysis.

    Raises:
        InputError: there is no such scan.
    """
    query = _scans().where(ScanRow.id == scan_id)
    row = session.execute(query).first() if is_row_number(scan_id) else None
    if row is None:
        raise InputError(f"There is no scan with the number {scan_id}. Please open the case again.")
    return _scan(*row)


def studies_of_image(session: Session, image_id: int) -> list[int]:
    """The cases an image belongs to, by number."""
    found = select(ScanRow.study_id).where(ScanRow.image_id == image_id)
    return list(session.scalars(found.order_by(ScanRow.study_id)))


def _scans() -> Select[tuple[ScanRow, ImageRow, AnalysisRow | None]]:
    other = aliased(AnalysisRow)
    newest = select(func.max(other.id)).where(other.image_id == ImageRow.id).correlate(ImageRow)
    return (
        select(ScanRow, ImageRow, AnalysisRow)
        .join(ImageRow, ImageRow.id == ScanRow.image_id)
        .outerjoin(AnalysisRow, AnalysisRow.id == newest.scalar_subquery())
    )


def _scan(scan: ScanRow, image: ImageRow, analysis: AnalysisRow | None) -> StoredScan:
    spacing = (image.spacing_row_mm, image.spacing_column_mm)
    return StoredScan(
        id=scan.id,
        study_id=scan.study_id,
        image_id=image.id,
        content_key=image.content_key,
        source_format=image.source_format,
        height=image.height,
        width=image.width,
        spacing_mm=None if None in spacing else spacing,
        state=ScoringState(image.state),
        failure=image.failure,
        received_at=utc(scan.received_at),
        analysis=None if analysis is None else _analysis(analysis),
    )


def _analysis(row: AnalysisRow) -> StoredAnalysis:
    finding = ScanFinding(
        probabilities={TumourClass(name): p for name, p in row.probabilities.items()},
        predicted=TumourClass(row.predicted),
        tumour_probability=row.tumour_probability,
        suspected=row.suspected,
        lesion=lesion_from(row.lesion),
        in_distribution=row.in_distribution,
        kind=ScanKind(row.kind),
        model_version=row.model_version,
    )
    return StoredAnalysis(
        id=row.id,
        finding=finding,
        decision_threshold=row.decision_threshold,
        ood_score=row.ood_score,
        mask_key=row.mask_key,
        heat_map_keys={TumourClass(name): key for name, key in row.heat_map_keys.items()},
        thumbnail_key=row.thumbnail_key,
        elapsed_ms=row.elapsed_ms,
        created_at=utc(row.created_at),
    )
