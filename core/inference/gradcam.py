"""Grad-CAM in closed form.

Source: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization" (arXiv 1610.02391). For global average pooling followed by one linear layer the
gradient of a logit with respect to a feature map is the head's weight, so that the forward pass
alone gives the maps (``ServedClassifier``). What is left is to rectify and scale them.
"""

from __future__ import annotations

import cv2
import numpy as np

from core.types import FloatArray


def heat_map(class_map: FloatArray, side: int) -> FloatArray:
    """Rectify a class map, scale it to 0..1 and enlarge it.

    Args:
        class_map: float32 (h, w), the unscaled map of one class.
        side: side of the square to enlarge to, in pixels.

    Returns:
        float32 (side, side), 0 to 1; all zero where nothing speaks for the class.
    """
    positive = np.maximum(class_map, 0)
    low, high = float(positive.min()), float(positive.max())
    if high <= low:
        return np.zeros((side, side), np.float32)
    scaled = ((positive - low) / (high - low)).astype(np.float32)
    return cv2.resize(scaled, (side, side), interpolation=cv2.INTER_LINEAR)
