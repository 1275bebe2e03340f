"""Size of the masked region.

The longest diameter is the maximum Feret diameter of the largest connected region (8 neighbours):
the longest distance between two middles of edges of its pixels. A single pixel has a diameter of
1 pixel, a row of n pixels one of n.
"""

from __future__ import annotations

import cv2
import numpy as np

from core.types import Lesion, UInt8Array


def measure_lesion(
    mask: UInt8Array, area_fraction: float, spacing_mm: tuple[float, float] | None
) -> Lesion | None:
    """Measure the masked region.

    Args:
        mask: uint8 (height, width), 0 where nothing is masked.
        area_fraction: masked area over the area of the head, 0 to 1, as the engine gives it.
        spacing_mm: millimetres between rows and between columns; None where unknown.

    Returns:
        Its size, in millimetres too where the spacing is known; None where nothing is masked.
    """
    left, top, width, height = cv2.boundingRect(mask)
    if width == 0:
        return None
    box = np.ascontiguousarray(mask[top : top + height, left : left + width])
    _, parts, stats, _ = cv2.connectedComponentsWithStats(box, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    outline = _outline(parts == 1 + int(areas.argmax()))
    area_px = int(areas.sum())
    if spacing_mm is None:
        return Lesion(area_px, _longest_distance(outline), area_fraction)
    row_mm, column_mm = spacing_mm
    return Lesion(
        area_px=area_px,
        diameter_px=_longest_distance(outline),
        area_fraction=area_fraction,
        area_mm2=area_px * row_mm * column_mm,
        diameter_mm=_longest_distance(outline * (row_mm, column_mm)),
    )


def _outline(region: np.ndarray) -> np.ndarray:
    """Corners (n, 2) of the convex hull of the edge middles of a region's pixels: row, column.

    Stretching the axes afterwards keeps it the hull, so that one serves pixels and millimetres.
    """
    rows = np.flatnonzero(region.any(axis=1))
    first = region[rows].argmax(axis=1)
    last = region.shape[1] - 1 - region[rows, ::-1].argmax(axis=1)
    # In half pixels, so that the hull is computed on whole numbers.
    ends = np.concatenate([np.stack([rows, first], axis=1), np.stack([rows, last], axis=1)]) * 2
    middles = [ends + step for step in ((-1, 0), (1, 0), (0, -1), (0, 1))]
    hull = cv2.convexHull(np.concatenate(middles).astype(np.int32))
    return hull[:, 0, :].astype(np.float64) / 2


def _longest_distance(points: np.ndarray) -> float:
    apart = points[:, None, :] - points[None, :, :]
    return float(np.sqrt((apart**2).sum(axis=2).max()))
