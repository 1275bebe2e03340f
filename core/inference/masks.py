"""From the segmenter's probabilities to the mask that is shown."""

from __future__ import annotations

import cv2
import numpy as np

from core.imaging import map_to_source
from core.inference.weights import MaskRule
from core.types import BoolArray, FloatArray, PreparedScan, UInt8Array


def square_mask(probability: FloatArray, head: BoolArray, rule: MaskRule) -> UInt8Array:
    """The mask in the network's square.

    Args:
        probability: float32 (s, s), the segmenter's output.
        head: bool (side, side), the head's outline.
        rule: threshold and smallest part for scans of this kind.

    Returns:
        uint8 (side, side), 0 or 255: the pixels at or over the threshold, less connected parts
        smaller than the rule's share of the head.
    """
    above = (_at_side(probability, head.shape[0]) >= rule.threshold).astype(np.uint8)
    smallest = rule.min_area_fraction * max(1, int(head.sum()))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    keep = np.zeros(count, np.uint8)
    keep[1:] = np.where(stats[1:, cv2.CC_STAT_AREA] >= smallest, 255, 0)
    return keep[parts]


def mask_in_source(
    probability: FloatArray, mask: UInt8Array, prepared: PreparedScan, rule: MaskRule
) -> UInt8Array:
    """The mask in the uploaded picture's coordinates, uint8, 0 or 255.

    The threshold is applied at the picture's own resolution: large pictures get smooth edges.

    Args:
        probability: float32 (s, s), the segmenter's output.
        mask: what ``square_mask`` made of it.
        prepared: the scan.
        rule: threshold for scans of this kind.
    """
    geometry = prepared.geometry
    if not mask.any():
        return np.zeros(geometry.source_size, np.uint8)
    # Parts that the square's rule dropped stay dropped; a rim keeps the slope of kept edges.
    rim = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > 0
    kept = np.where(rim, _at_side(probability, geometry.side), 0).astype(np.float32)
    return np.where(map_to_source(kept, geometry) >= rule.threshold, 255, 0).astype(np.uint8)


def _at_side(probability: FloatArray, side: int) -> FloatArray:
    if probability.shape[0] == side:
        return probability
    return cv2.resize(probability, (side, side), interpolation=cv2.INTER_LINEAR)
