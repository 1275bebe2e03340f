"""What a DICOM file says of the series that one of its frames belongs to."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from math import log

from core.imaging.dicom.geometry import directions, plane_of, spacing_mm
from core.imaging.dicom.layout import Layout
from core.imaging.dicom.refusals import body_part_of, is_capture, modality_of
from core.imaging.dicom.sequence import b_value, echo_time_ms, inversion_time_ms, sequence_of
from core.imaging.dicom.values import Attributes, clean_uid, made_uid
from core.types import SeriesFacts

_COLOURED = (
    "A colour picture: it is read as gray, by its brightness alone. The model was not made for "
    "colour maps, such as those of diffusion or perfusion."
)
# What may differ between slices that lie side by side: components of unit vectors, and shares.
_DIRECTION, _SPACING_SHARE, _TIME_SHARE = 1e-3, 1e-3, 0.01


def facts_of(
    attributes: Attributes, layout: Layout, fingerprint: Callable[[], bytes], coloured: bool
) -> SeriesFacts:
    """The facts of one frame.

    Args:
        attributes: of the frame.
        layout: of the file.
        fingerprint: gives what follows from the file's content; asked for where a UID is absent.
        coloured: whether the file's pictures are truly coloured.
    """

    def uid(keyword: str, purpose: bytes) -> str:
        return clean_uid(attributes.text(keyword)) or made_uid(fingerprint() + purpose)

    series_uid = uid("SeriesInstanceUID", b"series")
    axes, gradient, spacing, times = figures = _figures(attributes)
    sop_class = attributes.text("SOPClassUID") or ""
    region = attributes.item("AnatomicRegionSequence")
    code = Attributes(region).text("CodeValue") if region is not None else None
    body_part, foreign_term = body_part_of(attributes.text("BodyPartExamined"), code)
    modality = modality_of(attributes.text("Modality"), sop_class)
    return SeriesFacts(
        study_uid=uid("StudyInstanceUID", b"study"),
        series_uid=series_uid,
        instance_uid=uid("SOPInstanceUID", b""),
        stack=_stack(attributes, layout, series_uid, figures),
        patient_reference=attributes.text("PatientID"),
        modality=modality,
        body_part=body_part,
        sequence=sequence_of(attributes),
        plane=plane_of(axes[:3], axes[3:]) if axes else None,
        number=_whole(attributes, "SeriesNumber"),
        frame_of_reference_uid=clean_uid(attributes.text("FrameOfReferenceUID")),
        notices=(
            *_notices(attributes, modality, foreign_term, sop_class, bool(spacing)),
            *([_COLOURED] if coloured else []),
        ),
        measured=(
            *(value / _DIRECTION for value in (*axes, *gradient)),
            *(log(value) / _SPACING_SHARE for value in spacing),
            *(log(value) / _TIME_SHARE for value in times),
        ),
        taken=_taken(attributes),
    )


def _stack(
    attributes: Attributes, layout: Layout, series_uid: str, figures: tuple[tuple[float, ...], ...]
) -> str:
    """A short name that is equal for slices that lie side by side, apart from ``measured``."""
    shape = (layout.rows, layout.columns, layout.photometric)
    parts = (
        series_uid,
        shape,
        attributes.texts("ImageType"),
        attributes.texts("FrameType"),
        attributes.text("StackID"),
        attributes.text("EchoNumbers"),
        _moment(attributes),
        b_value(attributes),
        # Which figures there are to be compared.
        [len(group) for group in figures],
        inversion_time_ms(attributes) is None,
    )
    return sha256(repr(parts).encode()).hexdigest()[:16]


def _figures(attributes: Attributes) -> tuple[tuple[float, ...], ...]:
    """Axes of the slice, direction of the gradient, spacing and times; empty where not known."""
    axes = directions(attributes)
    times = (echo_time_ms(attributes) or 0.0, inversion_time_ms(attributes) or 0.0)
    return (
        (*axes[0], *axes[1]) if axes else (),
        _gradient(attributes) or (),
        spacing_mm(attributes) or (),
        tuple(value for value in times if value > 0),
    )


def _taken(attributes: Attributes) -> tuple[int, int]:
    acquisition = _whole(attributes, "FrameAcquisitionNumber")
    if acquisition is None:
        acquisition = _whole(attributes, "AcquisitionNumber")
    return acquisition or 0, _whole(attributes, "InstanceNumber") or 0


def _moment(attributes: Attributes) -> tuple[object, ...]:
    """Which of several pictures of the same place, taken one after the other.

    Acquisition numbers count repetitions with some makers, and slices or packets of them with
    others: they are looked at where a series says that it repeats, or Siemens made it. So is the
    trigger delay, which differs from slice to slice where there are no phases.
    """
    position = attributes.number("TemporalPositionIndex")
    if position is None:
        position = attributes.number("TemporalPositionIdentifier")
    repeats = (attributes.number("NumberOfTemporalPositions") or 1) > 1
    maker = (attributes.text("Manufacturer") or "").upper()
    counted = position is None and (repeats or maker.startswith("SIEMENS"))
    phases = (attributes.number("CardiacNumberOfImages") or 1) > 1
    return (
        position,
        attributes.number("AcquisitionNumber") if counted else None,
        attributes.number("TriggerTime") if phases else None,
        attributes.number("NominalCardiacTriggerDelayTime"),
    )


def _gradient(attributes: Attributes) -> tuple[float, ...] | None:
    gradient = attributes.numbers("DiffusionGradientOrientation", 3)
    holder = attributes.item("DiffusionGradientDirectionSequence")
    if gradient is None and holder is not None:
        gradient = Attributes(holder).numbers("DiffusionGradientOrientation", 3)
    return gradient


def _whole(attributes: Attributes, keyword: str) -> int | None:
    number = attributes.number(keyword)
    return int(number) if number is not None and abs(number) < 2**31 else None


def _notices(
    attributes: Attributes, modality: str, foreign_term: bool, sop_class: str, has_spacing: bool
) -> list[str]:
    found: list[str] = []
    if is_capture(sop_class):
        found.append(
            "A picture saved from a screen (secondary capture): its values may differ from those "
            "of the scanner."
        )
    if modality != "MR":
        found.append("The file does not say by which modality the picture was made.")
    if foreign_term:
        found.append("The file names the body part in its own words, which were not checked.")
    if not has_spacing:
        found.append("The file gives no usable pixel spacing: sizes in mm are not known.")
    if (attributes.text("BurnedInAnnotation") or "").upper() == "YES":
        found.append("The file says that text is burnt into the picture.")
    return found
