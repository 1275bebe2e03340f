"""Colours of DICOM pixels, however they are stored."""

from __future__ import annotations

import numpy as np
import pytest

from core.imaging import open_image
from core.types import ScanKind
from tests import dicoms
from tests.core.imaging.dicom_scans import HEAD, pydicoms_file, scan_of

# Colour bars of 100 x 100, ten rows each: the colour in the middle of some of them.
BARS = {5: (255, 0, 0), 25: (0, 255, 0), 45: (0, 0, 255), 65: (0, 0, 0), 85: (192, 192, 192)}


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
    scan = open_image(pydicoms_file(name)).scan(0)
    assert (scan.kind, scan.pixels.shape) == (ScanKind.COMPOSITE, (100, 100, 3))
    for row, colour in BARS.items():
        assert np.abs(scan.pixels[row, 50] - colour).max() <= tolerance, row


def test_a_palette_gives_colours():
    pixels = HEAD.astype(np.uint8)
    dataset = dicoms.secondary_capture_dataset(pixels, PhotometricInterpretation="PALETTE COLOR")
    tables = {"Red": np.arange(256), "Green": np.arange(256)[::-1], "Blue": np.full(256, 7)}
    for colour, values in tables.items():
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        data = (values * 257).astype("<u2").tobytes()
        setattr(dataset, f"{colour}PaletteColorLookupTableData", data)
    scan = scan_of(dataset)
    assert (scan.kind, scan.bits) == (ScanKind.COMPOSITE, 16)
    expected = np.dstack([table[pixels] for table in tables.values()]) * 257
    assert np.array_equal(scan.pixels, expected)


def test_a_secondary_capture_is_what_a_colour_picture_would_be():
    gray = np.repeat(HEAD.astype(np.uint8)[..., None], 3, axis=2)
    scan = scan_of(dicoms.secondary_capture_dataset(gray))
    assert scan.kind is ScanKind.GRAY and scan.pixels.shape == (96, 80, 1)
    sequences = np.dstack([HEAD, np.roll(HEAD, 20, axis=1), HEAD // 2]).astype(np.uint8)
    scan = scan_of(dicoms.secondary_capture_dataset(sequences))
    assert scan.kind is ScanKind.COMPOSITE and np.array_equal(scan.pixels, sequences)


def test_colours_that_lie_one_by_one_are_put_together():
    colours = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    dataset = dicoms.secondary_capture_dataset(colours, PlanarConfiguration=1)
    dataset.PixelData = colours.transpose(2, 0, 1).tobytes()
    assert np.array_equal(scan_of(dataset).pixels, colours)
