"""Whether two pictures show the same scan: laid over each other, then compared part by part."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from core.types import BoolArray, FloatArray, UInt8Array
from train.audit.fingerprints import PATCH, Fingerprint, flatten_contrast, inside

# Laying over: first at half the size and strongly smoothed, which forgives a bad start, then fine.
_HALF = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]])
_COARSE_STEPS, _FINE_STEPS, _ENOUGH = 20, 30, 1e-4
_SMOOTHING = 5  # width in pixels of the smoothing while laying over
# A true copy that is laid over roughly reaches 0.98 in half of all cases and 0.8 in 99 of 100, even
# strongly sharpened; nine of ten other candidates do not, and cost no more time.
_COARSE_FLOOR = 0.8
_LEAST_AREA = 400  # pixels that must be left for a comparison, of PATCH * PATCH
_TILE = PATCH // 4
_LEAST_TILE = 0.4  # share of a tile that must lie inside both heads to count
_NOISE = 1.0  # sigma in pixels of the smoothing before the comparison
# Edges that were sharpened until they are clipped cannot be filtered back. Where sharpness differs
# that much, a pair may be less alike if the finest detail is the same: that of sharpened copies
# correlates by 0.84 and more, that of other pairs of such different sharpness by 0.57 at most.
_MUCH_SHARPER = 0.3  # difference of the logarithms; neighbouring slices differ by 0.16 at most
_DETAIL, _SAME_DETAIL = 1.7, 0.83
_SHARPENED = 0.10
_BANDS = (0.75, 1.5, 3.0)  # sigmas in pixels of the filter that equals out sharpness


@dataclass(frozen=True, eq=False)
class Match:
    """How alike two pictures are once laid over each other.

    Attributes:
        similarity: at most 1: the correlation of the insides of the heads, or the lower quartile
            of that of their sixteen parts if that is lower, after the one linear filter that
            brings one picture's sharpness closest to the other's.
        transform: float64 (3, 3), from x, y, 1 in the first's patch to the second's.
        allowance: how much less alike than usual a copy may be, because one of the two is much
            sharper than the other.
    """

    similarity: float
    transform: np.ndarray
    allowance: float = 0.0


def compare(first: Fingerprint, second: Fingerprint, start: np.ndarray) -> Match | None:
    """Lay ``second`` over ``first``, beginning with a guess, and compare.

    Args:
        first: the picture that stays.
        second: the picture that is moved, turned and stretched.
        start: the guess, as ``Match.transform``.

    Returns:
        None where they are clearly different or cannot be laid over each other.
    """
    flat_first, flat_second = flatten_contrast(first.patch), flatten_contrast(second.patch)
    transform = _lay_over(flat_first, flat_second, first, second, start)
    if transform is None:
        return None
    where = inside(first.head & aligned(second, transform)[1])
    if where.sum() < _LEAST_AREA:
        return None
    left, right = _smooth(flat_first, _NOISE), _move(_smooth(flat_second, _NOISE), transform)
    similarity = max(_similarity(left, right, where), _similarity(right, left, where))
    return Match(similarity, transform, _allowance(first, second, left, right, where))


def aligned(second: Fingerprint, transform: np.ndarray) -> tuple[UInt8Array, BoolArray]:
    """The second's patch and head, laid over the first by ``Match.transform``."""
    return _move(second.patch, transform), _move(second.head.astype(np.uint8), transform) > 0


def _allowance(
    first: Fingerprint, second: Fingerprint, left: FloatArray, right: FloatArray, where: BoolArray
) -> float:
    if not first.sharpness or not second.sharpness:
        return 0.0
    ratio = abs(math.log(first.sharpness / second.sharpness))
    if ratio < _MUCH_SHARPER:
        return 0.0
    details = [values - _smooth(values, _DETAIL) for values in (left, right)]
    return _SHARPENED if _correlation(*details, where) >= _SAME_DETAIL else 0.0


def _lay_over(
    flat_first: FloatArray,
    flat_second: FloatArray,
    first: Fingerprint,
    second: Fingerprint,
    start: np.ndarray,
) -> np.ndarray | None:
    head = first.head.astype(np.uint8) * 255
    half = (PATCH // 2, PATCH // 2)
    small = [cv2.resize(x, half, interpolation=cv2.INTER_AREA) for x in (flat_first, flat_second)]
    small_head = cv2.resize(head, half, interpolation=cv2.INTER_NEAREST)
    to_full = np.linalg.inv(_HALF)
    coarse = _search(*small, _HALF @ start @ to_full, small_head, _COARSE_STEPS)
    if coarse is None:
        return None
    transform = to_full @ coarse @ _HALF
    both = first.head & aligned(second, transform)[1]
    moved = _move(_smooth(flat_second, 2), transform)
    if (
        both.sum() < _LEAST_AREA
        or _correlation(_smooth(flat_first, 2), moved, both) < _COARSE_FLOOR
    ):
        return None
    return _search(_smooth(flat_first, 1), _smooth(flat_second, 1), transform, head, _FINE_STEPS)


def _search(
    fixed: FloatArray, moving: FloatArray, start: np.ndarray, mask: UInt8Array, steps: int
) -> np.ndarray | None:
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, _ENOUGH)
    try:
        _, found = cv2.findTransformECC(
            fixed, moving, start[:2].astype(np.float32), cv2.MOTION_AFFINE, criteria, mask,
            _SMOOTHING,
        )  # fmt: skip
    except cv2.error:
        return None  # the search left the picture: nothing in common from this start
    transform = np.eye(3)
    transform[:2] = found
    return transform


def _similarity(source: FloatArray, target: FloatArray, where: BoolArray) -> float:
    """Correlation of target with filtered source, over all and in parts; the lower."""
    bands = [source, *(_smooth(source, sigma) for sigma in _BANDS), np.ones_like(source)]
    terms = np.stack([band[where] for band in bands], axis=1)
    gram = terms.T @ terms
    # The bands are much alike: a touch of ridge keeps the solution small.
    gram[np.diag_indices(len(gram))] *= 1 + 1e-4
    weights = np.linalg.solve(gram, terms.T @ target[where])
    filtered = np.zeros_like(target)
    filtered[where] = terms @ weights
    parts = []
    for top in range(0, PATCH, _TILE):
        for left in range(0, PATCH, _TILE):
            tile = np.s_[top : top + _TILE, left : left + _TILE]
            if where[tile].mean() >= _LEAST_TILE:
                parts.append(_correlation(filtered[tile], target[tile], where[tile]))
    whole = _correlation(filtered, target, where)
    return min(whole, float(np.percentile(parts, 25))) if parts else whole


def _correlation(first: FloatArray, second: FloatArray, where: BoolArray) -> float:
    x, y = first[where], second[where]
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm > 0 else 0.0


def _smooth(values: FloatArray, sigma: float) -> FloatArray:
    return cv2.GaussianBlur(values, (0, 0), sigma)


def _move(values: np.ndarray, transform: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(
        values, transform[:2], (PATCH, PATCH), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
