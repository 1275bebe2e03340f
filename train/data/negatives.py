"""Pictures that are no brain MRI, to fit the out-of-distribution score with.

They are of other kinds than those that the score is measured with (``train.evaluation.strangers``):
other damage to other scans, other drawings, and of the photographs that packages ship the half that
is not measured with.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import skimage

from core.imaging import prepare
from core.types import FloatArray, Scan, ScanKind, UInt8Array
from train.evaluation.strangers import FITTED, gray, shipped, shuffled

_SIDE = 256
_SCENES = 200
# Scikit-image's faces of 25 x 25 pixels come enlarged, every second one.
_FACES_EVERY, _FACE_SIDE = 2, 200


def negatives(scans: UInt8Array, seed: int = 5) -> UInt8Array:
    """Prepared squares (n, 224, 224, 3) of pictures that are no brain MRI.

    Args:
        scans: gray squares of the training, (k, side, side, 1); each is damaged in every way.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    pictures = [
        *(gray(one) for scan in scans for one in damaged(scan.astype(np.float32), rng).values()),
        *(_scene(rng) for _ in range(_SCENES)),
        *_faces(),
        *shipped(FITTED),
    ]
    return np.stack([prepare(picture).image for picture in pictures])


def damaged(pixels: FloatArray, rng: np.random.Generator) -> dict[str, FloatArray]:
    """A scan damaged beyond reading, by kind of damage.

    Args:
        pixels: float32 (height, width, 1), from 0.
        rng: of the draws.
    """
    height, width, _ = pixels.shape
    top = max(float(pixels.max()), 1.0)
    small = rng.uniform(0, top, (height // 4, width // 4)).astype(np.float32)
    noise = cv2.resize(small, (width, height))[..., None]
    stripe = int(rng.integers(8, 30))
    lit = (np.arange(width) // stripe % 2 == 0)[None, :, None]
    shift = (int(rng.uniform(0.25, 0.75) * height), int(rng.uniform(0.25, 0.75) * width))
    found = {
        "tiles shuffled": shuffled(pixels, int(rng.choice([2, 3, 5, 6, 8])), rng),
        "swirled": _swirled(pixels, rng),
        "rolled over the edges": np.roll(pixels, shift, (0, 1)),
        "drowned in coarse noise": 0.25 * pixels + 0.75 * noise,
        "columns missing": np.where(lit, pixels, 0),
        "solarised": np.where(pixels > 0.3 * top, top - pixels, pixels),
        "phase lost": _without_phase(pixels, rng),
    }
    return {name: np.ascontiguousarray(one, dtype=np.float32) for name, one in found.items()}


def _swirled(pixels: FloatArray, rng: np.random.Generator) -> FloatArray:
    height, width, _ = pixels.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    y, x = y - height / 2, x - width / 2
    angle = np.hypot(y, x) / max(height, width) * rng.uniform(6, 14) * rng.choice([-1, 1])
    cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    across, down = width / 2 + x * cos - y * sin, height / 2 + x * sin + y * cos
    return cv2.remap(pixels, across, down, cv2.INTER_LINEAR)[..., None]


def _without_phase(pixels: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The scan's spectrum with the phase of noise: its texture without its anatomy."""
    noise = np.angle(np.fft.fft2(rng.normal(size=pixels.shape[:2])))
    mixed = np.fft.ifft2(np.abs(np.fft.fft2(pixels[..., 0])) * np.exp(1j * noise)).real
    return (mixed - mixed.min())[..., None]


def _scene(rng: np.random.Generator) -> Scan:
    """Random shapes in random colours, most with cloud-like noise, more than half in gray."""
    scene = np.zeros((_SIDE, _SIDE, 3), np.float32) + rng.uniform(0, 255, 3) * rng.choice([0, 1])
    scene = scene.astype(np.float32)
    draw = (_polygon, _ellipse, _line)
    kind = int(rng.integers(4))
    if kind < len(draw):
        for _ in range(int(rng.integers(5, 80))):
            draw[kind](scene, rng)
    else:
        scene = _mosaic(rng)
    if rng.random() < 0.7:
        scene = scene + _clouds(rng)[..., None] * rng.uniform(5, 60)
    scene = cv2.GaussianBlur(scene.astype(np.float32), (0, 0), float(rng.uniform(0.3, 3)))
    if rng.random() < 0.6:
        scene = scene.mean(axis=2, keepdims=True)
    kind_of = ScanKind.COMPOSITE if scene.shape[2] == 3 else ScanKind.GRAY
    return Scan(np.ascontiguousarray(np.clip(scene, 0, 255)), kind_of, "PNG", 8)


def _polygon(scene: FloatArray, rng: np.random.Generator) -> None:
    corners = rng.uniform(-40, _SIDE + 40, (int(rng.integers(3, 7)), 2)).astype(np.int32)
    cv2.fillPoly(scene, [corners], rng.uniform(0, 255, 3).tolist())


def _ellipse(scene: FloatArray, rng: np.random.Generator) -> None:
    x, y = (int(v) for v in rng.uniform(0, _SIDE, 2))
    axes = tuple(int(v) for v in rng.uniform(3, 70, 2))
    colour, thickness = rng.uniform(0, 255, 3).tolist(), int(rng.choice([-1, -1, 2, 4]))
    cv2.ellipse(scene, (x, y), axes, float(rng.uniform(0, 360)), 0, 360, colour, thickness)


def _line(scene: FloatArray, rng: np.random.Generator) -> None:
    x0, y0, x1, y1 = (int(v) for v in rng.uniform(0, _SIDE, 4))
    colour = rng.uniform(0, 255, 3).tolist()
    cv2.line(scene, (x0, y0), (x1, y1), colour, int(rng.integers(1, 12)))


def _mosaic(rng: np.random.Generator) -> FloatArray:
    """Voronoi cells."""
    points = rng.uniform(0, _SIDE, (int(rng.integers(5, 60)), 2))
    y, x = np.mgrid[:_SIDE, :_SIDE]
    nearest = ((y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2).argmin(-1)
    return rng.uniform(0, 255, (len(points), 3)).astype(np.float32)[nearest]


def _clouds(rng: np.random.Generator) -> FloatArray:
    white = np.fft.rfft2(rng.normal(size=(_SIDE, _SIDE)))
    frequency = np.hypot(np.fft.fftfreq(_SIDE)[:, None], np.fft.rfftfreq(_SIDE)[None])
    shaped = np.fft.irfft2(white / np.maximum(frequency, 1 / _SIDE) ** rng.uniform(0.5, 2))
    return (shaped / shaped.std()).astype(np.float32)


def _faces() -> Iterator[Scan]:
    faces = np.load(Path(skimage.__file__).parent / "data" / "lfw_subset.npy")[::_FACES_EVERY]
    for face in faces.astype(np.float32):
        side = (_FACE_SIDE, _FACE_SIDE)
        yield gray(np.maximum(cv2.resize(face * 255, side, interpolation=cv2.INTER_CUBIC), 0))
