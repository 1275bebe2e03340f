"""Series: the slices of a study that lie side by side and make up one volume."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.errors import InputError
from core.store.rows import clean, is_row_number
from core.store.tables import SeriesRow
from core.store.upsert import insert_new
from core.types import Plane, SeriesFacts

Origin = Literal["upload", "node"]

# The columns' widths. What is longer is no UID, no code and no name of a sequence.
_NAME_LENGTH = 40
_UID_LENGTH, _CODE_LENGTH, _SEQUENCE_LENGTH = 64, 16, 120


@dataclass(frozen=True)
class StoredSeries:
    """A volume of a case.

    Attributes:
        id: its row; slices name it as ``StoredScan.series_id``.
        study_id: the case.
        study_uid: UID of the study, as in the stored files.
        series_uid: UID of the series, as in the stored files.
        source_format: the container, such as ``DICOM``.
        sequence: what kind of pictures, such as ``T1 with contrast``; None where not known.
        plane: nearest anatomical plane; None where the orientation is not known.
        number: number of the series in its study; None where there is none.
        notices: what a reader should know of its files, in words.
        origin: how its first slice came: ``upload`` or ``node``.
    """

    id: int
    study_id: int
    study_uid: str
    series_uid: str
    source_format: str
    sequence: str | None
    plane: Plane | None
    number: int | None
    notices: tuple[str, ...]
    origin: Origin


def find_or_create_series(
    session: Session, study_id: int, facts: SeriesFacts, *, source_format: str, origin: Origin
) -> tuple[int, bool]:
    """The volume of a case that a slice with these facts belongs to, made where there is none.

    A known one takes the notices that it did not have yet. Lock the case before.

    Args:
        session: a transaction.
        study_id: the case.
        facts: what the slice's file says.
        source_format: the container, such as ``DICOM``.
        origin: how the slice came.

    Returns:
        Its number, and whether it was made.
    """
    # A volume is named after what its slices have in common, and a number for those among them
    # whose figures do not fit; ``slices.part_volumes`` adds another for its parts.
    name = hashlib.sha256(facts.stack.encode("utf-8", "replace")).hexdigest()[:_NAME_LENGTH]
    alike = session.scalars(
        select(SeriesRow)
        .where(SeriesRow.study_id == study_id, SeriesRow.stack.startswith(f"{name}."))
        .order_by(SeriesRow.id)
        .execution_options(populate_existing=True)
    ).all()
    alike = [row for row in alike if "#" not in row.stack]
    fitting = [row.stack for row in alike if facts.fits(row.measured or ())]
    stack = fitting[0] if fitting else f"{name}.{len(alike)}"
    frame_of_reference = facts.frame_of_reference_uid
    values = {
        "study_id": study_id,
        "stack": stack,
        "measured": list(facts.measured),
        "study_uid": clean(facts.study_uid)[:_UID_LENGTH],
        "series_uid": clean(facts.series_uid)[:_UID_LENGTH],
        "source_format": source_format,
        "modality": clean(facts.modality)[:_CODE_LENGTH],
        "sequence": None if facts.sequence is None else clean(facts.sequence)[:_SEQUENCE_LENGTH],
        "plane": None if facts.plane is None else str(facts.plane),
        "number": facts.number,
        "frame_of_reference_uid": frame_of_reference and clean(frame_of_reference)[:_UID_LENGTH],
        "notices": [clean(notice) for notice in facts.notices],
        "origin": origin,
    }
    created = insert_new(session, SeriesRow, values, unique=("study_id", "stack"))
    row = session.scalars(
        select(SeriesRow)
        .where(SeriesRow.study_id == study_id, SeriesRow.stack == stack)
        .execution_options(populate_existing=True)
    ).one()
    added = [notice for notice in values["notices"] if notice not in row.notices]
    if added:
        row.notices = [*row.notices, *added]
        session.flush()
    return row.id, created


def add_notice(session: Session, series_id: int, notice: str) -> None:
    """Have a volume say something more of its files. Lock the case before."""
    row = session.get_one(SeriesRow, series_id)
    if clean(notice) not in row.notices:
        row.notices = [*row.notices, clean(notice)]
        session.flush()


def drop(session: Session, series_ids: Sequence[int]) -> None:
    """Forget volumes made in this transaction that no slice became part of."""
    if series_ids:
        session.execute(delete(SeriesRow).where(SeriesRow.id.in_(series_ids)))


def series_of_study(session: Session, study_id: int) -> list[StoredSeries]:
    """A case's volumes, in the order of their numbers in the study, then of their receipt."""
    found = select(SeriesRow).where(SeriesRow.study_id == study_id)
    order = (SeriesRow.number.is_(None), SeriesRow.number, SeriesRow.id)
    return [_series(row) for row in session.scalars(found.order_by(*order))]


def get_series(session: Session, series_id: int) -> StoredSeries:
    """One volume.

    Raises:
        InputError: there is no such volume.
    """
    row = session.get(SeriesRow, series_id) if is_row_number(series_id) else None
    if row is None:
        raise InputError(
            f"There is no series with the number {series_id}. Please open the case again."
        )
    return _series(row)


def _series(row: SeriesRow) -> StoredSeries:
    return StoredSeries(
        id=row.id,
        study_id=row.study_id,
        study_uid=row.study_uid,
        series_uid=row.series_uid,
        source_format=row.source_format,
        sequence=row.sequence,
        plane=None if row.plane is None else Plane(row.plane),
        number=row.number,
        notices=tuple(row.notices),
        origin="node" if row.origin == "node" else "upload",
    )
