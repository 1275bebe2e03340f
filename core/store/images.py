"""Images, each stored and scored once, and the scans that say which cases they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from core.errors import InputError
from core.store.analyses import StoredAnalysis, analysis_from, is_newest
from core.store.rows import is_row_number, place_from, utc
from core.store.slices import distinct, received_before
from core.store.statements import lots
from core.store.tables import AnalysisRow, ImageRow, ScanRow
from core.store.upsert import insert_all_new
from core.types import ScoringState, SlicePlace

Spacing = tuple[float, float] | None


@dataclass(frozen=True)
class StoredScan:
    """An image as part of a case.

    Attributes:
        id: its row.
        study_id: the case.
        image_id: the image.
        content_key: its file's bytes in the file store.
        frame: which picture of the file; 0 where it holds one.
        source_format: the container, such as ``PNG``.
        height: in pixels.
        width: in pixels.
        spacing_mm: millimetres between rows and between columns, where known.
        state: how far the model is with it.
        failure: why it cannot be scored, in words; None where it can.
        received_at: when it came to the case, in UTC.
        analysis: the newest; None while there is none.
        series_id: the volume it is a slice of, see ``core.store.series``; None for a picture of
            its own.
        place: where in the patient it lies; None where that is not known.
        position_mm: where it lies along its normal; known without the pixel spacing too.
        instance_uid: of the DICOM object it came as; None for others.
        taken: which acquisition of its series, and which of its objects; 0 where not said.
    """

    id: int
    study_id: int
    image_id: int
    content_key: str
    frame: int
    source_format: str
    height: int
    width: int
    spacing_mm: tuple[float, float] | None
    state: ScoringState
    failure: str | None
    received_at: datetime
    analysis: StoredAnalysis | None
    series_id: int | None
    place: SlicePlace | None
    position_mm: float | None
    instance_uid: str | None
    taken: tuple[int, int]


@dataclass(frozen=True)
class NewScan:
    """An image as it comes to a case.

    Attributes:
        image_id: the image.
        series_id: the volume it is a slice of; None for a picture of its own.
        place: where in the patient it lies; None where that is not known.
        instance_uid: of the DICOM object it came as; None for others.
        taken: which acquisition of its series, and which of its objects.
        position_mm: where it lies along its normal, if that is known without its place.
    """

    image_id: int
    series_id: int | None = None
    place: SlicePlace | None = None
    instance_uid: str | None = None
    taken: tuple[int, int] | None = None
    position_mm: float | None = None

    @property
    def at_mm(self) -> float | None:
        """Where it lies along its normal; None where that is not known."""
        return self.position_mm if self.place is None else self.place.position_mm


def find_or_create_images(
    session: Session,
    *,
    content_key: str,
    frames: int = 1,
    source_format: str,
    height: int,
    width: int,
    spacing: Spacing | list[Spacing],
    queue_rank: float,
    now: float,
) -> list[tuple[int, bool]]:
    """The images of a file, in their order; new ones wait for the model from then on.

    Known ones that still wait move forward where they are more urgent now. They are locked until
    the end of the transaction: whoever links them to a case and whoever scores them come one after
    the other, so that the case learns of the score. Lock images before cases.

    Args:
        session: a transaction.
        content_key: of the file's bytes, which are in the file store already.
        frames: how many images the file holds.
        source_format: the container, such as ``PNG``.
        height: in pixels.
        width: in pixels.
        spacing: millimetres between rows and between columns, where known; of each image where
            they differ.
        queue_rank: larger is scored sooner.
        now: receipt, in seconds since 1970.

    Returns:
        The number of each, and whether it was made.
    """
    values = {
        "content_key": content_key,
        "source_format": source_format,
        "height": height,
        "width": width,
        "received_at": now,
        "state": str(ScoringState.QUEUED),
        "attempts": 0,
        "queue_rank": queue_rank,
    }
    each = spacing if isinstance(spacing, list) else [spacing] * frames
    names = ("spacing_row_mm", "spacing_column_mm")
    wanted = [
        values | {"frame": frame} | dict(zip(names, each[frame] or (None, None), strict=True))
        for frame in range(frames)
    ]
    made = set(insert_all_new(session, ImageRow, wanted, ("content_key", "frame"), ImageRow.id))
    found = session.scalars(
        select(ImageRow)
        .where(ImageRow.content_key == content_key, ImageRow.frame < frames)
        .order_by(ImageRow.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    for image in found:
        if image.state == ScoringState.QUEUED and image.queue_rank < queue_rank:
            image.queue_rank = queue_rank
    session.flush()
    return [(image.id, image.id in made) for image in sorted(found, key=lambda row: row.frame)]


def link_scans(
    session: Session, study_id: int, scans: Sequence[NewScan], now: float
) -> list[tuple[int, bool]]:
    """Images as scans of a case: the number of each, and whether it was none before.

    A slice that the case has already with other bytes is that scan. Lock the case before.
    """
    known = received_before(
        session, study_id, {one.image_id: (one.instance_uid, one.at_mm) for one in scans}
    )
    rows = [
        {
            "study_id": study_id,
            "image_id": scan.image_id,
            "received_at": now,
            "series_id": scan.series_id,
            "place": None if scan.place is None else asdict(scan.place),
            "position_mm": scan.at_mm,
            "instance_uid": scan.instance_uid,
            "acquisition_number": scan.taken and scan.taken[0],
            "instance_number": scan.taken and scan.taken[1],
        }
        for scan in scans
        if scan.image_id not in known
    ]
    made = set(insert_all_new(session, ScanRow, rows, ("study_id", "image_id"), ScanRow.id))
    wanted = [scan.image_id for scan in scans]
    found = dict(known)
    for part in lots(wanted):
        query = select(ScanRow.image_id, ScanRow.id)
        query = query.where(ScanRow.study_id == study_id, ScanRow.image_id.in_(part))
        found |= {image_id: scan_id for image_id, scan_id in session.execute(query)}
    return [(found[image_id], found[image_id] in made) for image_id in wanted]


def scans_of_study(session: Session, study_id: int) -> list[StoredScan]:
    """A case's scans in the order of their receipt, each with its newest analysis.

    A slice that came several times, see ``core.store.slices``, is one.
    """
    return _once(session, ScanRow.study_id == study_id)


def scans_of_series(session: Session, series_id: int) -> list[StoredScan]:
    """A volume's slices, as those of ``scans_of_study``."""
    return _once(session, ScanRow.series_id == series_id)


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


def get_scans(session: Session, scan_ids: Iterable[int]) -> dict[int, StoredScan]:
    """Some scans by their numbers, each with its newest analysis."""
    rows = [
        row for some in lots(sorted(scan_ids))
        for row in session.execute(_scans().where(ScanRow.id.in_(some)))
    ]  # fmt: skip
    return {scan.id: _scan(scan, *others) for scan, *others in rows}


def studies_of_image(session: Session, image_id: int) -> list[int]:
    """The cases an image belongs to, by number."""
    return [study_id for study_id, _ in places_of_image(session, image_id)]


def places_of_image(session: Session, image_id: int) -> list[tuple[int, int | None]]:
    """The cases an image belongs to, by number, and its series in each; None for pictures."""
    found = select(ScanRow.study_id, ScanRow.series_id).where(ScanRow.image_id == image_id)
    rows = session.execute(found.order_by(ScanRow.study_id))
    return [(study_id, series_id) for study_id, series_id in rows]


def _once(session: Session, wanted: ColumnElement[bool]) -> list[StoredScan]:
    rows = session.execute(_scans().where(wanted).order_by(ScanRow.id))
    return distinct(
        [_scan(*row) for row in rows],
        lambda scan: (scan.instance_uid, scan.frame, scan.position_mm),
        lambda scan: scan.state,
    )


def _scans() -> Select[tuple[ScanRow, ImageRow, AnalysisRow | None]]:
    return (
        select(ScanRow, ImageRow, AnalysisRow)
        .join(ImageRow, ImageRow.id == ScanRow.image_id)
        .outerjoin(AnalysisRow, is_newest())
    )


def _scan(scan: ScanRow, image: ImageRow, analysis: AnalysisRow | None) -> StoredScan:
    spacing = (image.spacing_row_mm, image.spacing_column_mm)
    return StoredScan(
        id=scan.id,
        study_id=scan.study_id,
        image_id=image.id,
        content_key=image.content_key,
        frame=image.frame,
        source_format=image.source_format,
        height=image.height,
        width=image.width,
        spacing_mm=None if None in spacing else spacing,
        state=ScoringState(image.state),
        failure=image.failure,
        received_at=utc(scan.received_at),
        analysis=None if analysis is None else analysis_from(analysis),
        series_id=scan.series_id,
        place=place_from(scan.place),
        position_mm=scan.position_mm,
        instance_uid=scan.instance_uid,
        taken=(scan.acquisition_number or 0, scan.instance_number or 0),
    )
