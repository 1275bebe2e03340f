"""A DICOM file without what may tell whose scan it is, its pixels as they were."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID

from core.errors import InputError
from core.imaging.deidentify.attributes import Attributes
from core.imaging.deidentify.codestream import without_comments
from core.imaging.deidentify.profile import EDITION
from core.imaging.deidentify.pseudonyms import Pseudonyms
from core.imaging.dicom.fragments import items_of
from core.imaging.dicom.layout import Layout, read_layout
from core.imaging.dicom.read import Header, read, refusing_damage
from core.imaging.dicom.values import Attributes as Values

# A UUID made once for this program; what writes a file names itself by it.
IMPLEMENTATION_UID = "2.25.213375204338294913580812911034180352671"
_IMPLEMENTATION_NAME = "NEUROTRIAGE"
# At most 64 characters (LO).
_METHOD = f"PS3.15 {EDITION} Basic Profile; numbers, standard terms, codes kept"
_BASIC_PROFILE, _RETAIN_UIDS = "113100", "113110"  # PS3.16 CID 7050
_PIXEL_DATA = (0x7FE0, 0x0010)
_ITEM, _END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF
_PART_BYTES = 1 << 22  # of uncompressed pixels that are worked on at once
_LENGTHS = "ExtendedOffsetTableLengths"


def without_identity(data: bytes, pseudonyms: Pseudonyms, keep_uids: bool) -> bytes:
    """A DICOM file by the Basic Profile of PS3.15 Annex E, and stricter.

    Patient, dates, people, places, comments, private attributes, overlays, curves, everything that
    is not checked to be a number, a term of the standard or a code of a dictionary is gone; so are
    the preamble, other file meta information, what follows the pixels, and comments in packed
    pixels. UIDs are replaced by their pseudonyms, unless they are kept. The values of the pixels
    are copied, never packed anew; bits of theirs that hold no value are cleared where they are not
    packed. The same file gives the same result, and so does the result.

    Args:
        data: the file's bytes, for which ``is_dicom`` holds.
        pseudonyms: of patients and UIDs.
        keep_uids: whether the UIDs stay (the profile's Retain UIDs Option).

    Raises:
        DirectoryFileError: it is a DICOMDIR.
        InputError: it is damaged.
    """
    header = read(data)
    with refusing_damage():
        dataset = header.dataset
        reduce = Attributes(
            pseudonyms,
            keep_uids,
            little=header.syntax.is_little_endian,
            required="SharedFunctionalGroupsSequence" in dataset,
        )
        out = reduce.reduced(dataset)
        _identify(out, dataset, pseudonyms)
        _declare(out, keep_uids)
        return _file(out, header, _pixels(header, out))


def _identify(out: Dataset, dataset: Dataset, pseudonyms: Pseudonyms) -> None:
    """Put the pseudonym where the patient's attributes stood."""
    patient_id = _text(dataset, "PatientID")
    pseudonym = pseudonyms.patient(patient_id, _text(dataset, "IssuerOfPatientID"))
    out.PatientID = out.PatientName = pseudonym if patient_id else ""
    out.PatientBirthDate = out.PatientSex = ""


def _text(dataset: Dataset, keyword: str) -> str:
    try:
        value = dataset.get(keyword)
    except Exception:
        # Of a damaged value pydicom raises nearly everything; without it the patient has no name.
        return ""
    return value.strip("\0 ") if isinstance(value, str) else ""


def _declare(out: Dataset, keep_uids: bool) -> None:
    """Say in the file what was done to it (PS3.15 E.1.1, PS3.3 C.7.1.1)."""
    out.PatientIdentityRemoved = "YES"
    out.DeidentificationMethod = _METHOD
    methods = [_BASIC_PROFILE, *([_RETAIN_UIDS] if keep_uids else [])]
    out.DeidentificationMethodCodeSequence = [_code(method) for method in methods]
    out.LongitudinalTemporalInformationModified = "REMOVED"


def _code(value: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = value, "DCM"
    item.CodeMeaning = {
        _BASIC_PROFILE: "Basic Application Confidentiality Profile",
        _RETAIN_UIDS: "Retain UIDs Option",
    }[value]
    return item


def _pixels(header: Header, out: Dataset) -> list[memoryview | bytes] | None:
    """The value of the pixels in parts; None where there are none."""
    if header.pixels is None:
        return None
    if header.pixels_length is None:
        return _packed_pixels(header.pixels, out)
    _drop_long_table(out)
    length = min(header.pixels_length, len(header.pixels))
    layout = None
    # Of a layout that is not read the file will be refused.
    with suppress(InputError):
        layout = read_layout(Values(out))
        length = min(length, layout.frame_bytes * layout.frames)
    # An odd number of bytes ends in the middle of a word, whose other half may come first.
    length = min(length + length % 2, len(header.pixels))
    parts: list[memoryview | bytes] = [header.pixels[:length]]
    if layout is not None and layout.bits_stored < layout.bits_allocated:
        parts = list(_without_unused_bits(header.pixels[:length], layout, header.syntax))
    return [*parts, bytes(length % 2)]


def _without_unused_bits(
    pixels: memoryview, layout: Layout, syntax: UID
) -> Iterator[memoryview | bytes]:
    """Uncompressed pixels without the bitmaps (overlays) that may stand in bits above the stored.

    These become what decoders take them for anyway: zeros, or copies of the sign. The lowest bit
    stored is always the first, as of other layouts the file is refused. What holds nothing there,
    as most files do, is not copied.
    """
    size = layout.bits_allocated // 8
    order = "<" if syntax.is_little_endian else ">"
    kind = np.dtype(f"{order}{'i' if layout.signed else 'u'}{size}")
    unused = layout.bits_allocated - layout.bits_stored
    for start in range(0, len(pixels), _PART_BYTES):
        part = pixels[start : start + _PART_BYTES]
        values = np.frombuffer(part, kind, len(part) // size)
        cleaned = (values << unused) >> unused
        if np.array_equal(values, cleaned):
            yield part
        else:
            yield cleaned.astype(kind).tobytes()
            yield part[len(values) * size :]


def _packed_pixels(pixels: memoryview, out: Dataset) -> list[memoryview | bytes]:
    """Offset table, fragments and end. A table that does not fit the fragments is emptied."""
    items = [part for _, part in items_of(pixels)]
    table, fragments = bytes(items[0]), items[1:]
    starts = {0, *accumulate(8 + len(part) for part in fragments)}
    if len(table) % 4 or not starts.issuperset(struct.unpack(f"<{len(table) // 4}I", table)):
        table = b""
    _check_long_table(out, starts)
    parts: list[memoryview | bytes] = []
    for part in (table, *(without_comments(bytes(part)) for part in fragments)):
        parts += [struct.pack("<HHI", *_ITEM, len(part)), part]
    return [*parts, struct.pack("<HHI", *_END, 0)]


def _check_long_table(out: Dataset, starts: set[int]) -> None:
    """Drop an extended offset table that does not fit the fragments."""
    table, lengths = (
        struct.unpack(f"<{len(value) // 8}Q", value[: len(value) // 8 * 8])
        for value in (out.get("ExtendedOffsetTable") or b"", out.get(_LENGTHS) or b"")
    )
    fits = starts.issuperset(table) and len(lengths) == len(table)
    if not (fits and all(length <= max(starts) for length in lengths)):
        _drop_long_table(out)


def _drop_long_table(out: Dataset) -> None:
    for keyword in ("ExtendedOffsetTable", _LENGTHS):
        if keyword in out:
            delattr(out, keyword)


def _file(out: Dataset, header: Header, pixels: list[memoryview | bytes] | None) -> bytes:
    """The file: an empty preamble, new meta information, the dataset and the pixels."""
    stream = DicomBytesIO()
    stream.write(bytes(128) + b"DICM")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(str(out.get("SOPClassUID", "")))
    meta.MediaStorageSOPInstanceUID = UID(str(out.get("SOPInstanceUID", "")))
    meta.TransferSyntaxUID = header.syntax
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    meta.ImplementationVersionName = _IMPLEMENTATION_NAME
    meta.FileMetaInformationGroupLength = 0  # the writer puts in what it is
    meta.FileMetaInformationVersion = b"\0\1"
    write_file_meta_info(stream, meta, enforce_standard=False)
    stream.is_implicit_VR = header.syntax.is_implicit_VR
    stream.is_little_endian = header.syntax.is_little_endian
    out.set_original_encoding(stream.is_implicit_VR, stream.is_little_endian)
    write_dataset(stream, out)
    if pixels is None:
        return stream.getvalue()
    head = _pixels_head(header, sum(map(len, pixels)))
    return b"".join([stream.getvalue(), head, *pixels])


def _pixels_head(header: Header, length: int) -> bytes:
    if header.pixels_length is None:
        length = _UNDEFINED
    order = "<" if header.syntax.is_little_endian else ">"
    if header.syntax.is_implicit_VR:
        return struct.pack(order + "HHI", *_PIXEL_DATA, length)
    kind = b"OB" if header.pixels_are_bytes else b"OW"
    return struct.pack(order + "HH2sHI", *_PIXEL_DATA, kind, 0, length)
