"""Three kinds of tumour, written into a head: what they look like on T1 with contrast.

- glioma: within the brain; an irregular rim of uneven thickness enhances around a dark core that is
  dead, and around it the white matter is dark with oedema that spreads along it in fingers.
- meningioma: outside the brain, broad-based on the dura; enhances evenly and strongly, with a cleft
  of fluid towards the brain and often a tail of thickened dura.
- pituitary: in the sella and above it, waisted where the diaphragm holds it; enhances evenly, less
  than the sinuses at its sides.

Each pushes the brain aside. All places and lengths are millimetres of the template's space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from samples.anatomy import Anatomy, FloatArray, Point


@dataclass(frozen=True)
class Glioma:
    """Attributes: its centre, mean semi-axes, rim's thickness, reach of the oedema, push."""

    centre: Point
    axes: Point
    rim: float = 5.0
    oedema: float = 14.0
    push: float = 5.0
    enhancement: float = 1.25


@dataclass(frozen=True)
class Meningioma:
    """Attributes: the place on the skull it is nearest to, semi-axes, how deep its centre lies."""

    base: Point
    axes: Point
    inward: float = 8.0
    push: float = 7.0
    oedema: float = 0.0
    tail: float = 14.0
    enhancement: float = 1.35


@dataclass(frozen=True)
class Pituitary:
    """Attributes: semi-axes in the sella, semi-axes above it, how far that part lies above."""

    sellar: Point
    above: Point
    rise: float
    shift: float = 0.0
    push: float = 5.0
    enhancement: float = 1.2


Lesion = Glioma | Meningioma | Pituitary

SELLA: Point = (1.0, 6.0, -30.0)
_REACH = 45  # mm beyond a lesion's centre that are worked on, beside its own size


class _Box:
    """The part of the volume around a place, with its coordinates."""

    def __init__(self, anatomy: Anatomy, centre: Point, half: float) -> None:
        low = np.maximum(np.floor(np.subtract(centre, anatomy.origin) - half).astype(int), 0)
        high = np.ceil(np.subtract(centre, anatomy.origin) + half).astype(int) + 1
        self.at = tuple(slice(i, j) for i, j in zip(low, high, strict=True))
        x, y, z = anatomy.axes()
        self.x, self.y, self.z = x[self.at[0]], y[:, self.at[1]], z[:, :, self.at[2]]
        self.shape = anatomy.t1[self.at].shape

    def size(self, centre: Point, axes: Point) -> FloatArray:
        """Distance from an ellipsoid's surface in millimetres, negative inside, about right."""
        scaled = [
            (line - c) / a
            for line, c, a in zip((self.x, self.y, self.z), centre, axes, strict=True)
        ]
        radius = np.sqrt(scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2)
        return ((radius - 1) * np.prod(axes) ** (1 / 3)).astype(np.float32)

    def noise(self, random: np.random.Generator, scale: float) -> FloatArray:
        """Smooth noise of mean 0 and deviation 1; ``scale`` in millimetres."""
        raw = ndimage.gaussian_filter(random.standard_normal(self.shape), scale, mode="wrap")
        return ((raw - raw.mean()) / raw.std()).astype(np.float32)


def with_lesion(
    volume: FloatArray, anatomy: Anatomy, lesion: Lesion, random: np.random.Generator
) -> FloatArray:
    """A copy of a contrast-enhanced head with a lesion in it.

    Args:
        volume: from ``with_contrast``.
        anatomy: the head it was made of.
        lesion: what to write into it.
        random: its irregularities.
    """
    match lesion:
        case Glioma():
            return _glioma(volume, anatomy, lesion, random)
        case Meningioma():
            return _meningioma(volume, anatomy, lesion, random)
        case Pituitary():
            return _pituitary(volume, anatomy, lesion, random)


def _glioma(
    volume: FloatArray, anatomy: Anatomy, lesion: Glioma, random: np.random.Generator
) -> FloatArray:
    box = _Box(anatomy, lesion.centre, max(lesion.axes) + _REACH)
    uneven = 0.2 * min(lesion.axes)
    edge = box.size(lesion.centre, lesion.axes)
    edge += uneven * (box.noise(random, 6) + 0.5 * box.noise(random, 2.5))
    # It stays within the brain's bounds, some millimetres from the bone.
    depth = anatomy.depth[box.at]
    edge = np.maximum(edge, 3 - depth)
    out, (tissue, white) = _pushed(
        volume, anatomy, box, edge, lesion.centre, lesion.push, anatomy.white
    )
    brain = np.clip(depth / 3, 0, 1)
    fingers = edge - 3.5 * box.noise(random, 5) - lesion.oedema * (0.25 + 0.75 * white)
    wet = _soft(fingers, 2.5) * brain * (0.35 + 0.65 * white)
    tissue = tissue + wet * np.minimum(0.66 + 0.02 * box.noise(random, 2) - tissue, 0)
    thickness = lesion.rim * np.clip(1 + 0.5 * box.noise(random, 5), 0.25, 2.5)
    rim = lesion.enhancement + 0.13 * box.noise(random, 3) + 0.08 * box.noise(random, 1.2)
    core = 0.45 + 0.05 * box.noise(random, 4) + 0.03 * box.noise(random, 1.5)
    tissue = _mix(tissue, rim, _soft(edge, 0.7))
    tissue = _mix(tissue, core, _soft(edge + thickness, 0.9))
    out[box.at] = tissue
    return out


def _meningioma(
    volume: FloatArray, anatomy: Anatomy, lesion: Meningioma, random: np.random.Generator
) -> FloatArray:
    base = np.asarray(anatomy.on_skull(lesion.base))
    inward = _inward(anatomy, base)
    centre = tuple(float(v) for v in base + inward * lesion.inward)
    box = _Box(anatomy, centre, max(lesion.axes) + _REACH)
    depth = anatomy.depth[box.at]
    edge = box.size(centre, lesion.axes) + 0.9 * box.noise(random, 5) + 0.3 * box.noise(random, 2)
    edge = np.maximum(edge, -depth)
    out, (tissue, white) = _pushed(volume, anatomy, box, edge, centre, lesion.push, anatomy.white)
    if lesion.oedema:
        reach = edge - 3 * box.noise(random, 5) - lesion.oedema
        wet = _soft(reach, 2.5) * np.clip((depth - 4) / 3, 0, 1) * white
        tissue = tissue + wet * np.minimum(0.7 - tissue, 0)
    cleft = np.exp(-(((edge - 1.2) / 0.9) ** 2)) * np.clip((depth - 2) / 2, 0, 1)
    tissue = tissue + 0.55 * cleft * np.minimum(0.4 - tissue, 0)
    tail = np.exp(-((depth / 1.4) ** 2)) * _soft(edge - lesion.tail, 3)
    tissue = _mix(tissue, np.float32(1.3), tail * 0.85)
    solid = lesion.enhancement + 0.06 * box.noise(random, 5) + 0.05 * box.noise(random, 1.5)
    tissue = _mix(tissue, solid, _soft(edge, 0.6))
    out[box.at] = tissue
    return out


def _pituitary(
    volume: FloatArray, anatomy: Anatomy, lesion: Pituitary, random: np.random.Generator
) -> FloatArray:
    x, y, z = SELLA
    upper = (x + lesion.shift, y - 2, z + lesion.rise)
    box = _Box(anatomy, SELLA, max(*lesion.sellar, *lesion.above) + lesion.rise + _REACH)
    first, second = box.size(SELLA, lesion.sellar), box.size(upper, lesion.above)
    # A smooth union, so that the waist is round.
    blend = 2.0
    edge = -blend * np.logaddexp(-first / blend, -second / blend)
    edge = edge.astype(np.float32) + 0.7 * box.noise(random, 4) + 0.3 * box.noise(random, 1.8)
    out, (tissue, _) = _pushed(volume, anatomy, box, edge, upper, lesion.push, anatomy.white)
    solid = lesion.enhancement + 0.06 * box.noise(random, 4) + 0.05 * box.noise(random, 1.5)
    out[box.at] = _mix(tissue, solid, _soft(edge, 0.6))
    return out


def _pushed(
    volume: FloatArray,
    anatomy: Anatomy,
    box: _Box,
    edge: FloatArray,
    centre: Point,
    push: float,
    white: FloatArray,
) -> tuple[FloatArray, list[FloatArray]]:
    """A copy of the volume, and the box of it (and of the white matter) with the brain displaced.

    The displacement is ``push`` millimetres at the lesion's edge, away from its centre, and fades
    with the distance and towards the bone, which does not move.
    """
    offsets = [line - c for line, c in zip((box.x, box.y, box.z), centre, strict=True)]
    length = np.sqrt(offsets[0] ** 2 + offsets[1] ** 2 + offsets[2] ** 2) + 1e-3
    fade = np.exp(-np.maximum(ndimage.gaussian_filter(edge, 3), 0) / 16)
    room = np.clip(ndimage.gaussian_filter(anatomy.depth[box.at], 2) / 14, 0, 1)
    amount = push * fade * room
    grid = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in box.shape), indexing="ij")
    source = [g - amount * o / length for g, o in zip(grid, offsets, strict=True)]
    moved = [
        ndimage.map_coordinates(whole[box.at], source, order=1, mode="nearest")
        for whole in (volume, white)
    ]
    return volume.copy(), moved


def _inward(anatomy: Anatomy, place: np.ndarray) -> np.ndarray:
    """Unit vector from the skull into the head."""
    i, j, k = np.rint(place - anatomy.origin).astype(int)
    around = ndimage.gaussian_filter(
        anatomy.depth[i - 9 : i + 10, j - 9 : j + 10, k - 9 : k + 10], 3
    )
    slope = np.array([part[9, 9, 9] for part in np.gradient(around)])
    return slope / np.linalg.norm(slope)


def _soft(distance: FloatArray, width: float) -> FloatArray:
    """1 inside (negative), 0 outside; a slope of some ``width`` millimetres between."""
    return (1 / (1 + np.exp(np.clip(distance / (width * 0.5), -30, 30)))).astype(np.float32)


def _mix(below: FloatArray, above: FloatArray, share: FloatArray) -> FloatArray:
    return (below + share * (above - below)).astype(np.float32)
