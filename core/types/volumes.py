"""Where slices lie in a patient, and what a file says of the series they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

Vector = tuple[float, float, float]


class Plane(StrEnum):
    """The anatomical plane that slices are nearest to."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"
    OBLIQUE = "oblique"


@dataclass(frozen=True)
class SlicePlace:
    """Where a slice lies, in DICOM's patient coordinates (PS3.3 C.7.6.2.1.1).

    Axes point to the patient's left, back and head (LPS); lengths are millimetres.

    Attributes:
        origin: centre of the first pixel (row 0, column 0).
        along_row: unit vector in the direction of rising column numbers.
        along_column: unit vector in the direction of rising row numbers.
        spacing_mm: between rows and between columns, both positive.
        thickness_mm: of the slice; None where the file does not say.
    """

    origin: Vector
    along_row: Vector
    along_column: Vector
    spacing_mm: tuple[float, float]
    thickness_mm: float | None = None

    @property
    def normal(self) -> Vector:
        """Unit vector across the slice: the cross product of row and column directions."""
        (a, b, c), (d, e, f) = self.along_row, self.along_column
        return b * f - c * e, c * d - a * f, a * e - b * d

    @property
    def position_mm(self) -> float:
        """Where the slice lies along its normal: slices of a stack are ordered by it."""
        return sum(o * n for o, n in zip(self.origin, self.normal, strict=True))


@dataclass(frozen=True)
class SeriesFacts:
    """What a DICOM or NIfTI file says of where it belongs, its identity already removed or not.

    Attributes:
        study_uid: UID of the study; for NIfTI one made from the content.
        series_uid: UID of the series; for NIfTI one made from the content.
        instance_uid: UID of this object (SOP instance); for NIfTI one made from the content.
        stack: slices with an equal stack lie side by side and make up one volume: the series, and
            within it what may differ (size, kind of picture, echo, time, diffusion weight); their
            ``measured`` must fit too.
        patient_reference: the patient's identifier as it stands in the file (a pseudonym once the
            identity was removed); None where there is none.
        modality: DICOM's code, such as ``MR``; ``MR`` for NIfTI.
        body_part: DICOM's code, such as ``BRAIN``; None where the file does not say.
        sequence: what kind of pictures, such as ``T1 with contrast``, as far as the acquisition's
            figures tell; None where they do not. Never free text of the file.
        plane: nearest anatomical plane; None where the orientation is not known.
        number: number of the series in its study; None where there is none.
        frame_of_reference_uid: slices with the same one share their coordinates.
        notices: what a reader should know of the file, in words, such as text burnt into it.
        measured: figures of the stack (orientation, spacing, echo time and the like) that scanners
            write a little differently from slice to slice, each in units of what may differ.
        taken: which acquisition of the series, and which of its objects; 0 where not said. Of
            several pictures of one place it tells which was taken first.
    """

    study_uid: str
    series_uid: str
    instance_uid: str
    stack: str
    patient_reference: str | None = None
    modality: str = "MR"
    body_part: str | None = None
    sequence: str | None = None
    plane: Plane | None = None
    number: int | None = None
    frame_of_reference_uid: str | None = None
    notices: tuple[str, ...] = ()
    measured: tuple[float, ...] = ()
    taken: tuple[int, int] = (0, 0)

    def fits(self, measured: Sequence[float]) -> bool:
        """Whether the figures of a stack with an equal name are these."""
        return len(measured) == len(self.measured) and all(
            abs(one - other) <= 1 for one, other in zip(self.measured, measured, strict=True)
        )
