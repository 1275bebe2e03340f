"""How a NIfTI volume lies in the patient, and how its slices are cut and turned for display."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from nibabel.orientations import io_orientation

from core.imaging.dicom.geometry import plane_of, vector
from core.imaging.nifti_affine import RAS_TO_LPS, affine_of
from core.types import Plane, SlicePlace, Vector

# Spacings closer than this are one resolution.
_SAME_SPACING = 1.2
# Of dim_info, a bit that the standard leaves free.
_AS_ACQUIRED = 0x40
# By the world axis (x, y, z) across the slices: the axes along rows and along columns. Both run
# against NIfTI's directions (right, front, up), so that rows begin at the patient's right or front
# and columns at the front or the top.
_IN_PLANE = {0: (1, 2), 1: (0, 2), 2: (0, 1)}
# The direction of the slices that makes rows, columns and slices right-handed, as DICOM's normal.
_ACROSS_SIGN = {0: 1, 1: -1, 2: 1}
_AXIAL_FIRST = (2, 1, 0)


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
        by_encoding: whether ``across`` is what the header names as the direction of the slices
            (``dim_info``), and would be another axis without it.
        contradiction: how the file contradicts itself about the size of its voxels and which of it
            is believed, in words; None where it does not.
    """

    affine: np.ndarray
    is_oriented: bool
    across: Axis
    row: Axis
    column: Axis
    by_encoding: bool = False
    contradiction: str | None = None

    @classmethod
    def of(cls, header: Any, shape: tuple[int, int, int], *, kept: bool = False) -> Self:
        """The slices of a volume by its NIfTI header.

        Args:
            header: of the file; may be changed.
            shape: voxels along its three axes.
            kept: whether the file was stored before; see ``mark``.

        Raises:
            InputError: spacing or orientation are unusable.
        """
        as_acquired = not kept or bool(int(header["dim_info"]) & _AS_ACQUIRED)
        with np.errstate(all="ignore"):
            affine, is_oriented, contradiction = affine_of(header, as_acquired)
        encoded = header.get_dim_info()[2] if as_acquired else None
        axes, by_encoding = _axes(affine, shape, encoded)
        return cls(affine, is_oriented, *axes, by_encoding, contradiction)

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
            origin=vector((self.affine[:3, :3] @ voxel + self.affine[:3, 3]) * RAS_TO_LPS),
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


def mark(header: Any, shape: tuple[int, int, int]) -> None:
    """Note in the header of a file to be stored that it is read as it was acquired.

    Files were stored before ``dim_info`` was heeded, and a spacing beside that of the matrix. What
    is known of their slices belongs to those that were cut then, so files without the mark are read
    in the same way for ever.

    Raises:
        InputError: spacing or orientation are unusable.
    """
    space = Space.of(header.copy(), shape)
    if space.by_encoding or space.contradiction is not None:
        header["dim_info"] = int(header["dim_info"]) | _AS_ACQUIRED


def _axes(
    affine: np.ndarray, shape: tuple[int, int, int], encoded: int | None
) -> tuple[tuple[Axis, Axis, Axis], bool]:
    """The axes across slices, along rows and along columns; whether the encoding decided that.

    Args:
        affine: from voxels to millimetres.
        shape: voxels along the array's axes.
        encoded: the array's axis that the header names as that of the slices, if it does.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    # Of each of the array's axes the nearest world axis and the sign of its direction.
    nearest = io_orientation(affine)
    world = {int(axis): number for number, (axis, _) in enumerate(nearest)}

    def axis(world_axis: int, sign: int) -> Axis:
        number = world[world_axis]
        step = sign * int(nearest[number, 1])
        direction = affine[:3, number] / spacing[number] * step * RAS_TO_LPS
        return Axis(number, step, shape[number], float(spacing[number]), vector(direction))

    flat = [a for a in _AXIAL_FIRST if shape[world[a]] == 1]
    thick = [a for a in _AXIAL_FIRST if spacing[world[a]] * _SAME_SPACING >= spacing.max()]
    across = usual = (flat or thick)[0]
    # A header that was copied from another volume may name an axis that cannot be.
    across = next((a for a in flat or thick if world[a] == encoded), across)
    row, column = _IN_PLANE[across]
    axes = axis(across, _ACROSS_SIGN[across]), axis(row, -1), axis(column, -1)
    return axes, across != usual
