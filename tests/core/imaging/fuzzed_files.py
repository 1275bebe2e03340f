"""What fuzz tests send: valid files and what is done to them, and files of endless parts."""

from __future__ import annotations

import os
import struct

import numpy as np
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from tests import dicoms
from tests.core.imaging.dicom_scans import pydicoms_file

CASES = int(os.environ.get("NEUROTRIAGE_FUZZ", "25"))  # of each kind of file
SECONDS = 5  # of the processor, for one file
MEGABYTES = 500  # beyond what the process had; the largest valid file here has 1 MB of pixels

SMALL = dicoms.head_volume(4, 40, 36)
SLICE = dicoms.mr_dataset(SMALL[1], WindowCenter=100, WindowWidth=200, RescaleSlope=2)


FILES = {
    "plain": dicoms.to_bytes(SLICE),
    "implicit": dicoms.to_bytes(SLICE, ImplicitVRLittleEndian),
    "without preamble": dicoms.to_bytes(SLICE, preamble=False),
    "deflated": dicoms.to_bytes(SLICE, DeflatedExplicitVRLittleEndian),
    "multi-frame": dicoms.to_bytes(dicoms.multi_frame_dataset(SMALL)),
    "multi-frame, packed": dicoms.to_bytes(dicoms.multi_frame_dataset(SMALL), RLELossless),
    "run lengths": dicoms.to_bytes(SLICE, RLELossless),
    "JPEG 2000": dicoms.to_bytes(SLICE, JPEG2000Lossless),
    "JPEG-LS": dicoms.to_bytes(SLICE, JPEGLSLossless),
    "JPEG": pydicoms_file("SC_rgb_jpeg_dcmtk.dcm"),
    "JPEG of 12 bits": pydicoms_file("JPGExtended.dcm"),
    "lossless JPEG": pydicoms_file("SC_rgb_jpeg_gdcm.dcm"),
    "DICOMDIR": dicoms.dicomdir(dicoms.mr_series(SMALL)),
    "NIfTI": dicoms.nifti(SMALL.T, packed=False),
    "NIfTI of decimals": dicoms.nifti(SMALL.T.astype(np.float32), packed=False),
    "NIfTI, packed": dicoms.nifti(SMALL.T),
}
# Numbers that headers are likely to trip over.
ODD = st.sampled_from(
    [b"\0", b"\xff", b"\x80", b"\xff\xff", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0"]
    + [struct.pack("<f", value) for value in (np.nan, np.inf, -1.0, 1e30)]
    + [b"\xfe\xff\xdd\xe0", b"\xfe\xff\x0d\xe0", b"\\", b"-", b"9", b"SQ", b"UN", b"OB"]
)
EDIT = st.tuples(
    st.sampled_from(["replace", "replace", "replace", "insert", "delete", "cut"]),
    st.floats(0, 1, exclude_max=True),
    st.one_of(ODD, st.binary(min_size=1, max_size=8)),
)


def edited(data: bytes, edits: list[tuple[str, float, bytes]], near: float) -> bytes:
    """The file with some bytes changed, most of them in its header."""
    found = bytearray(data)
    for how, where, what in edits:
        at = int(len(found) * where * near)
        if how == "replace":
            found[at : at + len(what)] = what
        elif how == "insert":
            found[at:at] = what
        elif how == "delete":
            del found[at : at + len(what)]
        else:
            del found[max(at, 1) :]
    return bytes(found)


def element(group: int, number: int, kind: bytes, value: bytes, length: int | None = None) -> bytes:
    """An attribute in Explicit VR Little Endian with a length of four bytes."""
    size = len(value) if length is None else length
    return struct.pack("<HH2sHI", group, number, kind, 0, size) + value


ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
TINY = struct.pack("<HH2sH", 0x0009, 0x1000, b"LO", 0)
UNDEFINED = 0xFFFFFFFF
COUNT = 1_000_000
ENDLESS = {
    "attributes": (8, TINY * COUNT),
    "items": (8, element(0x0009, 0x1000, b"SQ", ITEM * COUNT, UNDEFINED)),
    "levels": (
        8, (element(0x0009, 0x1000, b"SQ", b"", UNDEFINED) + ITEM[:4] + b"\xff" * 4) * 50_000
    ),
    "frames": (0x7FE0, element(0x5200, 0x9230, b"SQ", ITEM * COUNT)),
    "attributes of a frame": (
        0x7FE0,
        element(
            0x5200, 0x9230, b"SQ",
            struct.pack("<HHI", 0xFFFE, 0xE000, len(TINY) * COUNT) + TINY * COUNT,
        ),
    ),
    "a number": (0x7FE0, element(0x0028, 0x1053, b"UN", b"1\\" * (8 * COUNT))),
}  # fmt: skip


def short(group: int, number: int, kind: bytes, value: bytes) -> bytes:
    """An attribute in Explicit VR Little Endian with a length of two bytes."""
    return struct.pack("<HH2sH", group, number, kind, len(value)) + value


def item(content: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


def nested(levels: int, content: bytes) -> bytes:
    for _ in range(levels):
        content = element(0x0008, 0x1140, b"SQ", item(content))
    return content


# Numbers of 15 attributes that may stay.
_NUMBERS = item(b"".join(short(0x0018, 0x0080 + number, b"DS", b"1 ") for number in range(15)))
_UIDS = item(short(0x0008, 0x1150, b"UI", b"1.2.3\0") + short(0x0008, 0x1155, b"UI", b"1.2.4\0"))
_CODE = item(short(0x0008, 0x0100, b"SH", b"T-A0100 ") + short(0x0008, 0x0102, b"SH", b"SRT "))
# Sequences that only those look into who copy what may stay, each of some 7 MB.
ENDLESS |= {
    "sequence of " + name: (8, element(0x0008, 0x1140, b"SQ", parts))
    for name, parts in {
        "numbers": _NUMBERS * 45_000,
        "UIDs": _UIDS * 190_000,
        "many UIDs": item(short(0x0008, 0x1155, b"UI", b"1\\" * 30_000)) * 120,
        "many numbers": item(short(0x0018, 0x0080, b"DS", b"1\\" * 30_000)) * 120,
        "terms": item(short(0x0008, 0x0008, b"CS", b"Q\\" * 30_000)) * 120,
        "codes": _CODE * 200_000,
        "items": ITEM * 900_000,
        "sequences": item(nested(100, _NUMBERS * 45_000)),
    }.items()
}


def endless(name: str) -> bytes:
    """A slice with endless parts in its header."""
    group, parts = ENDLESS[name]
    first = {8: b"\x08\x00\x08\x00CS", 0x7FE0: b"\xe0\x7f\x10\x00OW"}[group]
    at = FILES["plain"].index(first)
    return FILES["plain"][:at] + parts + FILES["plain"][at:]
