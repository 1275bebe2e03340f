"""Grad-CAM in closed form.

Source: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization" (arXiv 1610.02391). For global average pooling followed by one linear layer the
gradient of a logit with respect to a feature map is the head's weight, so that the forward pass
alone gives the maps (``ServedClassifier``). What is left is to rectify and scale them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import cv2
import numpy as np

from core.imaging import map_to_source
from core.types import CLASSES, FloatArray, Geometry, TumourClass


class HeatMaps(Mapping[TumourClass, FloatArray]):
    """The heat map of every class: float32, 0 to 1, in the size of the uploaded picture.

    Each is made when it is asked for, and not kept: those of a large picture take several times its
    memory, and what they are made of is a few cells.
    """

    def __init__(self, class_maps: FloatArray, geometry: Geometry) -> None:
        """Take what the maps are made of.

        Args:
            class_maps: float32 (classes, h, w), unscaled, of one scan; copied.
            geometry: of the scan.
        """
        self._class_maps = class_maps.copy()
        self._geometry = geometry

    def __getitem__(self, name: TumourClass) -> FloatArray:
        if name not in CLASSES:
            raise KeyError(name)
        square = heat_map(self._class_maps[CLASSES.index(name)], self._geometry.side)
        return map_to_source(square, self._geometry)

    def __iter__(self) -> Iterator[TumourClass]:
        return iter(CLASSES)

    def __len__(self) -> int:
        return len(CLASSES)


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
