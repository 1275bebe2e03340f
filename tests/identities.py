"""Files with a patient's identity planted wherever a format has room for it."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Iterator

import numpy as np
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from tests import dicoms

# Fits into the shortest kinds of text (16 characters) and is a coded string too.
NAME = "ZQXDOE_JANE"
NUMBER = "73519264408"
BIRTH_DATE = "19471103"
UID_ROOT = "1.2.777.73519264408"
# What must be nowhere, whatever its case. The number is part of the UIDs.
TRACES = (NAME, NUMBER, BIRTH_DATE, "ZQXDOE", "134711.731947")

# Without these as they should be no picture can be read.
_STRUCTURE = frozenset((0x00080016, 0x00280004, 0x00080005))
# Sequences whose items get everything, the others only some: referenced images, anatomic region.
_FULL = frozenset((0x00081140, 0x00082218))
_TEXTS = frozenset(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"))
_VALUES = {
    "DA": BIRTH_DATE,
    "TM": "134711.731947",
    "DT": f"{BIRTH_DATE}134711.731947",
    "UI": f"{UID_ROOT}.1",
    "OB": NAME.encode() + b"\0",
    "UN": NAME.encode() + b"\0",
    "OW": NAME.encode() + b"\0",
    "OL": NAME.encode() + b"\0",
    "OV": NAME.encode() + bytes(5),
    "OF": NAME.encode() + b"\0",
    "OD": NAME.encode() + bytes(5),
}
# Attributes that describe the packed pixels: they are not text.
_OWN_GROUPS = (0x0000, 0x0002, 0x7FE0, 0xFFFE, 0xFFFC)


def value_of(kind: str) -> str | bytes | None:
    """What is planted into an attribute of a kind; None for numbers and sequences."""
    return NAME if kind in _TEXTS else _VALUES.get(kind)


def text_attributes() -> Iterator[tuple[int, str]]:
    """Tag and kind of every attribute of the dictionary that has room for text or bytes."""
    for tag, (kinds, *_) in sorted(DicomDictionary.items()):
        if tag >> 16 in _OWN_GROUPS or tag in _STRUCTURE:
            continue
        for kind in kinds.split(" or "):
            if value_of(kind) is not None:
                yield tag, kind
                break
    for mask, (kinds, *_) in RepeatersDictionary.items():
        for digits in ("00", "02", "1E"):
            tag = int(mask.replace("xx", digits).replace("x", "0"), 16)
            kind = kinds.split(" or ")[0]
            if tag >> 16 not in _OWN_GROUPS and tag not in DicomDictionary and value_of(kind):
                yield tag, kind


def sequences() -> Iterator[int]:
    """Tags of every sequence of the dictionary but the functional groups."""
    for tag, (kinds, *_) in sorted(DicomDictionary.items()):
        if kinds == "SQ" and tag not in (0x52009229, 0x52009230, 0x00041220):
            yield tag


def plant(dataset: Dataset, depth: int = 1) -> None:
    """Write the identity into every attribute with room for it that is not there already.

    Attributes that hold text already lose it to the identity, but for those that the pixels need;
    sequences get an item with the same, down to a depth; private attributes are added.
    """
    for tag, kind in text_attributes():
        known = dataset.get(tag)
        if kind == "UI" and known is not None:
            continue
        dataset[tag] = DataElement(tag, kind, value_of(kind))
    dataset.PatientID, dataset.PatientName = NUMBER, NAME
    plant_private(dataset)
    if depth:
        for tag in sequences():
            if tag not in dataset:
                item = Dataset()
                plant(item, depth - 1) if tag in _FULL else _plant_few(item)
                dataset[tag] = DataElement(tag, "SQ", Sequence([item]))


def plant_private(dataset: Dataset) -> None:
    """Private attributes of every kind that holds text, a private sequence among them."""
    for group in (0x0009, 0x0029, 0x2001, 0x7FE1):
        block = dataset.private_block(group, f"{NAME} 1.0", create=True)
        block.add_new(1, "LO", NAME)
        block.add_new(2, "UN", NAME.encode() + b"\0")
        block.add_new(3, "PN", NAME)
        inner = Dataset()
        inner.PatientName = NAME
        block.add_new(4, "SQ", [inner])


def _plant_few(item: Dataset) -> None:
    item.PatientName, item.PatientID, item.PatientBirthDate = NAME, NUMBER, BIRTH_DATE
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = NUMBER, "99" + NAME[:6], NAME
    item.ReferencedSOPInstanceUID = f"{UID_ROOT}.2"
    item.TextValue = NAME
    plant_private(item)


def to_bytes(dataset: FileDataset, syntax: str | None = None) -> bytes:
    """The file with the identity in its preamble, its meta information and behind its end."""
    meta = dataset.file_meta
    meta.SourceApplicationEntityTitle = meta.SendingApplicationEntityTitle = NAME
    meta.ReceivingApplicationEntityTitle = NAME
    meta.ImplementationVersionName = NAME
    meta.PrivateInformationCreatorUID = f"{UID_ROOT}.9"
    meta.PrivateInformation = NAME.encode() + b"\0"
    data = dicoms.to_bytes(dataset, syntax)
    preamble = (f"{NAME} {NUMBER} ".encode() * 8)[:128]
    return preamble + data[128:] + _trailing_padding()


def _trailing_padding() -> bytes:
    dataset = Dataset()
    dataset.add_new(0xFFFCFFFC, "OB", NAME.encode() * 2)
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = False, True
    write_dataset(stream, dataset)
    return stream.getvalue()


def identified_dicom(instance: str = "1", **options) -> bytes:
    """A slice of an MR series with the identity everywhere."""
    dataset = dicoms.mr_dataset(instance=instance, **options)
    _use_hospital_uids(dataset, instance)
    plant(dataset)
    return to_bytes(dataset)


def identified_multi_frame(**options) -> bytes:
    """An Enhanced MR object with the identity everywhere."""
    dataset = dicoms.multi_frame_dataset(**options)
    _use_hospital_uids(dataset, "frames")
    plant(dataset)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        frame.FrameContentSequence[0].FrameComments = NAME
        frame.FrameContentSequence[0].FrameLabel = NAME
        frame.FrameContentSequence[0].FrameAcquisitionDateTime = f"{BIRTH_DATE}120000"
        plant_private(frame)
    return to_bytes(dataset)


def _use_hospital_uids(dataset: Dataset, instance: str) -> None:
    last = sum(instance.encode())
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{UID_ROOT}.3", f"{UID_ROOT}.4"
    dataset.FrameOfReferenceUID = f"{UID_ROOT}.5"
    dataset.SOPInstanceUID = f"{UID_ROOT}.6.{last}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID


def identified_nifti(version: int = 1, packed: bool = True) -> bytes:
    """A volume with the identity in every text of its header, an extension and gzip's header."""
    name = NAME.encode()
    plain = dicoms.nifti(
        packed=False, version=version, descrip=name, aux_file=name, intent_name=name
    )
    header, size = bytearray(plain[: 348 if version == 1 else 540]), 348 if version == 1 else 540
    voxels = plain[size + 4 :]
    if version == 1:
        header[4:14], header[14:32] = name[:10], name.ljust(18)
        struct.pack_into("<ii", header, 140, *struct.unpack("<ii", b"ZQXDOE19"))
    else:
        header[525:540] = name.ljust(15)
    extension = (name + b" " + NUMBER.encode()).ljust(56, b"\0")
    extended = struct.pack("<ii", 64, 6) + extension
    start = size + 4 + len(extended)
    if version == 1:
        struct.pack_into("<f", header, 108, start)
    else:
        struct.pack_into("<q", header, 168, start)
    data = bytes(header) + b"\1\0\0\0" + extended + voxels + name
    if not packed:
        return data
    stream = io.BytesIO()
    with gzip.GzipFile(f"{NAME}.nii", "wb", fileobj=stream, mtime=1_600_000_000) as file:
        file.write(data)
    out = stream.getvalue()
    # A comment stands behind the name where bit 4 of the flags says so (RFC 1952).
    end = out.index(b"\0", 10) + 1
    return out[:3] + bytes([out[3] | 16]) + out[4:end] + name + b"\0" + out[end:]


def traces_in(data: bytes) -> list[str]:
    """What of the identity is in some bytes: in ASCII and UTF-16, in any case, swapped too."""
    lowered = data.lower()
    found = []
    for trace in TRACES:
        text = trace.lower()
        forms = (text.encode(), text.encode("utf-16-le"), _swapped(text.encode()))
        found += [trace for form in forms if form and form in lowered]
    return found


def _swapped(text: bytes) -> bytes:
    """How big-endian words spell it."""
    even = text[: len(text) // 2 * 2]
    return np.frombuffer(even, "<u2").astype(">u2").tobytes()
