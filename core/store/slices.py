"""Slices of a case: each counted once, and one volume for each picture of a place.

The same object may come twice with other bytes, compressed another way or exported again: it is the
same slice, unless it shows another place (there are programs that give all slices one UID).

A series may hold several pictures of each place, such as diffusion weights that only its maker's
own tags tell apart. They must not lie between each other in one volume: the k-th picture of each
place, in the order in which they were taken, belongs to the k-th volume.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core.store.statements import lots
from core.store.tables import ImageRow, ScanRow, SeriesRow
from core.types import ScoringState

# Object, frame in it, where it lies in mm.
Identity = tuple[str | None, int, float | None]

T = TypeVar("T")

_SAME_PLACE_MM = 0.05


def distinct(
    slices: Iterable[T], identity: Callable[[T], Identity], state: Callable[[T], ScoringState]
) -> list[T]:
    """Each slice once: the first one received, of those that the model does not fail at.

    Args:
        slices: of a case, in the order of their receipt; their order stays.
        identity: what makes one the same as another; those without an object are kept.
        state: how far the model is with one.
    """
    kept: list[T] = []
    seen = _Seen()
    for one in slices:
        at = seen.find(identity(one))
        if at is None:
            seen.add(identity(one), len(kept))
            kept.append(one)
        elif state(kept[at]) is ScoringState.FAILED is not state(one):
            kept[at] = one
    return kept


def parts(
    slices: Sequence[T],
    identity: Callable[[T], Identity],
    taken: Callable[[T], tuple[int, int]],
) -> list[int]:
    """Of which part of a volume each of its slices is, counted from 0.

    The same object at the same place is of the same part, however often it is there.

    Args:
        slices: of one volume, in the order of their receipt.
        identity: of one; those without an object or a position are of the first part.
        taken: which acquisition of the series, and which of its objects; 0 where not said.
    """
    found = [0] * len(slices)
    placed = []
    for index, one in enumerate(slices):
        uid, frame, position = identity(one)
        if uid is not None and position is not None:
            placed.append((position, (*taken(one), frame, index), (uid, frame)))
    placed.sort()
    for place in _places(placed, lambda one: one[0]):
        order: dict[tuple[str, int], int] = {}
        for _, (*_, index), same in sorted(place, key=lambda one: one[1]):
            found[index] = order.setdefault(same, len(order))
    return found


def parted_notice(part: int) -> str:
    """What a reader should know of a part of a volume, counted from 0."""
    return (
        f"The series shows the same places several times. Part {part + 1} of them, by their "
        "numbers."
    )


def received_before(
    session: Session, study_id: int, slices: Mapping[int, tuple[str | None, float | None]]
) -> dict[int, int]:
    """Which slices a case has already, though perhaps with other bytes. Lock the case before.

    One that the model failed at does not count: what is sent instead of it is welcome.

    Args:
        session: a transaction.
        study_id: the case.
        slices: object and place in mm, by the numbers of their images.

    Returns:
        By the numbers of the images, that of the scan that is there.
    """
    objects = {uid for uid, _ in slices.values() if uid is not None}
    if not objects:
        return {}
    frames: dict[int, int] = {}
    for some in lots(list(slices)):
        query = select(ImageRow.id, ImageRow.frame).where(ImageRow.id.in_(some))
        frames |= {image_id: frame for image_id, frame in session.execute(query)}
    rows = session.execute(
        select(ScanRow.id, ScanRow.instance_uid, ImageRow.frame, ScanRow.position_mm)
        .join(ImageRow, ImageRow.id == ScanRow.image_id)
        .where(ScanRow.study_id == study_id, ScanRow.instance_uid.in_(objects))
        .where(ImageRow.state != str(ScoringState.FAILED))
        .order_by(ScanRow.id.desc())
    )
    seen = _Seen()
    for scan_id, *identity in rows:
        seen.add(tuple(identity), scan_id)
    found = {n: seen.find((uid, frames[n], position)) for n, (uid, position) in slices.items()}
    return {image_id: scan_id for image_id, scan_id in found.items() if scan_id is not None}


def drop_unused(session: Session, image_ids: Sequence[int]) -> None:
    """Forget those of some images made in this transaction that became no scan of a case."""
    used = select(ScanRow.id).where(ScanRow.image_id == ImageRow.id).exists()
    for some in lots(image_ids):
        session.execute(delete(ImageRow).where(ImageRow.id.in_(some), ~used))


def part_volumes(session: Session, series_id: int) -> None:
    """Give each picture of a place a volume of its own. Lock the case before.

    Args:
        session: a transaction.
        series_id: the volume to which slices were added.
    """
    base = session.get_one(SeriesRow, series_id)
    family = {
        row.stack: row.id
        for row in session.scalars(
            select(SeriesRow).where(
                SeriesRow.study_id == base.study_id, SeriesRow.stack.startswith(f"{base.stack}#")
            )
        )
    }
    rows = session.execute(
        select(
            ScanRow.id,
            ScanRow.series_id,
            ScanRow.position_mm,
            ScanRow.acquisition_number,
            ScanRow.instance_number,
            ScanRow.instance_uid,
            ImageRow.frame,
        )
        .join(ImageRow, ImageRow.id == ScanRow.image_id)
        .where(ScanRow.series_id.in_([series_id, *family.values()]))
        .order_by(ScanRow.id)
    ).all()
    moved: dict[int, list[int]] = {}
    of_part = parts(
        rows,
        lambda row: (row.instance_uid, row.frame, row.position_mm),
        lambda row: (row.acquisition_number or 0, row.instance_number or 0),
    )
    for row, part in zip(rows, of_part, strict=True):
        if row.series_id != (series_id if part == 0 else family.get(f"{base.stack}#{part}")):
            moved.setdefault(part, []).append(row.id)
    for part, scan_ids in sorted(moved.items()):
        volume = series_id if part == 0 else _part(session, base, part)
        for some in lots(scan_ids):
            session.execute(update(ScanRow).where(ScanRow.id.in_(some)).values(series_id=volume))


def _part(session: Session, base: SeriesRow, part: int) -> int:
    """The volume of the pictures taken later, made where there is none."""
    stack = f"{base.stack}#{part}"
    found = session.scalar(
        select(SeriesRow.id).where(SeriesRow.study_id == base.study_id, SeriesRow.stack == stack)
    )
    if found is not None:
        return found
    notices = [one for one in base.notices if one != parted_notice(0)]
    base.notices = [*notices, parted_notice(0)]
    copied = {
        column.key: getattr(base, column.key)
        for column in SeriesRow.__table__.columns
        if column.key != "id"
    }
    row = SeriesRow(**copied | {"stack": stack, "notices": [*notices, parted_notice(part)]})
    session.add(row)
    session.flush()
    return row.id


def _places(rows: Sequence[T], position: Callable[[T], float]) -> list[list[T]]:
    """Rows in the order of their positions, those of one place together."""
    places: list[list[T]] = []
    for row in rows:
        if places and position(row) - position(places[-1][0]) <= _SAME_PLACE_MM:
            places[-1].append(row)
        else:
            places.append([row])
    return places


class _Seen:
    """Slices by what makes them the same."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], list[tuple[float | None, int]]] = {}

    def add(self, identity: Identity, value: int) -> None:
        uid, frame, position = identity
        if uid is not None:
            self._found.setdefault((uid, frame), []).append((position, value))

    def find(self, identity: Identity) -> int | None:
        """The value added last of those at the same place."""
        uid, frame, position = identity
        for other, value in reversed(self._found.get((uid, frame), ()) if uid else ()):
            if position is None or other is None:
                if position is other:
                    return value
            elif abs(position - other) <= _SAME_PLACE_MM:
                return value
        return None
