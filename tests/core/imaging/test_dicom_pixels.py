"""Values of DICOM pixels: layouts, rescaling, windows, packings."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from core.imaging import open_image
from tests import dicoms
from tests.core.imaging.dicom_scans import DEEP, HEAD, gray_of, pydicoms_file, scan_of


@pytest.mark.parametrize(
    "pixels",
    [HEAD.astype(np.uint8), DEEP, DEEP.astype(np.int16) - 2000, HEAD[:, :79].astype(np.uint8)],
    ids=["8 bits", "16 bits", "signed", "odd length"],
)
def test_values_are_those_of_the_file(pixels):
    scan = scan_of(dicoms.mr_dataset(pixels))
    assert np.array_equal(scan.pixels[..., 0], pixels)
    assert scan.bits == pixels.dtype.itemsize * 8
    assert (scan.source_format, scan.spacing_mm, scan.window) == ("DICOM", (1.0, 1.0), None)


@pytest.mark.parametrize("bits", [10, 12, 15])
def test_of_fewer_stored_bits_the_sign_is_that_of_the_stored_ones(bits):
    low = -(1 << (bits - 1))
    values = np.linspace(low, -low - 1, 80 * 96).reshape(96, 80).astype(np.int16)
    unused = values.view(np.uint16) & ((1 << bits) - 1)  # the bits above are not set
    dataset = dicoms.mr_dataset(
        unused.view(np.int16), BitsStored=bits, HighBit=bits - 1, PixelRepresentation=1
    )
    assert np.array_equal(gray_of(dataset), values)
    assert scan_of(dataset).bits == bits


def test_overlays_in_unused_bits_are_no_part_of_the_values():
    dataset = dicoms.mr_dataset(DEEP | 0x8000, BitsStored=12, HighBit=11)
    assert np.array_equal(gray_of(dataset), DEEP)


def test_rescale_is_applied():
    dataset = dicoms.mr_dataset(DEEP, RescaleSlope="0.5", RescaleIntercept="-100")
    assert np.allclose(gray_of(dataset), DEEP * 0.5 - 100)


@pytest.mark.parametrize("slope", ["0", "nan", "x"])
def test_a_slope_that_cannot_be_is_ignored(slope):
    dataset = dicoms.mr_dataset(DEEP)
    dataset.add_new(0x00281053, "DS", "1.00")
    data = dicoms.to_bytes(dataset).replace(b"1.00", slope.encode().ljust(4))
    assert np.array_equal(open_image(data).scan(0).pixels[..., 0], DEEP)


def test_a_modality_table_replaces_the_values():
    table = Dataset()
    table.LUTDescriptor = [200, 10, 16]  # for the values from 10 to 209; others as the nearest
    table.LUTData = np.arange(1200, 1000, -1).astype("<u2").tobytes()
    dataset = dicoms.mr_dataset(HEAD)
    dataset.ModalityLUTSequence = [table]
    dataset.ModalityLUTSequence[0]["LUTData"].VR = "OW"
    assert np.array_equal(gray_of(dataset), 1210 - np.clip(HEAD.astype(np.float32), 10, 209))


def test_monochrome1_is_turned_so_that_light_is_high_in_all_slices_alike():
    dark = dicoms.mr_dataset(
        DEEP, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11
    )
    assert np.array_equal(gray_of(dark), 4095 - DEEP.astype(np.float32))
    dark.RescaleSlope, dark.RescaleIntercept = 2, 10
    dark.WindowCenter, dark.WindowWidth = 1000.5, 201
    scan = scan_of(dark)
    assert np.array_equal(scan.pixels[..., 0], 2 * (4095 - DEEP.astype(np.float32)) + 10)
    # 900 to 1100 of values that run from 10 to 8200.
    assert scan.window == (8210 - 1100, 8210 - 900)


@pytest.mark.parametrize(
    ("function", "expected"),
    [(None, (100, 300)), ("LINEAR", (100, 300)), ("LINEAR_EXACT", (100, 301))],
)
def test_the_window_is_told_in_the_values_of_the_pixels(function, expected):
    dataset = dicoms.mr_dataset(
        WindowCenter=[200.5, 7], WindowWidth=[201, 9], VOILUTFunction=function
    )
    assert scan_of(dataset).window == pytest.approx(expected)
    assert np.array_equal(gray_of(dataset), HEAD)


@pytest.mark.parametrize("width", [0, -5])
def test_a_window_without_width_is_none(width):
    assert scan_of(dicoms.mr_dataset(WindowCenter=5, WindowWidth=width)).window is None


def test_padding_becomes_the_darkest_value():
    pixels = DEEP.astype(np.int16) + 50
    pixels[:, :10] = -2000
    dataset = dicoms.mr_dataset(pixels)
    dataset.add_new(0x00280120, "SS", -2000)
    assert gray_of(dataset).min() == 50


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
@pytest.mark.parametrize("pixels", [DEEP, HEAD.astype(np.uint8)], ids=["16 bits", "8 bits"])
def test_lossless_packings_give_the_values_of_the_file(syntax, pixels):
    assert np.array_equal(gray_of(dicoms.mr_dataset(pixels), syntax), pixels)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless])
def test_frames_of_a_packed_file_are_found(syntax):
    image = open_image(dicoms.to_bytes(dicoms.multi_frame_dataset(), syntax))
    assert image.frame_count == 12
    for frame, expected in enumerate(dicoms.head_volume()):
        assert np.array_equal(image.scan(frame).pixels[..., 0], expected)


@pytest.mark.parametrize("has_table", [True, False])
def test_frames_in_several_fragments_are_found_with_and_without_a_table(has_table):
    streams = []
    for pixels in dicoms.head_volume():
        out = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(out, "JPEG", quality=95)
        streams.append(out.getvalue())
    dataset = dicoms.multi_frame_dataset(
        dicoms.head_volume().astype(np.uint8), BitsAllocated=8, BitsStored=8, HighBit=7
    )
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate(streams, fragments_per_frame=3, has_bot=has_table)
    dataset["PixelData"].is_undefined_length = True
    image = open_image(dicoms.to_bytes(dataset))
    for frame, expected in enumerate(dicoms.head_volume()):
        difference = image.scan(frame).pixels[..., 0] - expected
        assert np.abs(difference).mean() < 2


# Values that pydicom's own tests give for these files, (row, column): value.
KNOWN = {
    "MR_small.dcm": {(0, 31): 422, (31, 0): 366, (-1, -1): 862},
    "JPGExtended.dcm": {(420, 140): 244, (230, 120): 95},
    "JPEG-lossy.dcm": {(420, 140): 244, (230, 120): 95},
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_values_of_known_files(name):
    pixels = open_image(pydicoms_file(name)).scan(0).pixels[..., 0]
    for at, value in KNOWN[name].items():
        assert pixels[at] == value


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm", "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm",
    ],
)  # fmt: skip
def test_the_same_picture_packed_in_other_ways_is_the_same(name):
    expected = open_image(pydicoms_file("MR_small.dcm")).scan(0).pixels
    assert np.array_equal(open_image(pydicoms_file(name)).scan(0).pixels, expected)
