"""DICOM pixels that cannot be, are larger than told, or break off."""

from __future__ import annotations

import io
import struct

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
)

from core.errors import InputError
from core.imaging import open_image
from core.imaging.dicom.codestream import declared_size
from tests import dicoms
from tests.core.imaging.dicom_scans import DEEP, HEAD


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Rows": 0}, "no pixels"),
        ({"Columns": 0}, "no pixels"),
        ({"Rows": None}, "Rows is absent"),
        ({"Rows": 65535, "Columns": 65535}, "far more than a brain MRI slice"),
        ({"Rows": 97}, "breaks off"),
        ({"NumberOfFrames": 2}, "breaks off"),
        ({"NumberOfFrames": 999_999_999}, "claims 999,999,999 pictures"),
        ({"NumberOfFrames": -1}, "NumberOfFrames is absent or damaged"),
        ({"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}, "does not read"),
        ({"BitsAllocated": 12}, "does not read"),
        ({"BitsStored": 17}, "does not read"),
        ({"HighBit": 7}, "order of bits"),
        ({"SamplesPerPixel": 3}, "colour model"),
        ({"PhotometricInterpretation": "CMYK"}, "colour model"),
        ({"PixelData": None}, "no picture"),
    ],
    ids=str,
)
def test_a_picture_that_cannot_be_is_refused(changes, said):
    with pytest.raises(InputError, match=said) as caught:
        open_image(dicoms.to_bytes(dicoms.mr_dataset(**changes)))
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_a_packed_picture_of_another_size_than_told_is_refused(syntax):
    data = dicoms.to_bytes(dicoms.mr_dataset(), syntax)
    dataset = dcmread(io.BytesIO(data))
    dataset.Rows, dataset.Columns = 4096, 4096
    with pytest.raises(InputError, match=r"contradicts itself|damaged"):
        open_image(dicoms.to_bytes(dataset)).scan(0)


SIZ_OF_2000 = b"\xff\x4f\xff\x51" + struct.pack(
    ">HH4I16xH", 41, 0, dicoms.head_slice().shape[1], dicoms.head_slice().shape[0], 0, 0, 1
)  # fmt: skip


def encapsulated(stream: bytes, syntax: str) -> bytes:
    """A head's DICOM file around some packed stream."""
    dataset = dicoms.mr_dataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dicoms.to_bytes(dataset)


def with_table(jpeg: bytes, size: tuple[int, int]) -> bytes:
    """A JPEG of a claimed size whose quantisation table spells the start of a JPEG 2000 stream."""
    at = next(at for at in range(len(jpeg)) if jpeg[at : at + 2] in (b"\xff\xc0", b"\xff\xc1"))
    claiming = jpeg[: at + 5] + struct.pack(">2H", *size) + jpeg[at + 9 :]
    table = struct.pack(">2sHB", b"\xff\xdb", 67, 3) + SIZ_OF_2000.ljust(64, b"\1")
    return claiming[:2] + table + claiming[2:]


@pytest.mark.parametrize(("bits", "syntax"), [(12, JPEGExtended12Bit), (8, JPEGBaseline8Bit)])
def test_the_size_of_a_jpeg_is_that_of_its_frame(bits, syntax, monkeypatch):
    packed = imagecodecs.jpeg8_encode(HEAD.astype(f"u{(bits + 7) // 8}"), bitspersample=bits)
    assert declared_size(with_table(packed, HEAD.shape)) == (*HEAD.shape, 1)
    spoofed = with_table(packed, (20_000, 20_000))
    assert declared_size(spoofed) == (20_000, 20_000, 1)
    monkeypatch.setattr(imagecodecs, "jpeg8_decode", lambda *_, **__: pytest.fail("was decoded"))
    with pytest.raises(InputError, match="contradicts itself"):
        open_image(encapsulated(spoofed, syntax)).scan(0)


def test_the_size_of_a_wrapped_jpeg_2000_is_that_of_its_codestream():
    packed = imagecodecs.jpeg2k_encode(DEEP, level=0, codecformat="jp2")
    at = packed.index(b"jp2c") - 4
    box = struct.pack(">I4s", len(SIZ_OF_2000) + 8, b"xml ") + SIZ_OF_2000
    long_box = struct.pack(">I4sQ", 1, b"xml ", len(SIZ_OF_2000) + 16) + SIZ_OF_2000
    for other in (b"", box, long_box, box * 90):
        wrapped = packed[:at] + other + packed[at:]
        assert declared_size(wrapped) == (*DEEP.shape, 1)
    large = imagecodecs.jpeg2k_encode(np.zeros((200, 300), "u2"), level=0, codecformat="jp2")
    at = large.index(b"jp2c") - 4
    assert declared_size(large[:at] + box + large[at:]) == (200, 300, 1)
    image = open_image(encapsulated(packed + bytes(len(packed) % 2), JPEG2000Lossless))
    assert np.array_equal(image.scan(0).pixels[..., 0], DEEP)


@pytest.mark.parametrize(
    "stream",
    [
        b"BM" + SIZ_OF_2000,
        b"BM\xff\xc0\0\x0b\x08\0\x60\0\x50\1\1\x11\0",
        b"\0\0\0\x0cjP  \r\n\x87\n" + struct.pack(">I4s", 0, b"xml ") + SIZ_OF_2000,
        b"\0\0\0\x0cjP  \r\n\x87\n" + struct.pack(">I4s", 8, b"jp2c") + b"\0" + SIZ_OF_2000,
    ],
)  # fmt: skip
def test_what_begins_otherwise_declares_no_size(stream):
    assert declared_size(stream) is None


def test_a_packed_picture_that_breaks_off_is_refused():
    dataset = dcmread(get_testdata_file("JPGExtended.dcm"))
    stream = bytes(dataset.PixelData[8 + 8 :])
    dataset.PixelData = encapsulate([stream[: len(stream) // 2]])
    with pytest.raises(InputError, match="damaged or incomplete"):
        open_image(dicoms.to_bytes(dataset)).scan(0)


def test_an_unknown_packing_is_named():
    data = dicoms.to_bytes(dicoms.mr_dataset())
    data = data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.7\0")
    with pytest.raises(InputError, match=r"transfer syntax 1\.2\.840\.10008\.1\.2\.7"):
        open_image(data)
