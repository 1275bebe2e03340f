"""The ways a copy may lie: mirrored, turned, cut; and small vectors of a picture seen each way."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from core.types import FloatArray
from train.audit.fingerprints import PATCH, Fingerprint, flatten_contrast

THUMB = 32
VECTOR = THUMB * THUMB

_ANGLE_STEP = 10
_CUT = 0.12  # share of a side that a cut view leaves out


@dataclass(frozen=True)
class View:
    """One way of looking at a picture.

    Attributes:
        mirrored: left and right swapped, before turning.
        degrees: turned by this much, clockwise.
        cut: shares left out at the left, top, right and bottom.
        whole: the whole picture instead of the head; finds copies in which another outline was
            taken for the head.
    """

    mirrored: bool = False
    degrees: int = 0
    cut: tuple[float, ...] = (0, 0, 0, 0)
    whole: bool = False

    def matrix(self, of: Fingerprint) -> np.ndarray:
        """From x, y, 1 in the view's patch to the picture's own patch, float64 (3, 3).

        A turned head has another bounding box, so the view is stretched anew, as the fingerprint
        of a turned copy is.
        """
        if self.whole:
            to_patch = np.linalg.inv(of.to_source)
            height, width = of.size
            corners = _corners(np.array([[0, 0], [width - 1, height - 1]], float))
            corners = corners @ to_patch[:2, :2].T + to_patch[:2, 2]
        else:
            corners = _corners(of.outline)
        # The patch is stretched; heads turn in the picture, where pixels are square.
        stretch = np.array([of.to_source[0, 0], of.to_source[1, 1]])
        linear = self._turn() * stretch
        turned = corners @ linear.T
        low, high = turned.min(axis=0), turned.max(axis=0)
        left, top, right, bottom = self.cut
        low, high = low + (high - low) * (left, top), high - (high - low) * (right, bottom)
        scale = (high - low) / PATCH
        inverse = np.linalg.inv(linear)
        matrix = np.eye(3)
        matrix[:2, :2] = inverse * scale
        matrix[:2, 2] = inverse @ (low + scale / 2)
        return matrix

    def _turn(self) -> np.ndarray:
        angle = math.radians(self.degrees)
        cos, sin = math.cos(angle), math.sin(angle)
        return np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if self.mirrored else 1.0, 1.0])


def _corners(points: np.ndarray) -> np.ndarray:
    """The four corners of each pixel: the box of an unturned head is then the whole patch."""
    half = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
    return (points[:, None, :] + half).reshape(-1, 2)


def _cuts() -> list[tuple[float, ...]]:
    """One side cut off, two that meet, all four."""
    sides = [(0,), (1,), (2,), (3,), (0, 1), (1, 2), (2, 3), (3, 0), (0, 1, 2, 3)]
    return [tuple(_CUT if side in cut else 0.0 for side in range(4)) for cut in sides]


HEAD, WHOLE = View(), View(whole=True)
# What publishers and augmentation do most: quarter turns and mirror images.
_QUARTERS = [View(mirrored, turn) for mirrored in (False, True) for turn in (0, 90, 180, 270)]
PLAIN_VIEWS: tuple[View, ...] = (*_QUARTERS, *(replace(view, whole=True) for view in _QUARTERS))
# Any turn, and pictures cut into the head; asked of one picture of each group only.
WIDE_VIEWS: tuple[View, ...] = (
    *PLAIN_VIEWS,
    *(
        View(mirrored, degrees)
        for mirrored in (False, True)
        for degrees in range(0, 360, _ANGLE_STEP)
        if degrees % 90
    ),
    *(replace(view, cut=cut) for view, cut in itertools.product(_QUARTERS, _cuts())),
)


def vectors(fingerprints: Sequence[Fingerprint], view: View) -> FloatArray:
    """One unit vector a picture, float32 (n, VECTOR); zeros for blank pictures.

    The product of two vectors is the correlation of the two small pictures, brightness and
    contrast taken out.
    """
    out = np.zeros((len(fingerprints), VECTOR), np.float32)
    for row, item in zip(out, fingerprints, strict=True):
        if not item.blank:
            row[:] = _vector(item, view)
    return out


def _vector(item: Fingerprint, view: View) -> FloatArray:
    shrink = PATCH / THUMB
    small = np.array(
        [[shrink, 0, shrink / 2 - 0.5], [0, shrink, shrink / 2 - 0.5], [0, 0, 1]], float
    )
    # Area-averaged before it is sampled coarsely.
    smooth = cv2.blur(item.patch, (round(shrink), round(shrink)))
    matrix = (view.matrix(item) @ small)[:2]
    thumb = cv2.warpAffine(
        smooth, matrix, (THUMB, THUMB), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    flat = flatten_contrast(thumb).ravel()
    flat -= flat.mean()
    norm = float(np.linalg.norm(flat))
    return flat / norm if norm > 0 else flat
