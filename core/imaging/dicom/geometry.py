"""Where a slice lies in the patient, and the anatomical plane that it is nearest to."""

from __future__ import annotations

import numpy as np

from core.imaging.dicom.values import Attributes
from core.types import Plane, SlicePlace, Vector

# Heads are scanned with a tilt of up to some 30 degrees against the planes.
_OBLIQUE_COSINE = 0.82
SQUARE_TOLERANCE = 1e-2
# Between a voxel of a microscope and a field of view of metres.
SPACINGS_MM = (0.01, 100.0)
LARGEST_POSITION_MM = 1e5


def plane_of(along_row: Vector, along_column: Vector) -> Plane:
    """The plane that a slice is nearest to; oblique beyond 35 degrees from all three."""
    normal = np.abs(np.cross(along_row, along_column))
    if normal.max() < _OBLIQUE_COSINE:
        return Plane.OBLIQUE
    return (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)[int(normal.argmax())]


def spacing_mm(attributes: Attributes) -> tuple[float, float] | None:
    """Millimetres between rows and between columns in the patient; None where not known.

    A secondary capture's spacing on the screen or film is not that in the patient, and not read.
    """
    found = attributes.numbers("PixelSpacing", 2)
    low, high = SPACINGS_MM
    return found if found and all(low <= value <= high for value in found) else None  # type: ignore[return-value]


def directions(attributes: Attributes) -> tuple[Vector, Vector] | None:
    """Unit vectors along the rows and along the columns; None where absent or not square."""
    values = attributes.numbers("ImageOrientationPatient", 6)
    if values is None:
        return None
    row, column = np.asarray(values[:3]), np.asarray(values[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1) for length in lengths) > SQUARE_TOLERANCE:
        return None
    row, column = row / lengths[0], column / lengths[1]
    if abs(row @ column) > SQUARE_TOLERANCE:
        return None
    return vector(row), vector(column)


def place_of(attributes: Attributes) -> SlicePlace | None:
    """Where a slice lies; None where position, orientation or spacing are not known."""
    spacing = spacing_mm(attributes)
    return None if spacing is None else _placed(attributes, spacing)


def position_of(attributes: Attributes) -> float | None:
    """Where a slice lies along its normal, in mm; None without position or orientation.

    Slices of a stack are ordered by it, whether or not their pixel spacing is known.
    """
    place = _placed(attributes, (1.0, 1.0))
    return None if place is None else place.position_mm


def _placed(attributes: Attributes, spacing: tuple[float, float]) -> SlicePlace | None:
    axes, origin = directions(attributes), attributes.numbers("ImagePositionPatient", 3)
    if axes is None or origin is None:
        return None
    if max(map(abs, origin)) > LARGEST_POSITION_MM:
        return None
    thickness = attributes.number("SliceThickness")
    return SlicePlace(
        origin=vector(np.asarray(origin)),
        along_row=axes[0],
        along_column=axes[1],
        spacing_mm=spacing,
        thickness_mm=thickness if thickness is not None and thickness > 0 else None,
    )


def vector(values: np.ndarray) -> Vector:
    """Three numbers as a vector."""
    x, y, z = (float(v) + 0.0 for v in values)  # adding turns -0.0 into 0.0
    return x, y, z
