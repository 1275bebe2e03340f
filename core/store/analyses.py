"""Analyses as they are read: what one model version says of one image."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import aliased

from core.store.rows import finding_from, utc
from core.store.tables import AnalysisRow, ImageRow
from core.types import ScanFinding, TumourClass


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


def is_newest() -> ColumnElement[bool]:
    """Whether an analysis is the newest of its image; to join analyses with images by."""
    other = aliased(AnalysisRow)
    newest = select(func.max(other.id)).where(other.image_id == ImageRow.id).correlate(ImageRow)
    return AnalysisRow.id == newest.scalar_subquery()


def analysis_from(row: AnalysisRow) -> StoredAnalysis:
    """What a row says."""
    return StoredAnalysis(
        id=row.id,
        finding=finding_from(row),
        decision_threshold=row.decision_threshold,
        ood_score=row.ood_score,
        mask_key=row.mask_key,
        heat_map_keys={TumourClass(name): key for name, key in row.heat_map_keys.items()},
        thumbnail_key=row.thumbnail_key,
        elapsed_ms=row.elapsed_ms,
        created_at=utc(row.created_at),
    )
