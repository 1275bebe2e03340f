"""Pictures that are no brain MRI, for measuring the out-of-distribution score.

Nothing is downloaded: photographs, drawings and micrographs come with scikit-image, matplotlib,
scikit-learn and pydicom; the rest is drawn here. A picture with colours goes in as it is and in
gray, since a gray picture is what most scans are. Of the pictures that packages ship, every second
subject is left to the fit of the score (``train.data.negatives``); of the others one half is
measured with on ``test``, and the other on any other split, so that a score can be chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import skimage
import sklearn

from core.errors import InputError
from core.imaging import decode
from core.types import FloatArray, Scan, ScanKind

_SIDE = 256
_SKIMAGE_SCANS = {"phantom.png", "multipage.tif", "multipage_rgb.tif"}  # a head phantom; pages
DRAWINGS = 6
# Parts of the shipped pictures: the places that a subject may have in each row of four.
MEASURED, CHOSEN, FITTED = (0,), (2,), (1, 3)


def strangers(split: str = "test") -> dict[str, list[Scan]]:
    """Scans that are no brain MRI, by kind; always the same for a split.

    Args:
        split: what is measured on ``test`` is not measured on other splits.
    """
    part, number = (MEASURED, 0) if split == "test" else (CHOSEN, 1)
    rng = np.random.default_rng(number)
    return {
        "photographs and drawings": list(shipped(part)),
        "blank": [gray(np.full((_SIDE, _SIDE), v)) for v in (0, 60, 128, 255)],
        "noise": [gray(_noise(rng, power)) for power in (0, 0, 0.5, 1, 1.5, 2)],
        "patterns": [gray(pattern) for pattern in list(_patterns())[number::2]],
        "text pages": [gray(_page(rng)) for _ in range(DRAWINGS)],
        "X-ray-like": [gray(_chest(rng)) for _ in range(DRAWINGS)],
        "body-part-like": [gray(_trunk(rng)) for _ in range(DRAWINGS)] + _dicom(number),
    }


def shuffled(pixels: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """A picture (height, width, channels) cut into ``count`` times ``count`` tiles, and mixed."""
    height, width = (size // count * count for size in pixels.shape[:2])
    tiles = pixels[:height, :width].reshape(count, height // count, count, width // count, -1)
    tiles = tiles.swapaxes(1, 2)
    mixed = rng.permutation(tiles.reshape(count * count, *tiles.shape[2:])).reshape(tiles.shape)
    return mixed.swapaxes(1, 2).reshape(height, width, -1)


def ruined(scan: Scan, rng: np.random.Generator) -> dict[str, Scan]:
    """A real scan damaged beyond reading, by kind of damage."""
    pixels = scan.pixels
    top = max(float(pixels.max()), 1.0)
    tiles = shuffled(pixels, 4, rng)
    noise = rng.uniform(0, 1, pixels.shape).astype(np.float32) * top
    striped = np.where((np.arange(scan.size[0]) // 6 % 2 == 0)[:, None, None], pixels, top)
    changed = {
        "tiles shuffled": tiles,
        "drowned in noise": 0.15 * pixels + 0.85 * noise,
        "striped": striped,
        "inverted": top - pixels,
    }
    return {
        name: replace(scan, pixels=np.ascontiguousarray(values, dtype=np.float32))
        for name, values in changed.items()
    }


def shipped(part: tuple[int, ...]) -> Iterator[Scan]:
    """The pictures that the packages ship of ``MEASURED``, ``CHOSEN`` or ``FITTED`` subjects.

    Several pictures of one subject (for the left and the right eye, in gray and in colours) are in
    the same part.
    """
    folders = (
        Path(skimage.__file__).parent / "data",
        Path(matplotlib.get_data_path()) / "sample_data",
        Path(sklearn.__file__).parent / "datasets" / "images",
    )
    paths = [
        path
        for folder in folders
        for path in sorted(folder.iterdir())
        if path.suffix in (".png", ".jpg") and path.name not in _SKIMAGE_SCANS
    ]
    subjects = sorted({_subject(path) for path in paths})
    chosen = {one for place, one in enumerate(subjects) if place % 4 in part}
    for path in (path for path in paths if _subject(path) in chosen):
        try:
            scan = decode(path.read_bytes())
        except InputError:
            continue
        yield scan
        if scan.kind is ScanKind.COMPOSITE:
            yield gray(scan.pixels.mean(axis=2))


def _subject(path: Path) -> str:
    """What a shipped picture shows: the first word of its name."""
    return re.split(r"[^a-z]", path.stem.lower())[0] or path.stem


def _dicom(number: int) -> list[Scan]:
    from pydicom import dcmread
    from pydicom.data import get_testdata_file

    found = get_testdata_file(("CT_small.dcm", "examples_overlay.dcm")[number], download=False)
    return [] if found is None else [gray(dcmread(str(found)).pixel_array)]


def gray(pixels: np.ndarray) -> Scan:
    """A gray scan of any values, (height, width) or (height, width, 1); none below 0 is left."""
    values = np.ascontiguousarray(pixels, dtype=np.float32)
    values = values if values.ndim == 3 else values[..., None]
    return Scan(values - min(0.0, float(values.min())), ScanKind.GRAY, "PNG", 8)


def _noise(rng: np.random.Generator, power: float) -> np.ndarray:
    """Noise whose amplitude falls with the frequency to a power: 0 white, 2 cloud-like."""
    white = np.fft.rfft2(rng.normal(size=(_SIDE, _SIDE)))
    down, across = np.fft.fftfreq(_SIDE)[:, None], np.fft.rfftfreq(_SIDE)[None]
    frequency = np.maximum(np.hypot(down, across), 1 / _SIDE)
    shaped = np.fft.irfft2(white / frequency**power)
    return (shaped - shaped.min()) / np.ptp(shaped) * 255


def _patterns() -> Iterator[np.ndarray]:
    y, x = np.mgrid[:_SIDE, :_SIDE]
    yield x * 1.0
    yield (x // 32 + y // 32) % 2 * 255.0
    yield (np.hypot(y - 128, x - 128) < 90) * 200.0
    yield 127 + 127 * np.sin(np.hypot(y - 128, x - 128) / 6)
    yield (abs(y - 128) < 50) * (abs(x - 128) < 80) * 180.0
    yield 127 + 127 * np.sin(x / 5.0)


def _page(rng: np.random.Generator) -> np.ndarray:
    page = np.full((_SIDE, _SIDE), 250, np.uint8)
    for line in range(16, _SIDE, 16):
        words = "".join(rng.choice(list("abcdefghiklmnopqrstuvw    "), 34))
        cv2.putText(page, words, (8, line), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 20, 1, cv2.LINE_AA)
    return page


def _chest(rng: np.random.Generator) -> np.ndarray:
    """Two dark lungs crossed by ribs, a bright spine and heart: the look of a chest X-ray."""
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float32)
    picture = np.full((_SIDE, _SIDE), 150, np.float32) + rng.normal(0, 4, (_SIDE, _SIDE))
    for centre in (80, 176):
        lung = np.hypot((y - 125) / 90, (x - centre - rng.uniform(-5, 5)) / 38) < 1
        picture[lung] -= 90
    for rib in range(9):
        height = 35 + rib * 22 + rng.uniform(-3, 3)
        arc = np.abs(y - height - 0.004 * (x - 128) ** 2) < 3
        picture[arc] += 35
    picture[np.abs(x - 128) < 12] += 50
    picture[np.hypot((y - 160) / 45, (x - 145) / 40) < 1] += 45
    return cv2.GaussianBlur(np.clip(picture, 0, 255), (0, 0), 1.5)


def _trunk(rng: np.random.Generator) -> np.ndarray:
    """An ellipse with organs, a spine and a bright rim: the look of an axial slice of the trunk."""
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float32)
    body = np.hypot((y - 128) / 75, (x - 128) / 112)
    picture = np.where(body < 1, 90, 0) + np.where((body > 0.9) & (body < 1), 60, 0)
    picture = picture.astype(np.float32)
    for _ in range(9):
        centre_y, centre_x = rng.uniform(90, 160), rng.uniform(50, 206)
        organ = np.hypot((y - centre_y) / rng.uniform(8, 30), (x - centre_x) / rng.uniform(8, 30))
        picture[(organ < 1) & (body < 0.85)] = rng.uniform(20, 220)
    picture[np.hypot(y - 180, x - 128) < 14] = 240
    picture += (picture > 0) * rng.normal(0, 5, picture.shape)
    return cv2.GaussianBlur(np.clip(picture, 0, 255), (0, 0), 1.0)
