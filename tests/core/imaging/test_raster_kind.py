"""Telling a gray scan saved in colour from three sequences in one picture."""

from __future__ import annotations

import numpy as np
import pytest

from core.imaging.raster import decode
from core.types import ScanKind
from tests.pictures import save


def head(height: int = 128, width: int = 128) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    inside = ((y - height / 2) / (0.4 * height)) ** 2 + ((x - width / 2) / (0.32 * width)) ** 2 < 1
    texture = 120 + 60 * np.sin(x / 5) * np.cos(y / 7)
    return np.where(inside, texture, 2).astype(np.uint8)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_few_coloured_marks_leave_a_gray_scan_gray(form: str) -> None:
    array = np.dstack([head(256, 256)] * 3)
    array[60:63, 100:120] = [255, 0, 0]
    array[5:9, 5:12] = [255, 255, 0]
    assert decode(save(array, form)).kind is ScanKind.GRAY


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG"])
def test_three_sequences_of_one_head_are_a_composite(form: str) -> None:
    pre = head().astype(np.float32)
    flair, post = pre * 0.6, pre.copy()
    flair[50:75, 50:75] = 230  # a lesion is bright on FLAIR
    post[55:70, 55:70] = 250
    array = np.dstack([pre, flair, post]).astype(np.uint8)
    scan = decode(save(array, form))
    assert scan.kind is ScanKind.COMPOSITE
    assert scan.pixels.shape == (128, 128, 3)


def test_a_black_border_does_not_hide_the_sequences() -> None:
    array = np.zeros((600, 600, 3), np.uint8)
    array[200:300, 200:300] = np.dstack([head(100, 100), head(100, 100) // 2, head(100, 100) // 3])
    assert decode(save(array, "PNG")).kind is ScanKind.COMPOSITE


def test_a_blank_colour_picture_is_gray() -> None:
    assert decode(save(np.zeros((9, 9, 3), np.uint8), "PNG")).kind is ScanKind.GRAY
