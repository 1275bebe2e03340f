"""Masks as a DICOM segmentation (SEG): one binary segment over the slices in which it lies.

Only slices with a mask have a frame, as viewers expect it: a slice without one has nothing masked
or was not analysed, which the report (SR) tells apart. The segment says what the training's masks
outlined, for that is what it outlines.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import highdicom
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentDescription
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.valuerep import format_number_as_ds

from core.errors import InputError
from core.reports.dicom_objects import (
    PRODUCT,
    Making,
    SourceSlice,
    copied,
    distinct_headers,
    said_in_words,
    series_attributes,
    settle,
)
from core.types import BoolArray, ScanKind, SlicePlace

_NAME = "DICOM segmentation"
# Sky blue, as on the pages.
_COLOUR = CIELabColor.from_rgb(86, 180, 233)

LABELS = {
    ScanKind.GRAY: "Enhancing tumour",
    ScanKind.COMPOSITE: "Signal abnormality on FLAIR",
}
TYPES = {
    ScanKind.GRAY: codes.SCT.Neoplasm,
    ScanKind.COMPOSITE: codes.SCT.Lesion,
}
MEANINGS = {
    ScanKind.GRAY: "Outlined by a model whose training masks were enhancing tumour on T1-weighted "
    "MR with contrast; on other sequences the outline is less reliable.",
    ScanKind.COMPOSITE: "Outlined by a model whose training masks were signal abnormality on FLAIR "
    "MR.",
}
_UNVERIFIED = "Research use only. Not verified by a reader."
_NO_PLACE = (
    f"There is no {_NAME}: the source images have no frame of reference (0020,0052), without which "
    "an outline has no place in the patient."
)
_UNFIT = (
    f"There is no {_NAME}: the headers of the source images lack what it needs, or contradict "
    "each other."
)


def segmentation(
    slices: Sequence[SourceSlice], masks: BoolArray, kind: ScanKind, making: Making
) -> Segmentation:
    """The masks of a stack as a DICOM segmentation.

    Args:
        slices: of one stack, in the order of their positions: single-frame objects of one series,
            or frames of one object.
        masks: bool (slices, rows, columns), in the size and orientation of the source images.
        kind: what the mask outlines.
        making: how it came about.

    Raises:
        InputError: nothing is masked, or the source images do not say where they lie in the
            patient; a single image without a frame of reference may do.
        ValueError: masks and slices do not fit each other.
    """
    if masks.shape[0] != len(slices):
        raise ValueError(f"masks have the shape {masks.shape}, expected {len(slices)} slices")
    if not masks.any():
        raise InputError(f"Nothing is outlined in this series, hence there is no {_NAME}.")
    sources, frames = _sources(slices)
    first = sources[0]
    placed = "FrameOfReferenceUID" in first
    if not placed and len(slices) > 1:
        raise InputError(_NO_PLACE)
    made = said_in_words(
        lambda: _segmentation(sources, masks, kind, making), _UNFIT if placed else _NO_PLACE
    )
    if frames is not None:
        _number_frames(made, frames)
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = making.uid("SEG dimensions")
    if not placed:
        made.PatientOrientation = first.get("PatientOrientation", "")
    made.BodyPartExamined = first.get("BodyPartExamined", "BRAIN")
    settle(made, slices[0].header, making)
    return made


def _segmentation(
    sources: list[Dataset], masks: BoolArray, kind: ScanKind, making: Making
) -> Segmentation:
    described = SegmentDescription(
        segment_number=1,
        segment_label=LABELS[kind],
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=TYPES[kind],
        algorithm_type="AUTOMATIC",
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name=PRODUCT,
            family=codes.DCM.ArtificialIntelligence,
            version=making.model_version,
            source=PRODUCT,
        ),
        tracking_uid=making.uid("region"),
        tracking_id=tracking_id(making),
        anatomic_regions=[codes.SCT.Brain],
        display_color=_COLOUR,
    )
    described.SegmentDescription = f"{MEANINGS[kind]} {_UNVERIFIED}"
    return Segmentation(
        source_images=sources,
        pixel_array=masks,
        segmentation_type="BINARY",
        segment_descriptions=[described],
        omit_empty_frames=True,
        content_label="OUTLINED_REGION",
        content_description=_UNVERIFIED,
        series_description=making.described(LABELS[kind]),
        **series_attributes(sources[0], making, "SEG", 1),
    )


def tracking_id(making: Making) -> str:
    """A short name of the outlined region, the same in segmentation and report."""
    return f"{PRODUCT} region {making.uid('region')[-8:]}"


def _sources(slices: Sequence[SourceSlice]) -> tuple[list[Dataset], list[int] | None]:
    """Images for highdicom, one a slice or all frames in one; and the frames' numbers, from 1."""
    headers = distinct_headers(slices)
    if len(headers) == len(slices) and "NumberOfFrames" not in headers[0]:
        return _singles(slices), None
    if len(headers) > 1:
        raise InputError(
            f"There is no {_NAME}: the slices lie in several multi-frame objects, and a "
            "segmentation can refer to one only."
        )
    return [_frames_only(slices)], [one.frame + 1 for one in slices]


def _singles(slices: Sequence[SourceSlice]) -> list[Dataset]:
    """Headers with what highdicom insists on.

    Slices of a stack are parallel; headers may still differ in the last digits. Where no thickness
    is given, a slice stands for the room up to the next.
    """
    first = slices[0].header
    thickness = first.get("SliceThickness") or _distance(slices)
    made = []
    for one in slices:
        header = copied(one.header)
        if "ImagePositionPatient" in header:
            header.ImageOrientationPatient = first.get("ImageOrientationPatient")
            header.PixelSpacing = first.get("PixelSpacing")
            header.SliceThickness = thickness
        elif "FrameOfReferenceUID" in header:
            del header.FrameOfReferenceUID
        made.append(header)
    return made


def _distance(slices: Sequence[SourceSlice]) -> str | None:
    """The smallest distance between neighbours in millimetres; None where it is not known."""
    positions = sorted(one.place.position_mm for one in slices if one.place)
    steps = [after - before for before, after in pairwise(positions) if after > before]
    return _decimals(min(steps))[0] if steps else None


def _frames_only(slices: Sequence[SourceSlice]) -> Dataset:
    """A multi-frame header of the stack's frames alone, with their places where highdicom looks.

    The source may hold other stacks, and may give the orientation with each frame.
    """
    places = [one.place for one in slices]
    first = places[0]
    header = copied(slices[0].header)
    header.NumberOfFrames = len(slices)
    if first is None or None in places:
        return header
    shared = Dataset()
    orientation, measures = Dataset(), Dataset()
    orientation.ImageOrientationPatient = _decimals(*first.along_row, *first.along_column)
    measures.PixelSpacing = _decimals(*first.spacing_mm)
    thickness = first.thickness_mm and _decimals(first.thickness_mm)[0]
    measures.SliceThickness = thickness or _distance(slices)
    shared.PlaneOrientationSequence = [orientation]
    shared.PixelMeasuresSequence = [measures]
    header.SharedFunctionalGroupsSequence = [shared]
    header.PerFrameFunctionalGroupsSequence = [_position(place) for place in places if place]
    return header


def _position(place: SlicePlace) -> Dataset:
    frame, position = Dataset(), Dataset()
    position.ImagePositionPatient = _decimals(*place.origin)
    frame.PlanePositionSequence = [position]
    return frame


def _decimals(*values: float) -> list[str]:
    """As decimal strings (DS), of 16 characters at most."""
    return [format_number_as_ds(float(value)) for value in values]


def _number_frames(made: Segmentation, frames: Sequence[int]) -> None:
    """Have references name the frames of the source, not of the header that was made of it."""
    for group in made.PerFrameFunctionalGroupsSequence:
        for derivation in group.get("DerivationImageSequence", []):
            for image in derivation.SourceImageSequence:
                image.ReferencedFrameNumber = frames[int(image.ReferencedFrameNumber) - 1]
