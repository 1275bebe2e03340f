"""What may be drawn beside the values of DICOM pixels: overlays, curves, unused bits."""

from __future__ import annotations

import io

import numpy as np
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from core.imaging.deidentify import dicom as deidentify_dicom
from core.imaging.dicom.layout import Layout
from tests import dicoms, identities
from tests.core.imaging.deidentified import parsed, reduced


def test_overlays_curves_and_structured_content_go() -> None:
    dataset = dicoms.mr_dataset()
    dataset.add_new(0x60003000, "OW", identities.NAME.encode() + b"\0")
    dataset.add_new(0x60000040, "CS", "G")
    dataset.add_new(0x50003000, "OW", identities.NAME.encode() + b"\0")
    item = Dataset()
    item.TextValue = identities.NAME
    dataset.ContentSequence = dataset.GraphicAnnotationSequence = [item]
    dataset.IconImageSequence = [dicoms.mr_dataset()]
    out = reduced(dicoms.to_bytes(dataset))
    assert {e.tag.group for e in out} <= {0x8, 0x10, 0x12, 0x18, 0x20, 0x28, 0x7FE0}


def with_bits(kind: str, stored: int, syntax: str, planted: bool, signs: bool = True) -> bytes:
    """A head in some of the bits of its values, a bitmap in the others."""
    order = "<" if UID(syntax).is_little_endian else ">"
    dtype = np.dtype(kind)
    size, signed = dtype.itemsize, dtype.kind == "i"
    values = dicoms.head_slice(lesion=True).astype(np.int64) >> max(0, 8 - stored)
    values -= (1 << (stored - 1)) if signed else 0
    used = (1 << stored) - 1
    words = (values if signs else values & used).astype(f"u{size}")
    if planted:
        bitmap = np.unpackbits(np.frombuffer(identities.NAME.encode() * 9, np.uint8))
        at = np.s_[40, : min(80, len(bitmap))]
        words[at] ^= bitmap[:80].astype(words.dtype) << stored
    dataset = dicoms.mr_dataset()
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = size * 8, stored, stored - 1
    dataset.PixelRepresentation = int(signed)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset["PixelData"] = DataElement(
        0x7FE00010, "OB" if size == 1 else "OW", words.astype(f"{order}u{size}").tobytes()
    )
    list(dataset.iterall())
    dataset.set_original_encoding(UID(syntax).is_implicit_VR, UID(syntax).is_little_endian)
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize("part_bytes", [1 << 22, 1 << 10])
@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
)
@pytest.mark.parametrize(
    ("kind", "stored"),
    [("u1", 7), ("i1", 6), ("u2", 12), ("i2", 12), ("u2", 15), ("u4", 24), ("i4", 24)],
)
def test_bitmaps_in_bits_that_hold_no_value_go(
    kind: str, stored: int, syntax: str, part_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deidentify_dicom, "_PART_BYTES", part_bytes)
    clean, planted = (with_bits(kind, stored, syntax, yes) for yes in (False, True))
    assert clean != planted
    out = reduced(planted).PixelData
    assert out == reduced(clean).PixelData == parsed(clean).PixelData
    # Signs that the file leaves out are put in, which decoders do too.
    assert reduced(with_bits(kind, stored, syntax, False, signs=False)).PixelData == out


def test_pixels_without_bitmaps_are_not_copied() -> None:
    pixels = memoryview(np.arange(4096, dtype="<u2").tobytes())
    layout = Layout(64, 64, 1, 1, "MONOCHROME2", 16, 12, False, 0)
    (part,) = deidentify_dicom._without_unused_bits(pixels, layout, ExplicitVRLittleEndian)
    assert isinstance(part, memoryview) and part.obj is pixels.obj


def test_an_odd_number_of_bytes_keeps_its_last_one() -> None:
    dataset = dicoms.mr_dataset(dicoms.head_slice(95, 79).astype(np.uint8) >> 1)
    dataset.BitsStored, dataset.HighBit = 7, 6
    dataset.PixelData = bytes(value | 0x80 for value in dataset.PixelData)
    out = reduced(dicoms.to_bytes(dataset)).PixelData
    assert len(out) == 95 * 79 + 1 and max(out) < 0x80
