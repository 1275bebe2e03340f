"""Single attributes of a dataset, read without trust."""

from __future__ import annotations

import math
from functools import cache
from hashlib import sha256
from typing import Any

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

# Enhanced objects keep what may differ between frames in functional groups (PS3.3 C.7.6.16 and
# C.8.13.5): the sequence that holds an attribute there.
_GROUPS = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "WindowCenter": "FrameVOILUTSequence",
    "WindowWidth": "FrameVOILUTSequence",
    "VOILUTFunction": "FrameVOILUTSequence",
    "EffectiveEchoTime": "MREchoSequence",
    "RepetitionTime": "MRTimingAndRelatedParametersSequence",
    "FlipAngle": "MRTimingAndRelatedParametersSequence",
    "InversionTimes": "MRModifierSequence",
    "DiffusionBValue": "MRDiffusionSequence",
    "DiffusionGradientDirectionSequence": "MRDiffusionSequence",
    "FrameType": "MRImageFrameTypeSequence",
    "AcquisitionContrast": "MRImageFrameTypeSequence",
    "StackID": "FrameContentSequence",
    "TemporalPositionIndex": "FrameContentSequence",
    "FrameAcquisitionNumber": "FrameContentSequence",
    "NominalCardiacTriggerDelayTime": "CardiacSynchronizationSequence",
}
# Legacy converted objects leave the attributes of the single-frame files there.
_UNASSIGNED = (
    "UnassignedPerFrameConvertedAttributesSequence",
    "UnassignedSharedConvertedAttributesSequence",
)
_LONGEST_TEXT = 64
# Palettes and tables are the largest values that are looked at; converting more of them than that
# would take long.
_LARGEST_VALUE_BYTES = 512 << 10


class Attributes:
    """What a file says of one of its frames.

    Looked up in the functional groups of the frame, then in the shared ones, then in the dataset
    itself. What is absent, empty or not of the kind asked for is None.
    """

    def __init__(self, dataset: Dataset, frame: int = 0) -> None:
        self._dataset = dataset
        groups = (
            _item(dataset, "PerFrameFunctionalGroupsSequence", frame),
            _item(dataset, "SharedFunctionalGroupsSequence", 0),
        )
        self._groups = [group for group in groups if group is not None]
        self._held: dict[str | None, list[Dataset]] = {}

    def value(self, keyword: str) -> Any:
        """The value as pydicom has it."""
        for holder in self._holders(keyword):
            found = _value(holder, keyword)
            if found is not None:
                return found
        return None

    def text(self, keyword: str) -> str | None:
        """The first value as text without blanks around it, at most 64 characters."""
        found = self.texts(keyword)
        return found[0] if found else None

    def texts(self, keyword: str) -> tuple[str, ...]:
        """All values as text."""
        values = self.value(keyword)
        values = [values] if isinstance(values, str | int | float) else values
        try:
            return tuple(t for v in values or () if (t := str(v).strip("\0 ")[:_LONGEST_TEXT]))
        except TypeError:
            return ()

    def number(self, keyword: str) -> float | None:
        """The first value as a finite number."""
        found = self.numbers(keyword)
        return found[0] if found else None

    def numbers(self, keyword: str, count: int | None = None) -> tuple[float, ...] | None:
        """All values as finite numbers; None where one is not, or where they are not ``count``."""
        values = self.value(keyword)
        try:
            values = [values] if isinstance(values, str | int | float) else list(values)
            numbers = tuple(float(v) for v in values)
        except (TypeError, ValueError, OverflowError):
            return None
        if not numbers or (count is not None and len(numbers) != count):
            return None
        return numbers if all(map(math.isfinite, numbers)) else None

    def item(self, keyword: str) -> Dataset | None:
        """The first item of a sequence."""
        for holder in self._holders(keyword):
            found = _item(holder, keyword, 0)
            if found is not None:
                return found
        return None

    def _holders(self, keyword: str) -> list[Dataset]:
        sequence = _GROUPS.get(keyword)
        if sequence not in self._held:
            names = (sequence, *_UNASSIGNED) if sequence else _UNASSIGNED
            items = (_item(group, name, 0) for group in self._groups for name in names)
            self._held[sequence] = [*(item for item in items if item is not None), self._dataset]
        return self._held[sequence]


def clean_uid(value: str | None) -> str | None:
    """A UID as it stands in the file; for what is none, one made from it. None where absent.

    Some anonymisers write what is no UID: slices that share it still belong together.
    """
    if not value:
        return None
    if len(value) <= _LONGEST_TEXT and value.replace(".", "").isdecimal():
        return value
    return made_uid(value.encode("utf-8", "replace"))


def made_uid(content: bytes) -> str:
    """A UID (of the kind 2.25, PS3.5 B.2) that follows from some content."""
    return f"2.25.{int.from_bytes(sha256(content).digest()[:16], 'big')}"


def _value(dataset: Dataset, keyword: str) -> Any:
    try:
        element = _element(dataset, keyword)
        value = None if element is None else element.value
    except Exception:
        # A value of the wrong kind: pydicom raises nearly everything. Not to know is what is left.
        return None
    return None if value is None or value == "" or value == [] else value


def _item(dataset: Dataset, keyword: str, index: int) -> Dataset | None:
    try:
        element = _element(dataset, keyword)
        return None if element is None else element.value[index]
    except Exception:
        return None


def _element(dataset: Dataset, keyword: str) -> DataElement | None:
    """An attribute; None where it is absent, or was not converted yet and is too large for that."""
    tag = _tag(keyword)
    raw = dataset.get_item(tag)
    if isinstance(raw, RawDataElement) and len(raw.value or b"") > _LARGEST_VALUE_BYTES:
        return None
    return None if raw is None else dataset[tag]


@cache
def _tag(keyword: str) -> BaseTag:
    """The tag, which pydicom would look up anew for each frame."""
    return Tag(keyword)
