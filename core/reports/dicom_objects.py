"""What the DICOM objects made here have in common: their source, their author and their UIDs.

An object made twice from the same results is the same to the last byte, so that an archive that
gets it again does not keep it twice: UIDs follow from the content, and times are those of the
analysis.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from highdicom.base import SOPClass
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.errors import InvalidDicomError
from pydicom.uid import MRImageStorage, SecondaryCaptureImageStorage
from pydicom.valuerep import DA, TM

from core.errors import InputError
from core.imaging.dicom.values import made_uid
from core.store.sent_reports import SentReport
from core.types import SlicePlace

# It logs UIDs, and names that it takes for none.
logging.getLogger("highdicom").setLevel(logging.CRITICAL + 1)

log = logging.getLogger(__name__)

PRODUCT = "NeuroTriage"
# A source's number 3 becomes 391 (segmentation) and 392 (report): beside each other in a viewer.
# Results that are sent later count on by two, up to 398; then the descriptions tell them apart.
_SERIES_NUMBERS, _MOST_RENUMBERED = 100, 3
_Made = TypeVar("_Made", bound=SOPClass)
_TIMES = {"PatientBirthDate": DA, "StudyDate": DA, "StudyTime": TM}
_SEX = ("M", "F", "O")
_SINGLE_FRAME = (MRImageStorage, SecondaryCaptureImageStorage)

# The whole of what a result may take over from its source; everything else stays behind.
_ALWAYS = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
)
_WHERE_PRESENT = (
    "SpecificCharacterSet",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPClassUID",
    "SOPInstanceUID",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
    "Modality",
    "SeriesNumber",
    "BodyPartExamined",
    "PatientOrientation",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)


@dataclass(frozen=True, eq=False)
class SourceSlice:
    """A slice that a result is about.

    Attributes:
        header: of its object, from ``source_header``; frames of one object share it.
        frame: which frame of the object, from 0.
        place: where it lies; None where the object does not say.
    """

    header: Dataset
    frame: int
    place: SlicePlace | None


@dataclass(frozen=True)
class Making:
    """How a result came about.

    Attributes:
        model_version: identity of the weights.
        made_at: when the analysis was finished; with a time zone.
        seed: what the result is made of, in one line: UIDs follow from it.
        earlier: reports of the same series that are in the archive, oldest first. The result says
            that it comes after them, and has other UIDs than one that does not.
    """

    model_version: str
    made_at: datetime
    seed: str
    earlier: tuple[SentReport, ...] = ()

    def uid(self, purpose: str) -> str:
        """A UID for one part of the result; the same seed and purpose give the same."""
        after = [self.earlier[-1].instance_uid] if self.earlier else []
        return made_uid("\0".join([self.seed, *after, purpose]).encode())

    def described(self, what: str) -> str:
        """The description of a series of results, which tells it from those sent earlier."""
        version = f", version {len(self.earlier) + 1}" if self.earlier else ""
        return f"{PRODUCT}: {what} (research){version}"


def source_header(data: bytes) -> Dataset:
    """What results take over from a DICOM file: patient, study, references and geometry.

    Args:
        data: the file, its identity removed.

    Raises:
        InputError: it is no DICOM file, or lacks the UIDs that a result refers to.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of values, which they quote
            header = _header(data)
    except (InvalidDicomError, ValueError, KeyError, AttributeError, EOFError) as error:
        raise InputError("The stored DICOM file cannot be read any more.") from error
    if header.PatientSex not in _SEX:
        header.PatientSex = ""
    for name, kind in _TIMES.items():
        try:
            kind(header[name].value)
        except (ValueError, TypeError):
            header[name].value = ""
    needed = ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID")
    missing = [name for name in needed if name not in header]
    if missing:
        raise InputError(f"The stored DICOM file has no {', '.join(missing)} to refer to.")
    return header


def series_attributes(source: Dataset, making: Making, kind: str, digit: int) -> dict[str, Any]:
    """Arguments of highdicom's constructors that both objects share.

    Args:
        source: header of a slice.
        making: how the result came about.
        kind: ``SEG`` or ``SR``; each has its own series.
        digit: last digit of the number of the series.
    """
    local = making.made_at.astimezone()
    later = min(len(making.earlier), _MOST_RENUMBERED)
    return {
        "series_instance_uid": making.uid(f"{kind} series"),
        "series_number": _number(source) * _SERIES_NUMBERS + 90 + digit + 2 * later,
        "sop_instance_uid": instance_uid(making, kind),
        "instance_number": 1,
        "manufacturer": PRODUCT,
        "manufacturer_model_name": PRODUCT,
        "software_versions": making.model_version,
        "device_serial_number": making.model_version,
        "content_qualification": "RESEARCH",
        "content_date": local.date(),
        "content_time": local.time().replace(microsecond=0),
        "specific_character_set": "ISO_IR 192",
    }


def instance_uid(making: Making, kind: str) -> str:
    """UID of an object, ``SEG`` or ``SR``, that comes about so."""
    return making.uid(f"{kind} instance")


def copied(header: Dataset) -> Dataset:
    """A header to be changed, without the patient's name.

    Of what it takes for no name highdicom warns, naming it; ``settle`` puts the name back.
    """
    header = deepcopy(header)
    header.PatientName = ""
    return header


def settle(dataset: SOPClass, source: Dataset, making: Making) -> None:
    """Replace what highdicom takes from the clock; keep what says that an identity was removed."""
    local = making.made_at.astimezone()
    dataset.InstanceCreationDate = DA(local.date())
    dataset.InstanceCreationTime = TM(local.time().replace(microsecond=0))
    # It would name the library with the present time, and the scanner.
    if "ContributingEquipmentSequence" in dataset:
        del dataset.ContributingEquipmentSequence
    dataset.PatientName = source.PatientName
    for name in ("PatientIdentityRemoved", "DeidentificationMethod",
                 "DeidentificationMethodCodeSequence"):  # fmt: skip
        if name in source:
            dataset[name] = source[name]


def to_bytes(dataset: Dataset) -> bytes:
    """A dataset as a file."""
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def distinct_headers(slices: Sequence[SourceSlice]) -> list[Dataset]:
    """The objects that slices come from, each once, in the order of the slices."""
    return list({one.header.SOPInstanceUID: one.header for one in slices}.values())


def said_in_words(build: Callable[[], _Made], words: str) -> _Made:
    """Run a constructor of highdicom; where it refuses a source, the reader is told so.

    Raises:
        InputError: with these words.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of values, which they quote
            return build()
    except Exception as error:
        # It raises whatever a header makes it stumble on, and quotes the header.
        log.warning("A DICOM object was not made: %s.", type(error).__name__)
        raise InputError(words) from error


def _header(data: bytes) -> Dataset:
    file = dcmread(
        io.BytesIO(data),
        force=True,
        stop_before_pixels=True,
        specific_tags=[*_ALWAYS, *_WHERE_PRESENT],
    )
    header = Dataset()
    for name in _WHERE_PRESENT:
        if file.get(name) not in (None, ""):
            header[name] = file[name]
    if header.get("SOPClassUID") in _SINGLE_FRAME and header.get("NumberOfFrames") == 1:
        # Superfluous there, and taken for the mark of a multi-frame object.
        del header.NumberOfFrames
    for name in _ALWAYS:
        header[name] = file[name] if name in file else DataElement(name, _vr(name), "")
    return header


def _number(source: Dataset) -> int:
    number = int(source.get("SeriesNumber") or 0)
    return number if 0 <= number < 10**6 else 0


def _vr(name: str) -> str:
    return dictionary_VR(tag_for_keyword(name) or 0)
