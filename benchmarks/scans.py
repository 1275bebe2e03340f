"""The scans that are measured on."""

from __future__ import annotations

import numpy as np

from core.config import settings
from core.imaging import decode
from core.types import Scan, ScanKind

COUNT = 32


def benchmark_scans() -> tuple[list[Scan], str]:
    """32 scans and a word on what they are.

    figshare's slices where NEUROTRIAGE_DATA names them, otherwise drawn heads of the same size.
    """
    root = settings().data
    if root is not None:
        files = sorted((root / "figshare" / "images").glob("*.jpg"))
        if len(files) >= COUNT:
            chosen = files[:: len(files) // COUNT][:COUNT]
            return [decode(f.read_bytes()) for f in chosen], "figshare slices, 256 px"
    return [_drawn_head(seed) for seed in range(COUNT)], "drawn heads, 256 px"


def _drawn_head(seed: int) -> Scan:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:256, 0:256] / 256
    radius = np.hypot((y - 0.5) / 0.42, (x - 0.5) / 0.36)
    picture = np.where(radius < 1, 110 + rng.normal(0, 8, radius.shape), 0.0)
    picture[(radius > 0.92) & (radius < 1)] = 220
    centre_y, centre_x = rng.uniform(0.35, 0.65, 2)
    picture[np.hypot(y - centre_y, x - centre_x) < 0.08] += 90
    pixels = np.clip(picture, 0, 255).astype(np.float32)[..., None]
    return Scan(pixels, ScanKind.GRAY, "PNG", 8)
