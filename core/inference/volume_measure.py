"""Size of the masked region of a volume: a stack of parallel slices, each with its own mask.

**Volume.** Each slice stands for the room between the planes half way to its neighbours (the
trapezoid rule); the first and the last one reach as far outwards as inwards. Distances are those
between the slices' middles, so that gaps between slices count, and slices need not be evenly
spaced. One slice has an area, but no volume.

**Longest diameter.** As in one slice (see ``measure``): the largest over all slices, in the plane
of the slices. An oblique or upright extent may be longer.

**Regions.** Pixels of one slice that touch, at corners too, belong together, and so do pixels that
lie over each other in neighbouring slices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.inference.measure import measure_lesion
from core.types import UInt8Array

_Labels = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class MaskedSlice:
    """One slice of a stack.

    Attributes:
        mask: uint8 (height, width), 0 where nothing is masked; None where nothing is in the slice.
        spacing_mm: millimetres between rows and between columns; None where unknown.
        position_mm: where the slice lies along the stack; None where unknown.
    """

    mask: UInt8Array | None
    spacing_mm: tuple[float, float] | None
    position_mm: float | None


@dataclass(frozen=True)
class VolumeMeasures:
    """Size of the masked region.

    Attributes:
        masked_slices: slices in which something is masked, 1 or more.
        regions: separate regions, 1 or more.
        diameter_px: longest diameter in the plane of the slices, in pixels.
        diameter_slice: index of the slice with it, in the order given.
        diameter_mm: longest diameter in millimetres; None where a masked slice has no spacing.
        volume_mm3: of all regions; None where spacing or positions are unknown, or for one slice.
        largest_mm3: volume of the largest region; None likewise.
    """

    masked_slices: int
    regions: int
    diameter_px: float
    diameter_slice: int
    diameter_mm: float | None = None
    volume_mm3: float | None = None
    largest_mm3: float | None = None


def measure_volume(slices: Iterable[MaskedSlice]) -> VolumeMeasures | None:
    """Measure the masked region.

    Args:
        slices: parallel, in the order of their positions; read one after the other, so that the
            masks need not be in memory together. Slices that were not analysed are left out: the
            trapezoid rule bridges them.

    Returns:
        Its size; None where nothing is masked.

    Raises:
        ValueError: the positions are not in order.
    """
    positions: list[float | None] = []
    found: list[_Measured] = []
    regions = _Regions()
    for index, one in enumerate(slices):
        positions.append(one.position_mm)
        regions.add(index, one.mask)
        lesion = None if one.mask is None else measure_lesion(one.mask, 0.0, one.spacing_mm)
        if lesion is not None:
            pixel = one.spacing_mm and one.spacing_mm[0] * one.spacing_mm[1]
            found.append(_Measured(index, pixel, lesion.diameter_px, lesion.diameter_mm))
    if not found:
        return None
    in_mm = all(one.diameter_mm is not None for one in found)
    longest = max(found, key=lambda one: (one.diameter_mm or 0) if in_mm else one.diameter_px)
    volumes = _volumes(found, regions, slice_extents(positions))
    return VolumeMeasures(
        masked_slices=len(found),
        regions=len(regions.areas()),
        diameter_px=longest.diameter_px,
        diameter_slice=longest.index,
        diameter_mm=longest.diameter_mm if in_mm else None,
        volume_mm3=sum(volumes) if volumes else None,
        largest_mm3=max(volumes) if volumes else None,
    )


def slice_extents(positions: Sequence[float | None]) -> list[float] | None:
    """How many millimetres of the stack each slice stands for; None where that is not known.

    Args:
        positions: of the slices along the stack in millimetres, in rising or falling order.

    Raises:
        ValueError: the positions are not in order.
    """
    if len(positions) < 2 or None in positions:
        return None
    steps = np.diff(np.array(positions, np.float64))
    if not ((steps >= 0).all() or (steps <= 0).all()):
        raise ValueError(f"positions must rise or fall; they go by steps of {steps.tolist()}")
    steps = np.abs(steps)
    if not steps.any():
        return None
    halves = np.concatenate([steps[:1], steps, steps[-1:]]) / 2
    return (halves[:-1] + halves[1:]).tolist()


@dataclass(frozen=True)
class _Measured:
    index: int
    pixel_mm2: float | None
    diameter_px: float
    diameter_mm: float | None


class _Regions:
    """Connected regions across slices, joined as the slices come."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        # Slice and area in pixels of each part, that is, of each region within one slice.
        self._parts: list[tuple[int, int]] = []
        self._before: tuple[_Labels, int] | None = None

    def add(self, index: int, mask: UInt8Array | None) -> None:
        """Add the next slice."""
        before, self._before = self._before, None
        if mask is None or not mask.any():
            return
        binary = (mask != 0).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(binary, connectivity=8)
        first = len(self._parents)
        self._parents += range(first, first + count - 1)
        self._parts += [(index, int(area)) for area in stats[1:, cv2.CC_STAT_AREA]]
        if before is not None and before[0].shape == labels.shape:
            self._join(*before, labels, first)
        self._before = labels, first

    def areas(self) -> dict[int, list[tuple[int, int]]]:
        """The parts of each region: slice and area in pixels."""
        found: dict[int, list[tuple[int, int]]] = {}
        for part, facts in enumerate(self._parts):
            found.setdefault(self._root(part), []).append(facts)
        return found

    def _join(self, below: _Labels, first_below: int, labels: _Labels, first: int) -> None:
        both = (below > 0) & (labels > 0)
        pairs = np.unique(np.stack([below[both], labels[both]], axis=1), axis=0)
        for one, other in pairs.tolist():
            self._parents[self._root(first + other - 1)] = self._root(first_below + one - 1)

    def _root(self, part: int) -> int:
        while self._parents[part] != part:
            self._parents[part] = self._parents[self._parents[part]]
            part = self._parents[part]
        return part


def _volumes(
    found: Sequence[_Measured], regions: _Regions, extents: Sequence[float] | None
) -> list[float]:
    """Volume of each region in mm3; empty where it is not known."""
    pixels = {one.index: one.pixel_mm2 for one in found}
    if extents is None or None in pixels.values():
        return []
    return [
        sum(area * (pixels[index] or 0.0) * extents[index] for index, area in parts)
        for parts in regions.areas().values()
    ]
