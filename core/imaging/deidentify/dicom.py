"""A DICOM file without what may tell whose scan it is, its pixels as they were."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate, pairwise

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, RLELossless

from core.errors import InputError
from core.imaging.deidentify.attributes import Attributes
from core.imaging.deidentify.codestream import without_comments
from core.imaging.deidentify.encoding import Encoding
from core.imaging.deidentify.profile import EDITION
from core.imaging.deidentify.pseudonyms import Pseudonyms
from core.imaging.deidentify.run_lengths import without_gaps
from core.imaging.dicom.fragments import frames_in, items_of
from core.imaging.dicom.layout import Layout, read_layout
from core.imaging.dicom.pixels import PACKINGS
from core.imaging.dicom.read import Header, damaged, read, refusing_damage
from core.imaging.dicom.values import Attributes as Values

# A UUID made once for this program; what writes a file names itself by it.
IMPLEMENTATION_UID = "2.25.213375204338294913580812911034180352671"
_IMPLEMENTATION_NAME = "NEUROTRIAGE"
# At most 64 characters (LO).
_METHOD = f"PS3.15 {EDITION} Basic Profile; numbers, standard terms, codes kept"
# PS3.16 CID 7050
_BASIC_PROFILE = ("113100", "DCM", "Basic Application Confidentiality Profile")
_RETAIN_UIDS = ("113110", "DCM", "Retain UIDs Option")
_METHOD_CODES, _PER_FRAME = 0x00120064, 0x52009230
_PIXEL_DATA = (0x7FE0, 0x0010)
_ITEM, _END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF
_PART_BYTES = 1 << 22  # of uncompressed pixels that are worked on at once
_LENGTHS = "ExtendedOffsetTableLengths"


def without_identity(data: bytes, pseudonyms: Pseudonyms, keep_uids: bool) -> bytes:
    """A DICOM file by the Basic Profile of PS3.15 Annex E, and stricter.

    Patient, dates, people, places, comments, private attributes, overlays, curves, everything that
    is not checked to be a number, a term of the standard or a code of a dictionary is gone; so are
    the preamble, other file meta information, what follows the pixels, and what packed pixels hold
    beside the picture. UIDs are replaced by their pseudonyms, unless they are kept. The values of
    the pixels are copied, never packed anew; bits of theirs that hold no value are cleared where
    they are not packed. The same file gives the same result, and so does the result.

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
        encoding = Encoding(header.syntax.is_implicit_VR, header.syntax.is_little_endian)
        required = "SharedFunctionalGroupsSequence" in dataset
        out = Attributes(pseudonyms, keep_uids, encoding, required).reduced(dataset)
        _identify(out, dataset, pseudonyms)
        _declare(out, encoding, keep_uids)
        return _file(out, header, encoding, _pixels(header, out, encoding))


def patient_without_issuer(data: bytes, pseudonyms: Pseudonyms) -> str | None:
    """The pseudonym that the patient of a DICOM file would get, had nobody given out the number.

    By it files of one study are known to be of one patient where some of them leave the issuer
    (Issuer of Patient ID) out, as modalities do whose archive adds it.

    Args:
        data: the file's bytes, as for ``without_identity``.
        pseudonyms: of patients.

    Returns:
        None where the file names no patient.

    Raises:
        InputError: it is damaged.
    """
    header = read(data)
    with refusing_damage():
        patient_id = _text(header.dataset, "PatientID")
        return pseudonyms.patient(patient_id) if patient_id else None


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


def _declare(out: Dataset, encoding: Encoding, keep_uids: bool) -> None:
    """Say in the file what was done to it (PS3.15 E.1.1, PS3.3 C.7.1.1)."""
    out.PatientIdentityRemoved = "YES"
    out.DeidentificationMethod = _METHOD
    methods = [_BASIC_PROFILE, *([_RETAIN_UIDS] if keep_uids else [])]
    items = b"".join(encoding.item(encoding.code(method)) for method in methods)
    out[_METHOD_CODES] = encoding.raw(_METHOD_CODES, "SQ", items)
    out.LongitudinalTemporalInformationModified = "REMOVED"


def _pixels(header: Header, out: Dataset, encoding: Encoding) -> list[memoryview | bytes] | None:
    """The value of the pixels in parts; None where there are none."""
    if header.pixels is None:
        return None
    layout = None
    # Of a layout that is not read the file will be refused.
    with suppress(InputError):
        layout = read_layout(Values(_first_frame(out, encoding)))
    # As the decoders do: whether the length is defined says nothing of how pixels are packed.
    if header.syntax.is_encapsulated:
        return _packed_pixels(header, out, layout)
    if header.pixels_length is None:
        damaged()
    _drop_long_table(out)
    length = min(header.pixels_length, len(header.pixels))
    if layout is not None:
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


def _packed_pixels(header: Header, out: Dataset, layout: Layout | None) -> list[memoryview | bytes]:
    """Offset table, fragments and end. A table that does not fit the fragments is emptied."""
    items = items_of(header.pixels)
    table, fragments = bytes(items[0][1]), items[1:]
    starts = {0, *accumulate(8 + len(part) for _, part in fragments)}
    if len(table) % 4 or not starts.issuperset(struct.unpack(f"<{len(table) // 4}I", table)):
        table = b""
    _check_long_table(out, starts)
    if layout is None or header.syntax not in PACKINGS:
        # The file will be refused.
        cleaned = (bytes(len(part)) for _, part in fragments)
    else:
        long_table = out.get("ExtendedOffsetTable")
        frames = frames_in([(0, memoryview(table)), *fragments], long_table, layout.frames)
        cleaned = _cleaned_fragments(frames, header.syntax, layout)
    parts: list[memoryview | bytes] = []
    for part in (table, *cleaned):
        parts += [struct.pack("<HHI", *_ITEM, len(part)), part]
    return [*parts, struct.pack("<HHI", *_END, 0)]


def _cleaned_fragments(
    frames: list[list[memoryview]], syntax: UID, layout: Layout
) -> Iterator[memoryview]:
    """The fragments of frames with nothing but their pictures, as long as they were.

    What is to go may begin in one fragment of a frame and end in the next.
    """
    for fragments in frames:
        packed = b"".join(fragments)
        if syntax == RLELossless:
            cleaned = memoryview(without_gaps(packed, layout.rows * layout.columns))
        else:
            cleaned = memoryview(without_comments(packed))
        ends = [0, *accumulate(map(len, fragments))]
        yield from (cleaned[start:end] for start, end in pairwise(ends))


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


def _first_frame(out: Dataset, encoding: Encoding) -> Dataset:
    """What is said of the first frame; the others are not parsed for it, nor is the whole kept."""
    found = Dataset()
    for tag in list(out.keys()):
        element = out.get_item(tag)
        found[tag] = encoding.first_item(element) if tag == _PER_FRAME else element
    return found


def _file(
    out: Dataset, header: Header, encoding: Encoding, pixels: list[memoryview | bytes] | None
) -> bytes:
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
    parts = [stream.getvalue(), encoding.dataset(out)]
    if pixels is not None:
        parts += [_pixels_head(header, sum(map(len, pixels))), *pixels]
    return b"".join(parts)


def _pixels_head(header: Header, length: int) -> bytes:
    if header.syntax.is_encapsulated:
        length = _UNDEFINED
    order = "<" if header.syntax.is_little_endian else ">"
    if header.syntax.is_implicit_VR:
        return struct.pack(order + "HHI", *_PIXEL_DATA, length)
    kind = b"OB" if header.pixels_are_bytes else b"OW"
    return struct.pack(order + "HH2sHI", *_PIXEL_DATA, kind, 0, length)
