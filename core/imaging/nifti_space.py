"""How a NIfTI volume lies in the patient, and how its slices are cut and turned for display."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from nibabel.orientations import io_orientation

from core.errors import InputError
from core.imaging.dicom.geometry import (
    LARGEST_POSITION_MM,
    SPACINGS_MM,
    SQUARE_TOLERANCE,
    plane_of,
    vector,
)
from core.types import Plane, SlicePlace, Vector

# Spacings closer than this are one resolution.
_SAME_SPACING = 1.2
_LARGEST_STRETCH = 2.0
_TO_MM = {1: 1000.0, 3: 0.001}  # codes of metres and micrometres; all else means millimetres
_UNITS_OF_SPACE = 7
# By the world axis (x, y, z) across the slices: the axes along rows and along columns. Both run
# against NIfTI's directions (right, front, up), so that rows begin at the patient's right or front
# and columns at the front or the top.
_IN_PLANE = {0: (1, 2), 1: (0, 2), 2: (0, 1)}
# The direction of the slices that makes rows, columns and slices right-handed, as DICOM's normal.
_ACROSS_SIGN = {0: 1, 1: -1, 2: 1}
_AXIAL_FIRST = (2, 1, 0)
_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Axis:
    """An axis of the array as it is shown.

    Attributes:
        number: of the array's axis.
        step: 1 where it is shown in its own direction, -1 where against it.
        length: how many voxels there are.
        spacing: millimetres between them.
        direction: unit vector in the direction of the display (LPS).
    """

    number: int
    step: int
    length: int
    spacing: float
    direction: Vector

    def voxel(self, index: int) -> int:
        """The voxel that is shown at a position, counted from 0."""
        return index if self.step > 0 else self.length - 1 - index


@dataclass(frozen=True, eq=False)
class Space:
    """The slices of a volume.

    Attributes:
        affine: float64 (4, 4), from voxels to millimetres right, front and up (RAS).
        is_oriented: whether the file says how the volume lies in the patient.
        across: the axis from slice to slice.
        row: the axis along the rows of a slice.
        column: the axis along its columns.
    """

    affine: np.ndarray
    is_oriented: bool
    across: Axis
    row: Axis
    column: Axis

    @classmethod
    def of(cls, header: Any, shape: tuple[int, int, int]) -> Self:
        """The slices of a volume by its NIfTI header.

        Raises:
            InputError: spacing or orientation are unusable.
        """
        with np.errstate(all="ignore"):
            affine, is_oriented = _affine(header)
        across, row, column = _axes(affine, shape)
        return cls(affine, is_oriented, across, row, column)

    @property
    def plane(self) -> Plane | None:
        """The plane of the slices; None where the orientation is not known."""
        return plane_of(self.row.direction, self.column.direction) if self.is_oriented else None

    def place(self, index: int) -> SlicePlace | None:
        """Where a slice lies; None where the orientation is not known."""
        if not self.is_oriented:
            return None
        voxel = np.zeros(3)
        voxel[self.across.number] = self.across.voxel(index)
        voxel[self.row.number] = self.row.voxel(0)
        voxel[self.column.number] = self.column.voxel(0)
        return SlicePlace(
            origin=vector((self.affine[:3, :3] @ voxel + self.affine[:3, 3]) * _RAS_TO_LPS),
            along_row=self.row.direction,
            along_column=self.column.direction,
            spacing_mm=self.spacing_mm,
            thickness_mm=self.across.spacing,
        )

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Millimetres between rows and between columns."""
        return self.column.spacing, self.row.spacing

    def cut(self, volume: np.ndarray, index: int) -> np.ndarray:
        """A slice (rows, columns) of an array (x, y, z), turned for display."""
        where: list[Any] = [slice(None)] * 3
        where[self.across.number] = self.across.voxel(index)
        for axis in (self.row, self.column):
            where[axis.number] = slice(None, None, axis.step)
        picture = volume[tuple(where)]
        return picture if self.column.number < self.row.number else picture.T


def _affine(header: Any) -> tuple[np.ndarray, bool]:
    """Voxels to millimetres (RAS), and whether the file itself says so.

    The sform is preferred; a sheared one (of a registration) gives way to the qform. The header's
    spacing is used without an sform; beside one it may be absent (0), but not tell another scale.
    """
    pixdim = header["pixdim"].astype(np.float64)
    dimensions = int(header["dim"][0])
    stated = pixdim[1:4] * [1, 1, dimensions != 2]  # a single slice has none to the next
    if dimensions == 2 and pixdim[3] == 0:
        header["pixdim"][3] = pixdim[3] = 1.0
    if header["pixdim"][0] == 0:  # the standard reads a 0 as a 1
        header["pixdim"][0] = 1.0
    unit = _TO_MM.get(int(header["xyzt_units"]) & _UNITS_OF_SPACE, 1.0)
    spacing = pixdim[1:4] * unit
    scale = np.array([unit, unit, unit, 1.0])[:, None]
    has_qform = header["qform_code"] > 0
    if header["sform_code"] > 0:
        sform = header.get_sform() * scale
        _check(sform)
        if _is_square(sform):
            _check_agreement(stated * unit, np.linalg.norm(sform[:3, :3], axis=0))
            return sform, True
        if not has_qform:
            raise InputError(
                "The NIfTI file holds a sheared volume: its axes are not at right angles, so sizes "
                "in mm would be wrong. Please resample it to a regular grid."
            )
    _check_spacing(spacing)
    if not has_qform:
        return np.diag([*spacing, 1.0]), False
    try:
        qform = header.get_qform() * scale
    except Exception as error:
        # Nibabel raises various errors for numbers that are no rotation.
        raise _unusable() from error
    _check(qform)
    return qform, True


def _axes(affine: np.ndarray, shape: tuple[int, int, int]) -> tuple[Axis, Axis, Axis]:
    """The axes across slices, along rows and along columns."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    # Of each of the array's axes the nearest world axis and the sign of its direction.
    nearest = io_orientation(affine)
    world = {int(axis): number for number, (axis, _) in enumerate(nearest)}

    def axis(world_axis: int, sign: int) -> Axis:
        number = world[world_axis]
        step = sign * int(nearest[number, 1])
        direction = affine[:3, number] / spacing[number] * step * _RAS_TO_LPS
        return Axis(number, step, shape[number], float(spacing[number]), vector(direction))

    flat = [a for a in _AXIAL_FIRST if shape[world[a]] == 1]
    thick = [a for a in _AXIAL_FIRST if spacing[world[a]] * _SAME_SPACING >= spacing.max()]
    across = (flat or thick)[0]
    row, column = _IN_PLANE[across]
    return axis(across, _ACROSS_SIGN[across]), axis(row, -1), axis(column, -1)


def _check_spacing(spacing: np.ndarray) -> None:
    low, high = SPACINGS_MM
    if not ((spacing >= low) & (spacing <= high)).all():
        raise InputError(
            "The NIfTI file gives its voxels an impossible spacing "
            f"({_shown(spacing)} mm). Please export it again."
        )


def _check_agreement(spacing: np.ndarray, of_matrix: np.ndarray) -> None:
    """Refuse a header's spacing (0 where it gives none) that is of another scale than the matrix's.

    A registration may well have stretched the matrix a little.
    """
    agrees = (spacing >= of_matrix / _LARGEST_STRETCH) & (spacing <= of_matrix * _LARGEST_STRETCH)
    if not (agrees | (spacing == 0)).all():
        raise InputError(
            "The NIfTI file's header and its orientation matrix contradict each other: voxels are "
            f"{_shown(spacing)} mm by the one and {_shown(of_matrix)} mm by the other. "
            "Please export it again."
        )


def _shown(spacing: np.ndarray) -> str:
    return " × ".join(f"{value:g}" for value in spacing)


def _check(affine: np.ndarray) -> None:
    """Refuse what maps voxels to nowhere."""
    if not np.isfinite(affine).all() or np.abs(affine[:3, 3]).max() > LARGEST_POSITION_MM:
        raise _unusable()
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not lengths.all() or abs(np.linalg.det(affine[:3, :3] / lengths)) < SQUARE_TOLERANCE:
        raise _unusable()
    _check_spacing(lengths)


def _is_square(affine: np.ndarray) -> bool:
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return bool(np.abs(directions.T @ directions - np.eye(3)).max() <= SQUARE_TOLERANCE)


def _unusable() -> InputError:
    return InputError(
        "The NIfTI file does not say usably how its volume lies in space (its affine cannot be "
        "inverted). Please export it again."
    )
