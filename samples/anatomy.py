"""The head of the template: its tissues, and what a contrast agent would brighten in it.

Places are in millimetres of the template's own space (MNI): x to the right, y to the front, z up.
Intensities are in units of white matter, which is 1 (fat is near 1.8, fluid near 0.35).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
from scipy import ndimage

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
Point = tuple[float, float, float]

_WHITE_PERCENTILE = 90  # of the brain's voxels: the middle of white matter's peak

# Vessels and other things that take up contrast, as lines through the template: (points, radius in
# mm, brightness). Right-sided ones are mirrored. Read off the template's own pictures.
_PAIRED_LINES: tuple[tuple[tuple[Point, ...], float, float], ...] = (
    (((2, 2, 14), (2, -14, 17), (2, -30, 14), (1, -40, 18)), 1.1, 1.3),  # internal cerebral vein
    (((13, 10, -28), (13, -2, -33), (14, -12, -38), (22, -18, -50)), 2.2, 1.0),  # carotid artery
    (((12, 6, -20), (20, 4, -17), (32, 2, -17), (40, -4, -10), (42, -18, 0)), 1.1, 1.25),  # middle
    (((6, 8, -18), (2, 18, -14), (2, 36, -4), (2, 38, 10), (2, 26, 24)), 0.9, 1.2),  # anterior
    (((3, -12, -18), (12, -16, -18), (22, -26, -14), (20, -45, -4)), 0.9, 1.2),  # posterior
)
_MIDLINE_LINES: tuple[tuple[tuple[Point, ...], float, float], ...] = (
    (((0, -40, 18), (0, -44, 26), (0, -68, 6), (0, -90, -12)), 1.8, 1.4),  # Galen, straight sinus
    (((1, -8, -22), (1, -8, -30), (0, -13, -42), (0, -18, -52)), 1.4, 1.25),  # basilar artery
    (((1, 5, -26), (1, 4, -20), (0, 1, -15)), 1.1, 1.25),  # pituitary stalk
)
# The sinuses lie against the bone: these lines are moved to the nearest place on it.
_PAIRED_SINUS: tuple[Point, ...] = ((0, -98, -14), (20, -96, -18), (42, -82, -24),
                                    (56, -60, -30), (52, -44, -40), (40, -38, -54))  # fmt: skip
# Blobs: (centre, semi-axes in mm, brightness); paired ones are mirrored.
_PAIRED_BLOBS: tuple[tuple[Point, Point, float], ...] = (
    ((13, 3, -33), (5, 9, 6), 1.2),  # cavernous sinus
    ((22, -40, 14), (5, 8, 6), 1.15),  # choroid plexus
)
_PITUITARY: tuple[Point, Point, float] = ((1, 6, -29), (6.5, 5.5, 4), 1.2)


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A head on a grid of 1 mm.

    Attributes:
        t1: float32, shape (x, y, z): signal without contrast, white matter 1.
        brain: bool, the same shape: brain with the fluid in it.
        depth: float32, the same shape: millimetres from the skull's inner surface, positive inside.
        white: float32, the same shape, 0 to 1: how much of it is white matter.
        origin: millimetres of the voxel (0, 0, 0).
    """

    t1: FloatArray
    brain: BoolArray
    depth: FloatArray
    white: FloatArray
    origin: Point

    def axes(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Millimetres along x, y and z, as arrays that broadcast to the volume."""
        lines = [
            np.arange(n, dtype=np.float32) + o
            for n, o in zip(self.t1.shape, self.origin, strict=True)
        ]
        return lines[0][:, None, None], lines[1][None, :, None], lines[2][None, None, :]

    def on_skull(self, place: Point) -> Point:
        """The point of the skull's inner surface that is nearest to a place."""
        distance = ((self._border - np.asarray(place)) ** 2).sum(axis=1)
        x, y, z = self._border[np.argmin(distance)]
        return float(x), float(y), float(z)

    @cached_property
    def _border(self) -> npt.NDArray[np.float64]:
        """Places on the skull's inner surface, shape (n, 3)."""
        return np.argwhere(np.abs(self.depth) <= 1.0) + np.asarray(self.origin)


def load_anatomy(template: Path, brain: Path) -> Anatomy:
    """Read the template.

    Args:
        template: NIfTI file of a whole head, T1-weighted, 1 mm, axes right, front, up.
        brain: the same with everything but the brain set to zero.
    """
    head = nibabel.load(template)
    t1 = np.asarray(head.dataobj, np.float32)
    inside = np.asarray(nibabel.load(brain).dataobj) > 0
    inside = ndimage.binary_fill_holes(ndimage.binary_opening(inside, iterations=2))
    t1 /= np.percentile(t1[inside], _WHITE_PERCENTILE)
    # The brain's outline without its furrows; the fluid around it is some 2 mm thick.
    outside = ndimage.distance_transform_edt(~inside)
    closed = ndimage.distance_transform_edt(outside < 10) > 8
    depth = ndimage.distance_transform_edt(closed) - ndimage.distance_transform_edt(~closed)
    white = np.clip((ndimage.gaussian_filter(t1, 0.7) - 0.84) / 0.1, 0, 1) * inside
    x, y, z = (float(value) for value in head.affine[:3, 3])
    return Anatomy(
        t1=t1,
        brain=inside,
        depth=depth.astype(np.float32),
        white=white.astype(np.float32),
        origin=(x, y, z),
    )


def with_contrast(anatomy: Anatomy, random: np.random.Generator) -> FloatArray:
    """The head as it looks some minutes after gadolinium: vessels, dura, pituitary are brighter.

    Args:
        anatomy: the head.
        random: how patchy the dura is, how strong the vessels.
    """
    t1, x, y, z = anatomy.t1, *anatomy.axes()
    # The vessels' lines are rough: only what is not brain may brighten.
    free = np.clip((0.85 - ndimage.gaussian_filter(t1, 0.5)) / 0.2, 0, 1)
    free = np.where(t1 < 0.12, free * 0.3, free)  # little in bone and air
    out = t1.copy()

    def brighten(weight: FloatArray, level: float) -> None:
        np.maximum(out, t1 + weight * np.maximum(level - t1, 0), out=out)

    coarse = random.uniform(0.3, 1.0, (12, 14, 12))
    patches = ndimage.zoom(coarse, np.divide(t1.shape, coarse.shape), order=1, mode="nearest")
    dura = np.exp(-(anatomy.depth**2)) * patches
    brighten(dura.astype(np.float32), 0.85)
    falx = np.exp(-((x / 0.9) ** 2)) * ((z > 32) | (y > 45) | (y < -60)) * (anatomy.depth > 0)
    brighten((falx * free * 0.8).astype(np.float32), 0.9)

    strength = random.uniform(0.9, 1.1)
    lines = [(points, radius, level, free) for points, radius, level in _MIDLINE_LINES]
    for points, radius, level in _PAIRED_LINES:
        for side in (1, -1):
            lines.append((tuple((side * a, b, c) for a, b, c in points), radius, level, free))
    every = np.ones_like(t1)
    for side in (1, -1):
        sinus = [anatomy.on_skull((side * a, b, c)) for a, b, c in _PAIRED_SINUS]
        lines.append((tuple(sinus), random.uniform(2.2, 3.4), 1.35, every))
    # Three-cornered in the section: a wide line along the bone and a narrow one below it.
    sinus = _sagittal_sinus(anatomy)
    lines.append((sinus, random.uniform(2.6, 3.4), 1.2, (anatomy.depth > 0).astype(np.float32)))
    lines.append((tuple((x, y * 0.96, z - 3) for x, y, z in sinus), 1.6, 1.2, every))
    for points, radius, level, where in lines:
        brighten(_tube(anatomy, points, radius) * where, level * strength)
    blobs = [_PITUITARY]
    for (a, b, c), axes, level in _PAIRED_BLOBS:
        blobs += [((a, b, c), axes, level), ((-a, b, c), axes, level)]
    for (a, b, c), (p, q, r), level in blobs:
        size = np.sqrt(((x - a) / p) ** 2 + ((y - b) / q) ** 2 + ((z - c) / r) ** 2)
        room = free if level < 1.18 else np.where(t1 > 0.25, 1.0, 0.2)
        brighten((np.clip((1.15 - size) / 0.3, 0, 1) * room).astype(np.float32), level)
    # Mucosa of nose and sinuses.
    nose = np.clip((25 - np.abs(x)) / 4, 0, 1) * np.clip((y - 14) / 4, 0, 1)
    nose = nose * np.clip((-24 - z) / 4, 0, 1) * (t1 > 0.3) * (t1 < 1.2)
    brighten((nose * 0.7).astype(np.float32), 1.5)
    return out


def _sagittal_sinus(anatomy: Anatomy) -> tuple[Point, ...]:
    """Along the skull's inner surface in the midline, from the forehead to the back."""
    angles = np.radians(np.linspace(15, 205, 39))
    around = [(0.0, float(-20 + 95 * np.cos(a)), float(10 + 90 * np.sin(a))) for a in angles]
    places = np.array([anatomy.on_skull(place) for place in around])
    smooth = ndimage.gaussian_filter1d(places, 1.5, axis=0, mode="nearest")
    return tuple((0.0, float(y), float(z)) for _, y, z in smooth)


def _tube(anatomy: Anatomy, points: tuple[Point, ...], radius: float) -> FloatArray:
    """1 within a line's radius, falling to 0 within a millimetre."""
    out = np.zeros(anatomy.t1.shape, np.float32)
    x, y, z = anatomy.axes()
    for first, last in pairwise(points):
        a, b = np.asarray(first, np.float32), np.asarray(last, np.float32)
        reach = radius + 2
        low = np.maximum(np.floor(np.minimum(a, b) - reach - anatomy.origin).astype(int), 0)
        high = np.ceil(np.maximum(a, b) + reach - anatomy.origin).astype(int) + 1
        box = tuple(slice(i, j) for i, j in zip(low, high, strict=True))
        dx, dy, dz = x[box[0]] - a[0], y[:, box[1]] - a[1], z[:, :, box[2]] - a[2]
        line = b - a
        along = (dx * line[0] + dy * line[1] + dz * line[2]) / max(float(line @ line), 1e-6)
        along = np.clip(along, 0, 1)
        off = np.sqrt((dx - along * line[0]) ** 2 + (dy - along * line[1]) ** 2
                      + (dz - along * line[2]) ** 2)  # fmt: skip
        np.maximum(out[box], np.clip((radius + 0.5 - off) / 1.0, 0, 1), out=out[box])
    return out
