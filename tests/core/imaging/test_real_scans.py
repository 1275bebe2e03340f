"""Decoding and preprocessing of real scans, a sample of every set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.imaging.preprocess import SIDE, map_to_source, map_to_square, prepare
from core.imaging.raster import decode
from core.types import ScanKind

pytestmark = pytest.mark.data

SAMPLE = 25
GRAY_SETS = {
    "figshare": "images/*.jpg",
    "sartaj": "*/*/*.jpg",
    "nickparvar": "*/*/*.jpg",
    "br35h": "no/*.jpg",
}


def spread(files: list[Path]) -> list[Path]:
    """``SAMPLE`` files, evenly spread over a sorted list."""
    assert files, "the data folder lacks this set"
    return [files[i] for i in np.linspace(0, len(files) - 1, SAMPLE).astype(int)]


@pytest.mark.parametrize("name", GRAY_SETS)
def test_a_gray_sets_scans_show_a_head(data_root: Path, name: str) -> None:
    areas = []
    for path in spread(sorted((data_root / name).glob(GRAY_SETS[name]))):
        scan = decode(path.read_bytes())
        assert (scan.source_format, scan.bits) == ("JPEG", 8)
        prepared = prepare(scan)
        assert prepared.image.shape == (SIDE, SIDE, 3), path
        assert prepared.contrast > 0.3, path
        assert prepared.head.mean() > 0.2, path
        areas.append(prepared.head.mean())
    # The crop follows the head: it fills the square, up to the corners that a round head leaves.
    assert 0.5 < np.median(areas) < 0.9


def lesion_slices(root: Path) -> list[Path]:
    masks = sorted((root / "lgg" / "kaggle_3m").glob("*/*_mask.tif"))
    sized = [m for m in masks[::5] if decode(m.read_bytes()).pixels.sum() > 255 * 300]
    return spread([m.with_name(m.name.replace("_mask", "")) for m in sized])


def test_lgg_slices_are_composites_whose_lesion_comes_back(data_root: Path) -> None:
    areas, composites = [], 0
    for path in lesion_slices(data_root):
        scan = decode(path.read_bytes())
        with Image.open(path) as image:
            channels = np.asarray(image).astype(int)
        # A patient without pre- or post-contrast series has FLAIR in all three channels: gray.
        differ = np.ptp(channels, axis=2).max() > 2
        assert scan.kind is (ScanKind.COMPOSITE if differ else ScanKind.GRAY), path
        composites += differ
        assert (scan.source_format, scan.size) == ("TIFF", (256, 256))
        prepared = prepare(scan)
        areas.append(prepared.head.mean())
        mask_file = path.with_name(f"{path.stem}_mask.tif")
        mask = decode(mask_file.read_bytes()).pixels[..., 0] / 255
        square = map_to_square(mask, prepared.geometry)
        inside = (square > 0.5) & prepared.head
        assert inside.sum() > 0.9 * (square > 0.5).sum(), f"{path}: lesion outside of the head"
        back = map_to_source(square, prepared.geometry) > 0.5
        assert 2 * (back & (mask > 0.5)).sum() / (back.sum() + (mask > 0.5).sum()) > 0.95, path
    assert composites > 0.8 * SAMPLE
    assert 0.4 < np.median(areas) < 0.9
