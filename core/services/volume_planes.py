"""A series as a volume of equal steps in all directions: what the three orthogonal views show.

It is made for an overview: 8 bits, and at most 192 steps a side, so that a browser holds it and
moves through it without the server. The volume keeps the slices' own axes, turned and mirrored so
that they come as near as they can to the patient's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

import cv2
import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.types import BoolArray, FloatArray, SlicePlace, UInt8Array, Vector

LONGEST_SIDE = 192
# Twice as many slices as steps show everything that can be seen; more are left out evenly.
MOST_SLICES = 2 * LONGEST_SIDE
_FEWEST_SLICES = 3
# Slices may be shifted against each other by so much before the views would be distorted.
_LARGEST_SHIFT_MM = 2.0
# Towards the patient's feet, back and left (in DICOM's LPS): the way the volume's axes run, so
# that rows of a view go down and columns to the right as radiologists have them.
_AXES = np.array([(0, 0, -1), (0, 1, 0), (1, 0, 0)], np.float64)


@dataclass(frozen=True, eq=False)
class SliceSource:
    """One slice of the series, in the size of the file.

    Attributes:
        pixels: float32 (height, width) or (height, width, channels).
        mask: uint8 (height, width), 0 or 255; None where nothing is masked.
    """

    pixels: FloatArray
    mask: UInt8Array | None


@dataclass(frozen=True, eq=False)
class VolumeLayers:
    """A volume as the three views show it.

    Attributes:
        pixels: uint8 (depth, height, width), from head to feet, front to back and the patient's
            right to left.
        mask: bool, same shape.
        stack_axis: the axis of ``pixels`` along which the slices lie.
        slice_steps: where each slice of the series lies on that axis, in voxels.
        start: the voxel to start with: amid the masked region of the leading slice, else amid the
            volume.
        tilt_degrees: the largest angle between an axis of the volume and the patient's.
    """

    pixels: UInt8Array
    mask: BoolArray
    stack_axis: int
    slice_steps: tuple[float, ...]
    start: tuple[int, int, int]
    tilt_degrees: float


def slices_to_read(count: int) -> range:
    """Which of so many slices the volume is made of."""
    return range(0, count, -(-count // MOST_SLICES))


def check_places(places: Sequence[SlicePlace | None]) -> tuple[SlicePlace, ...]:
    """The slices' places, where a volume can be made of them.

    Args:
        places: of all slices of a series, in the order of their positions.

    Raises:
        InputError: no volume can be made of them; the text says why.
    """
    known = tuple(place for place in places if place is not None)
    if len(known) < len(places):
        raise InputError("The file does not say where its slices lie in the patient.")
    if len(known) < _FEWEST_SLICES:
        raise InputError(f"They take at least {_FEWEST_SLICES} slices; there are {len(known)}.")
    if not all(two.position_mm > one.position_mm for one, two in pairwise(known)):
        raise InputError("Several slices of the series lie at the same place.")
    origins = np.array([place.origin for place in known])
    first = known[0]
    shifts = (origins - origins[0]) @ np.array([first.along_row, first.along_column]).T
    if np.abs(shifts).max() > _LARGEST_SHIFT_MM:
        raise InputError("The slices are not stacked straight above each other.")
    return known


def build_volume(
    slices: Iterable[SliceSource],
    places: Sequence[SlicePlace],
    window: tuple[float, float],
    leading: int,
) -> VolumeLayers:
    """Put a series together.

    Args:
        slices: those of ``slices_to_read``, in their order; read one after the other, so that the
            whole series need not be in memory.
        places: of all slices of the series, as ``check_places`` returned them.
        window: values shown black and white.
        leading: index of the slice to start with.
    """
    chosen = slices_to_read(len(places))
    positions = np.array([place.position_mm for place in places])
    step_mm, planes, masks = 0.0, [], []
    for one in slices:
        if not planes:
            step_mm = _step(one.pixels.shape, places[0].spacing_mm, np.ptp(positions))
        size = _size(one.pixels.shape, places[0].spacing_mm, step_mm)
        planes.append(_shown(_gray(one.pixels), size, window))
        masks.append(np.zeros(size, bool) if one.mask is None else _fitted(one.mask, size) >= 128)
    at = positions[list(chosen)]
    pixels, mask = _stacked(np.stack(planes), np.stack(masks), at, step_mm)
    steps = (positions - positions[0]) / step_mm
    start = _start(mask, steps[leading])
    order, flips, tilt = _orientation(places[0])
    stack_axis = order.index(0)
    length = pixels.shape[0] - 1
    flipped_start = [
        pixels.shape[axis] - 1 - start[axis] if flip else start[axis]
        for axis, flip in zip(order, flips, strict=True)
    ]
    return VolumeLayers(
        pixels=_turned(pixels, order, flips),
        mask=_turned(mask, order, flips),
        stack_axis=stack_axis,
        slice_steps=tuple((length - steps if flips[stack_axis] else steps).tolist()),
        start=(flipped_start[0], flipped_start[1], flipped_start[2]),
        tilt_degrees=tilt,
    )


def _step(shape: tuple[int, ...], spacing_mm: tuple[float, float], height_mm: float) -> float:
    """Length of a voxel: as fine as the pixels, unless that makes too many of them."""
    sides = (shape[0] * spacing_mm[0], shape[1] * spacing_mm[1], height_mm)
    # One step less than voxels: the stack's ends are voxels too.
    return max(*(side / (LONGEST_SIDE - 1) for side in sides), min(spacing_mm))


def _size(
    shape: tuple[int, ...], spacing_mm: tuple[float, float], step_mm: float
) -> tuple[int, int]:
    rows, columns = (
        max(1, round(n * mm / step_mm)) for n, mm in zip(shape, spacing_mm, strict=False)
    )
    return rows, columns


def _gray(pixels: FloatArray) -> FloatArray:
    return pixels if pixels.ndim == 2 else pixels.mean(axis=2)


def _shown(values: FloatArray, size: tuple[int, int], window: tuple[float, float]) -> UInt8Array:
    low, high = window
    shares = (_fitted(values, size) - low) / max(high - low, 1e-6)
    return np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)


def _fitted(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    method = cv2.INTER_AREA if size[0] * size[1] < array.size else cv2.INTER_LINEAR
    return cv2.resize(array, (size[1], size[0]), interpolation=method)


def _stacked(
    planes: UInt8Array, masks: BoolArray, at: npt.NDArray[np.float64], step_mm: float
) -> tuple[UInt8Array, BoolArray]:
    """Equal steps along the stack: values between slices are mixed, masks are those of the nearest.

    Nothing is claimed of the mask between slices: it keeps the steps that the slices have.
    """
    wanted = at[0] + step_mm * np.arange(round((at[-1] - at[0]) / step_mm) + 1)
    above = np.clip(np.searchsorted(at, wanted), 1, len(at) - 1)
    share = np.clip((wanted - at[above - 1]) / (at[above] - at[above - 1]), 0, 1)
    pixels = np.empty((len(wanted), *planes.shape[1:]), np.uint8)
    for index, (upper, weight) in enumerate(zip(above, share, strict=True)):
        pixels[index] = cv2.addWeighted(planes[upper - 1], 1 - weight, planes[upper], weight, 0)
    return pixels, masks[np.where(share < 0.5, above - 1, above)]


def _start(mask: BoolArray, level: float) -> tuple[int, int, int]:
    depth, height, width = mask.shape
    index = min(max(round(level), 0), depth - 1)
    rows, columns = np.nonzero(mask[index])
    if rows.size == 0:
        return index, height // 2, width // 2
    return index, round(rows.mean()), round(columns.mean())


def _orientation(place: SlicePlace) -> tuple[tuple[int, int, int], tuple[bool, ...], float]:
    """Which axis of the stack becomes which of the volume, which are mirrored, and the tilt."""
    own = np.array([place.normal, place.along_column, place.along_row])
    along = _AXES @ own.T
    order = max(permutations(range(3)), key=lambda one: sum(abs(along[range(3), one])))
    cosines = along[range(3), order]
    tilt = float(np.degrees(np.arccos(np.clip(np.abs(cosines), 0, 1))).max())
    return (order[0], order[1], order[2]), tuple(bool(one < 0) for one in cosines), tilt


def _turned(array: np.ndarray, order: tuple[int, ...], flips: tuple[bool, ...]) -> np.ndarray:
    mirrored = tuple(axis for axis, flip in enumerate(flips) if flip)
    return np.ascontiguousarray(np.flip(array.transpose(order), mirrored))


_LETTERS = (("L", "R"), ("P", "A"), ("H", "F"))
# From about 20 degrees on, a second letter tells that the picture is tilted.
_SECOND_LETTER = 0.34


def direction_letters(direction: Vector) -> str:
    """Where a direction in the patient points: ``L``, ``R``, ``A``, ``P``, ``H``, ``F`` or two.

    Args:
        direction: unit vector in DICOM's patient coordinates (LPS).
    """
    by_share = sorted(zip(direction, _LETTERS, strict=True), key=lambda one: -abs(one[0]))
    shown = [by_share[0], *(one for one in by_share[1:] if abs(one[0]) >= _SECOND_LETTER)]
    return "".join(letters[share < 0] for share, letters in shown)[:2]


def edge_letters(place: SlicePlace) -> tuple[str, str, str, str]:
    """What lies beyond the left, right, upper and lower edge of a slice."""
    row, column = place.along_row, place.along_column
    return (
        direction_letters((-row[0], -row[1], -row[2])),
        direction_letters(row),
        direction_letters((-column[0], -column[1], -column[2])),
        direction_letters(column),
    )
