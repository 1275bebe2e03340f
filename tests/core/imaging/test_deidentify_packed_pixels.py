"""Packed pixels of DICOM files: what is written inside their streams goes, in place."""

from __future__ import annotations

import io
import struct
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit

from core.errors import InputError
from core.imaging.deidentify.codestream import without_comments
from tests import dicoms, identities
from tests.core.imaging.deidentified import parsed, reduced


def jpeg(text: bytes) -> bytes:
    stream = io.BytesIO()
    pixels = np.minimum(dicoms.head_slice(), 255).astype(np.uint8)
    exif = Image.Exif()
    exif[0x010E] = text.decode()
    Image.fromarray(pixels).save(stream, "JPEG", comment=text, exif=exif, quality=90)
    return stream.getvalue() + text


def jpeg_2000(text: bytes) -> bytes:
    pixels = dicoms.head_slice()
    data = parsed(dicoms.to_bytes(dicoms.mr_dataset(pixels), JPEG2000Lossless)).PixelData
    stream = data[data.index(b"\xff\x4f\xff\x51") :]
    comment = b"\xff\x64" + struct.pack(">HH", len(text) + 4, 1) + text
    at = stream.index(b"\xff\x52")  # comments may stand anywhere in the main header
    return stream[:at] + comment + stream[at:] + text


def boxed(text: bytes) -> bytes:
    stream = jpeg_2000(text)
    boxes = [(b"jP  ", b"\r\n\x87\n"), (b"ftyp", b"jp2 \0\0\0\0jp2 "), (b"xml ", text)]
    boxes += [(b"uuid", bytes(16) + text), (b"jp2c", stream)]
    return b"".join(struct.pack(">I4s", len(c) + 8, name) + c for name, c in boxes)


@pytest.mark.parametrize(
    ("make", "syntax"),
    [(jpeg, JPEGBaseline8Bit), (jpeg_2000, JPEG2000Lossless)],
)
def test_comments_in_packed_pixels_are_overwritten_in_place(make: Any, syntax: str) -> None:
    packed = make(identities.NAME.encode() + b" ")
    dataset = dicoms.mr_dataset()
    if make is jpeg:
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit = 7
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([packed])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    assert identities.traces_in(stream.getvalue())
    out = reduced(stream.getvalue())
    assert identities.traces_in(out.PixelData) == []
    assert len(out.PixelData) == len(dataset.PixelData)


def seconds(work: Any) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def test_a_run_of_fill_bytes_costs_no_more_than_its_length() -> None:
    short, long, huge = (
        b"\xff\xd8\xff\xda\x00\x02" + b"\xff" * size + b"\0\xff\xd9" + b"x"
        for size in (25_000, 100_000, 4_000_000)
    )
    # Were the cost the square of the length, it would be 16 times as much.
    assert (
        seconds(lambda: without_comments(long))
        <= 8 * seconds(lambda: without_comments(short)) + 0.1
    )
    assert without_comments(huge) == huge[:-1] + b"\0"


def test_comments_in_the_boxes_of_a_wrapped_stream_are_overwritten_too() -> None:
    plain, named = boxed(b" " * 11), boxed(identities.NAME.encode())
    assert without_comments(plain) == without_comments(named) != named
    start = named.index(b"\xff\x93")  # where the packed pixels begin
    assert without_comments(named)[start:-20] == named[start:-20]


_STREAMS = [make(b"ZQXDOE") for make in (jpeg, jpeg_2000, boxed)]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_streams_keep_their_length_or_are_refused(data: st.DataObject) -> None:
    stream = bytearray(data.draw(st.sampled_from(_STREAMS)))
    for _ in range(data.draw(st.integers(0, 5))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(stream[: data.draw(st.integers(0, len(stream)))])
    try:
        once = without_comments(cut)
    except InputError:
        return
    assert len(once) == len(cut)
    assert without_comments(once) == once
