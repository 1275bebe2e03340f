"""The scans of a case as far as its priority depends on them: nothing else is read of them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.store.analyses import is_newest
from core.store.rows import finding_from
from core.store.slices import distinct
from core.store.tables import AnalysisRow, ImageRow, ScanRow
from core.types import ScanFinding, ScoringState


@dataclass(frozen=True)
class Standing:
    """A scan of a case.

    Attributes:
        scan_id: its row.
        series_id: the volume it is a slice of; None for a picture of its own.
        position_mm: where it lies along the normal of its slices; None where not known.
        taken: which acquisition of its series, and which of its objects; 0 where not said.
        frame: which picture of its file.
        state: how far the model is with it.
        finding: what the newest analysis says; None while there is none.
        thumbnail_key: small picture of that analysis, in the file store.
    """

    scan_id: int
    series_id: int | None
    position_mm: float | None
    taken: tuple[int, int]
    frame: int
    state: ScoringState
    finding: ScanFinding | None
    thumbnail_key: str | None


_SCAN = (
    ScanRow.id,
    ScanRow.series_id,
    ScanRow.position_mm,
    ScanRow.instance_uid,
    ScanRow.acquisition_number,
    ScanRow.instance_number,
    ImageRow.frame,
    ImageRow.state,
)
_ANALYSIS = (
    AnalysisRow.thumbnail_key,
    AnalysisRow.probabilities,
    AnalysisRow.predicted,
    AnalysisRow.tumour_probability,
    AnalysisRow.suspected,
    AnalysisRow.lesion,
    AnalysisRow.in_distribution,
    AnalysisRow.kind,
    AnalysisRow.model_version,
)


def standings(session: Session, study_id: int) -> list[Standing]:
    """A case's scans in the order of their receipt; slices that came together in their order.

    As in ``images.scans_of_study`` a slice that came several times is one.
    """
    rows = session.execute(
        select(*_SCAN, *_ANALYSIS)
        .select_from(ScanRow)
        .join(ImageRow, ImageRow.id == ScanRow.image_id)
        .outerjoin(AnalysisRow, is_newest())
        .where(ScanRow.study_id == study_id)
        .order_by(ScanRow.id)
    )
    once = distinct(
        rows,
        lambda row: (row.instance_uid, row.frame, row.position_mm),
        lambda row: ScoringState(row.state),
    )
    return [
        Standing(
            scan_id=row.id,
            series_id=row.series_id,
            position_mm=row.position_mm,
            taken=(row.acquisition_number or 0, row.instance_number or 0),
            frame=row.frame,
            state=ScoringState(row.state),
            finding=None if row.model_version is None else finding_from(row),
            thumbnail_key=row.thumbnail_key,
        )
        for row in once
    ]
