"""DICOM and NIfTI files with damaged bytes: a picture or an InputError, soon and in little memory.

A few hundred files in the suite, drawn anew each time; a failing one is kept by Hypothesis and
tried first the next time. For a longer run say how many of each kind::

    NEUROTRIAGE_FUZZ=20000 pytest tests/core/imaging/test_fuzz_files.py --timeout 0
"""

from __future__ import annotations

import os
import resource
import struct
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from core.errors import InputError
from core.imaging import open_image
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


def open_or_refuse(data: bytes) -> None:
    """Anything but finite pictures or an InputError fails the test that calls this."""
    try:
        image = open_image(data)
        for frame in {0, image.frame_count - 1}:
            facts = image.facts(frame)
            assert facts is None or (facts.stack and facts.study_uid and facts.series_uid)
            place = image.place(frame)
            assert place is None or np.isfinite([*place.origin, *place.spacing_mm]).all()
            scan = image.scan(frame)
            assert scan.pixels.ndim == 3 and scan.pixels.size > 0
            assert scan.pixels.dtype == np.float32 and np.isfinite(scan.pixels).all()
    except InputError as error:
        assert str(error).endswith(".") and "Error" not in str(error)


@pytest.mark.parametrize("name", FILES)
@settings(
    max_examples=CASES,
    deadline=None,  # the time of the processor counts, not that of a busy machine
    suppress_health_check=list(HealthCheck),
)
@given(edits=st.lists(EDIT, min_size=1, max_size=6), near=st.sampled_from([0.1, 0.4, 1.0]))
def test_a_damaged_file_is_read_or_refused(name: str, edits: list, near: float) -> None:
    data = edited(FILES[name], edits, near)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    open_or_refuse(data)
    assert time.process_time() - started < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES * 1024


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


@pytest.mark.parametrize("name", ENDLESS)
def test_a_file_of_endless_parts_takes_bounded_time(name: str) -> None:
    group, parts = ENDLESS[name]
    data = FILES["plain"]
    first = {8: b"\x08\x00\x08\x00CS", 0x7FE0: b"\xe0\x7f\x10\x00OW"}[group]
    at = data.index(first)
    started = time.process_time()
    open_or_refuse(data[:at] + parts + data[at:])
    assert time.process_time() - started < SECONDS
