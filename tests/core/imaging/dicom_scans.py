"""Scans read from synthetic DICOM datasets, and pydicom's own test files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from core.imaging import open_image
from core.types import Scan, ScanKind
from tests import dicoms

HEAD = dicoms.head_slice()
DEEP = dicoms.head_slice(peak=4000)


def scan_of(dataset: Dataset, frame: int = 0, syntax: str | None = None) -> Scan:
    return open_image(dicoms.to_bytes(dataset, syntax)).scan(frame)


def gray_of(dataset: Dataset, syntax: str | None = None) -> np.ndarray:
    scan = scan_of(dataset, syntax=syntax)
    assert scan.kind is ScanKind.GRAY and scan.pixels.dtype == np.float32
    return scan.pixels[..., 0]


def pydicoms_file(name: str) -> bytes:
    """One of pydicom's own test files."""
    return Path(get_testdata_file(name)).read_bytes()
