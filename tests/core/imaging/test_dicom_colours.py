"""Colours of DICOM pixels, however they are stored."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import InputError
from core.imaging import open_image
from core.types import ScanKind
from tests import dicoms
from tests.core.imaging.dicom_scans import HEAD, pydicoms_file, scan_of

LUMA = np.array([0.299, 0.587, 0.114])
# Colour bars of 100 x 100, ten rows each: the colour in the middle of some of them.
BARS = {5: (255, 0, 0), 25: (0, 255, 0), 45: (0, 0, 255), 65: (0, 0, 0), 85: (192, 192, 192)}


def is_noticed(image) -> bool:
    return any("read as gray" in notice for notice in image.series.notices)


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("SC_rgb_rle.dcm", 0),
        ("SC_rgb_jpeg_gdcm.dcm", 0),  # lossless
        ("SC_rgb_jls_lossy_line.dcm", 10),
        ("SC_rgb_jpeg_dcmtk.dcm", 5),
        ("SC_rgb_dcmtk_+eb+cr.dcm", 5),
        ("SC_rgb_dcmtk_+eb+cy+s2.dcm", 5),
        ("SC_ybr_full_422_uncompressed.dcm", 5),
    ],
)
def test_colours_are_red_green_and_blue_however_they_are_stored(name, tolerance):
    image = open_image(pydicoms_file(name))
    scan = image.scan(0)
    assert (scan.kind, scan.pixels.shape) == (ScanKind.GRAY, (100, 100, 1))
    for row, colour in BARS.items():
        # Each colour has a brightness of its own.
        assert abs(scan.pixels[row, 50, 0] - LUMA @ colour) <= tolerance + 1e-3, row
        assert abs(image.brightest(0)[row, 50] - max(colour)) <= tolerance, row
    assert is_noticed(image)


def test_a_palette_gives_colours():
    pixels = HEAD.astype(np.uint8)
    dataset = dicoms.secondary_capture_dataset(pixels, PhotometricInterpretation="PALETTE COLOR")
    tables = {"Red": np.arange(256), "Green": np.arange(256)[::-1], "Blue": np.full(256, 7)}
    for colour, values in tables.items():
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        data = (values * 257).astype("<u2").tobytes()
        setattr(dataset, f"{colour}PaletteColorLookupTableData", data)
    scan = scan_of(dataset)
    assert (scan.kind, scan.bits) == (ScanKind.GRAY, 16)
    colours = np.dstack([table[pixels] for table in tables.values()]) * 257
    np.testing.assert_allclose(scan.pixels[..., 0], colours @ LUMA, rtol=1e-5)
    assert is_noticed(open_image(dicoms.to_bytes(dataset)))


@pytest.mark.parametrize("modality", ["MR", "OT"])
def test_a_coloured_capture_is_never_a_composite_of_sequences(modality):
    # What a picture file may be: a map, and three sequences in three channels.
    coloured = HEAD.astype(np.uint8)
    maps = np.dstack([coloured, np.where(coloured > 150, 200, coloured // 2), coloured // 3])
    sequences = np.dstack([HEAD, np.roll(HEAD, 20, axis=1), HEAD // 2])
    for colours in (maps.astype(np.uint8), sequences.astype(np.uint8)):
        image = open_image(
            dicoms.to_bytes(dicoms.secondary_capture_dataset(colours, Modality=modality))
        )
        scan = image.scan(0)
        assert scan.kind is ScanKind.GRAY
        np.testing.assert_allclose(scan.pixels[..., 0], colours @ LUMA, atol=1e-3)
        assert is_noticed(image)


def test_a_gray_capture_is_not_called_coloured():
    gray = np.repeat(HEAD.astype(np.uint8)[..., None], 3, axis=2)
    gray[4:8, 4:12] = (255, 0, 0)  # a mark
    image = open_image(dicoms.to_bytes(dicoms.secondary_capture_dataset(gray)))
    scan = image.scan(0)
    assert scan.kind is ScanKind.GRAY and scan.pixels.shape == (96, 80, 1)
    np.testing.assert_allclose(scan.pixels[20:, :, 0], HEAD[20:], rtol=1e-5)
    assert not is_noticed(image)


def test_colours_on_some_frames_are_noticed_for_the_file():
    frames = np.repeat(np.repeat(HEAD.astype(np.uint8)[None, ..., None], 5, 0), 3, 3)
    frames[1, ..., 1:] //= 2
    dataset = dicoms.secondary_capture_dataset(frames[0], NumberOfFrames=5)
    dataset.PixelData = frames.tobytes()
    image = open_image(dicoms.to_bytes(dataset))
    assert image.frame_count == 5 and all("gray" in image.facts(n).notices[-1] for n in range(5))


def test_damaged_colours_are_told_where_they_are_asked_for():
    data = bytearray(pydicoms_file("SC_rgb_jpeg_dcmtk.dcm"))
    data[data.index(b"\xff\xc0") + 6] += 1  # another height than the file says
    image = open_image(bytes(data))
    assert not is_noticed(image)  # what the file says is readable
    for ask in (image.scan, image.brightest):
        with pytest.raises(InputError, match="contradicts itself"):
            ask(0)


def test_colours_that_lie_one_by_one_are_put_together():
    colours = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    dataset = dicoms.secondary_capture_dataset(colours, PlanarConfiguration=1)
    dataset.PixelData = colours.transpose(2, 0, 1).tobytes()
    np.testing.assert_allclose(scan_of(dataset).pixels[..., 0], colours @ LUMA, atol=1e-3)
