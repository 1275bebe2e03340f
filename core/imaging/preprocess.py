"""The one preprocessing that training and serving share.

A scan is cropped to the head, its intensities are stretched per channel between robust percentiles,
and it is resized with its aspect ratio kept into a square of ``SIDE`` pixels. Any change to what
comes out needs a new ``PREPROCESSING_VERSION``: weights made with another version are refused.
"""

from __future__ import annotations

import cv2
import numpy as np

from core.types import BoolArray, FloatArray, Geometry, PreparedScan, Scan, UInt8Array

PREPROCESSING_VERSION = "1"
SIDE = 224

# The head is searched on a thumbnail: its outline needs no more, and large files cost little.
_THUMBNAIL = 256
_MARGIN = 0.03
# A slice near the vertex shows a small disc of brain. Enlarging it to the full square would turn
# noise into anatomy, so the crop never gets smaller than this share of the picture's longer side.
_MIN_CROP = 0.45
_LOW_PERCENTILE, _HIGH_PERCENTILE = 1.0, 99.5


def prepare(scan: Scan) -> PreparedScan:
    """Crop to the head, normalise the intensities and fit into the square.

    Args:
        scan: a decoded scan of any size and value range.

    Returns:
        The square the networks see, the head's outline in it, and the way back.
    """
    height, width = scan.size
    outline = _find_head(scan.pixels)
    box = _crop_box(outline, height, width)
    top, left, bottom, right = box
    crop = scan.pixels[top:bottom, left:right]
    head_crop = cv2.resize(
        outline[_scaled(box, outline.shape, (height, width))].astype(np.uint8),
        (right - left, bottom - top),
        interpolation=cv2.INTER_NEAREST,
    ).astype(bool)
    stretched, contrast = _normalise(crop, head_crop)

    scale = SIDE / max(bottom - top, right - left)
    placed_height = max(1, round((bottom - top) * scale))
    placed_width = max(1, round((right - left) * scale))
    pad_top, pad_left = (SIDE - placed_height) // 2, (SIDE - placed_width) // 2
    resized = _resize(stretched, placed_height, placed_width)
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    window = np.s_[pad_top : pad_top + placed_height, pad_left : pad_left + placed_width]
    image[window] = np.clip(np.rint(resized * 255.0), 0, 255).astype(np.uint8)
    head = np.zeros((SIDE, SIDE), bool)
    head[window] = (
        _resize(head_crop.astype(np.float32)[..., None], placed_height, placed_width)[..., 0] > 0.5
    )
    geometry = Geometry(
        source_size=(height, width),
        box=box,
        placed=(pad_top, pad_left, placed_height, placed_width),
        side=SIDE,
    )
    return PreparedScan(
        image=image, head=head, geometry=geometry, kind=scan.kind, contrast=contrast
    )


def map_to_source(values: FloatArray, geometry: Geometry) -> FloatArray:
    """Bring a map from the network's square into the uploaded picture's coordinates.

    Args:
        values: float32, shape (n, n), covering the whole square at any resolution.
        geometry: the geometry that ``prepare`` returned.

    Returns:
        float32 in the size of the uploaded picture; zero outside the crop.
    """
    side = geometry.side
    if values.shape != (side, side):
        values = cv2.resize(values, (side, side), interpolation=cv2.INTER_LINEAR)
    pad_top, pad_left, placed_height, placed_width = geometry.placed
    top, left, bottom, right = geometry.box
    inner = values[pad_top : pad_top + placed_height, pad_left : pad_left + placed_width]
    out = np.zeros(geometry.source_size, np.float32)
    out[top:bottom, left:right] = cv2.resize(
        np.ascontiguousarray(inner), (right - left, bottom - top), interpolation=cv2.INTER_LINEAR
    )
    return out


def map_to_square(values: FloatArray, geometry: Geometry) -> FloatArray:
    """Bring a map in the uploaded picture's coordinates into the network's square.

    Args:
        values: float32, shape of the uploaded picture.
        geometry: the geometry that ``prepare`` returned.

    Returns:
        float32, shape (side, side); zero in the padding.
    """
    pad_top, pad_left, placed_height, placed_width = geometry.placed
    top, left, bottom, right = geometry.box
    out = np.zeros((geometry.side, geometry.side), np.float32)
    crop = np.ascontiguousarray(values[top:bottom, left:right, None])
    resized = _resize(crop, placed_height, placed_width)[..., 0]
    out[pad_top : pad_top + placed_height, pad_left : pad_left + placed_width] = resized
    return out


def resize_square(image: UInt8Array, side: int) -> UInt8Array:
    """Resize a prepared square, uint8 (n, n) or (n, n, channels), to a network's input side."""
    if image.shape[0] == side:
        return image
    method = cv2.INTER_AREA if side < image.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(image, (side, side), interpolation=method)


def _resize(array: FloatArray, height: int, width: int) -> FloatArray:
    shrinking = height < array.shape[0] or width < array.shape[1]
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    resized = cv2.resize(array, (width, height), interpolation=method)
    return resized[..., None] if resized.ndim == 2 else resized


def _find_head(pixels: FloatArray) -> BoolArray:
    """The filled outline of the largest bright object, on a thumbnail; all True if none."""
    height, width = pixels.shape[:2]
    shrink = min(1.0, _THUMBNAIL / max(height, width))
    small = _resize(pixels, max(1, round(height * shrink)), max(1, round(width * shrink)))
    low = np.percentile(small, _LOW_PERCENTILE, axis=(0, 1))
    high = np.percentile(small, _HIGH_PERCENTILE, axis=(0, 1))
    span = np.where(high > low, high - low, 1.0)
    brightness = np.clip((small - low) / span, 0, 1).mean(axis=2)
    smooth = cv2.GaussianBlur(brightness.astype(np.float32), (5, 5), 0)
    as_bytes = np.rint(smooth * 255).astype(np.uint8)
    otsu, _ = cv2.threshold(as_bytes, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    # Half of Otsu's threshold keeps dark brain; the bounds keep out air noise and keep in dim skin.
    level = float(np.clip(otsu * 0.5, 12, 64))
    bright = (as_bytes > level).astype(np.uint8)
    bright = cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = np.zeros(bright.shape, np.uint8)
    if contours:
        areas = [cv2.contourArea(contour) for contour in contours]
        largest = max(areas)
        if largest > 0.01 * bright.size:
            # Parts that air separates (nose, neck) belong to the head; capsules and text do not.
            for contour, area in zip(contours, areas, strict=True):
                if area >= 0.1 * largest:
                    cv2.drawContours(outline, [contour], -1, 1, thickness=cv2.FILLED)
            return outline.astype(bool)
    return np.ones(bright.shape, bool)


def _crop_box(outline: BoolArray, height: int, width: int) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(outline.any(axis=1)), np.flatnonzero(outline.any(axis=0))
    scale_y, scale_x = height / outline.shape[0], width / outline.shape[1]
    margin = _MARGIN * max(height, width)
    smallest = _MIN_CROP * max(height, width)

    def span(first: float, last: float, limit: int) -> tuple[int, int]:
        centre, half = (first + last) / 2, max((last - first) / 2 + margin, smallest / 2)
        start, end = int(np.floor(centre - half)), int(np.ceil(centre + half))
        start, end = max(0, start), min(limit, end)
        return start, max(end, start + 1)

    top, bottom = span(rows[0] * scale_y, (rows[-1] + 1) * scale_y, height)
    left, right = span(columns[0] * scale_x, (columns[-1] + 1) * scale_x, width)
    return top, left, bottom, right


def _scaled(
    box: tuple[int, int, int, int], small: tuple[int, ...], size: tuple[int, int]
) -> tuple[slice, slice]:
    """The slices of a thumbnail that cover a box of the full picture, at least one pixel each."""
    top, left, bottom, right = box
    scale_y, scale_x = small[0] / size[0], small[1] / size[1]
    y0, x0 = int(top * scale_y), int(left * scale_x)
    return (
        slice(y0, max(y0 + 1, round(bottom * scale_y))),
        slice(x0, max(x0 + 1, round(right * scale_x))),
    )


def _normalise(crop: FloatArray, head: BoolArray) -> tuple[FloatArray, float]:
    """Stretch each channel to 0..1 between robust percentiles; also the share of range in use."""
    inside = crop[head] if head.any() else crop.reshape(-1, crop.shape[2])
    low = np.percentile(crop, _LOW_PERCENTILE, axis=(0, 1))
    high = np.percentile(inside, _HIGH_PERCENTILE, axis=0)
    span = high - low
    peak = float(np.abs(crop).max())
    contrast = float(np.clip(span.max() / peak, 0.0, 1.0)) if peak > 0 else 0.0
    safe = np.where(span > 0, span, 1.0)
    stretched = np.clip((crop - low) / safe, 0.0, 1.0).astype(np.float32)
    return stretched, contrast
