"""The validators of dicom3tools and dcmtk, and results to give to them."""

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from core.inference.measure import measure_lesion
from core.reports.dicom_objects import Making, SourceSlice, source_header
from core.types import SlicePlace
from tests.dicoms import head_volume, mr_series, secondary_capture_dataset, to_bytes

MAKING = Making("fake-1", datetime(2026, 3, 5, 9, 30, tzinfo=UTC), "series, model and masks")


def masks(depth: int = 12, masked: range = range(5, 8)) -> np.ndarray:
    """bool (depth, 96, 80): the bright spot of `head_volume`, and single pixels in corners."""
    found = head_volume(depth, lesion=masked) == 220
    found[masked.start, 0, 0] = found[masked.stop - 1, 95, 79] = True
    return found


def series(files: list[bytes] | None = None, step: float = 5.0) -> list[SourceSlice]:
    """The slices of a series made by `mr_series`."""
    files = mr_series() if files is None else files
    return [
        SourceSlice(source_header(data), 0, place(i, step)) for i, data in enumerate(files)
    ]  # fmt: skip


def screen_slices() -> list[SourceSlice]:
    """The only slice of a secondary capture, which has no place."""
    return [SourceSlice(source_header(to_bytes(secondary_capture_dataset())), 0, None)]


def place(index: int, step: float = 5.0) -> SlicePlace:
    """Where `mr_series` and `multi_frame_dataset` put a slice."""
    return SlicePlace((-40, -48, -30 + index * step), (1, 0, 0), (0, 1, 0), (1.0, 1.0), step)


def diameter_mm(mask: np.ndarray) -> float:
    lesion = measure_lesion(mask.astype(np.uint8), 0.0, (1.0, 1.0))
    assert lesion is not None and lesion.diameter_mm is not None
    return lesion.diameter_mm


def complaints(tool: str, data: bytes, folder: Path) -> list[str]:
    """What a validator says against a file; lines that are no error are left out.

    `dciodvfy` knows no private coding schemes and warns of each; those are allowed (PS3.3 8.2).
    """
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed (Debian: dicom3tools, dcmtk)")
    path = folder / "object.dcm"
    path.write_bytes(data)
    ran = subprocess.run([tool, str(path)], capture_output=True, timeout=60, check=False)
    said = (ran.stderr + (ran.stdout if tool == "dciodvfy" else b"")).decode().splitlines()
    lines = [line for line in said if line.startswith(("Error", "E:", "F:"))]
    return lines if ran.returncode == 0 else [*lines, f"{tool} ended with {ran.returncode}"]
