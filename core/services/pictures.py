"""Pictures of results: what a page shows and what the command line saves.

Colours are chosen so that readers with a colour vision deficiency can tell them apart: the mask is
sky blue (Okabe and Ito), the heat map goes through "inferno" from dark violet to pale yellow.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from core.services.analyse import Success
from core.types import Analysis, FloatArray, Scan, UInt8Array

MASK_COLOUR = (86, 180, 233)
_PREVIEW_SIDE = 768
_LOW_PERCENTILE, _HIGH_PERCENTILE = 1.0, 99.5
# An outline of one pixel would vanish on a large picture.
_OUTLINE_SHARE = 1 / 250


class MaskStyle(StrEnum):
    """How a mask is drawn."""

    OUTLINE = "outline"
    FILLED = "filled"


@dataclass(frozen=True, eq=False)
class Preview:
    """A result in the size in which a page shows it.

    Attributes:
        name: how the input is called.
        size: height and width of the uploaded picture in pixels.
        picture: uint8, shape (h, w, 3), the scan; its longer side has ``_PREVIEW_SIDE`` pixels.
        analysis: the analysis, with mask and heat map in the size (h, w) of ``picture``.
    """

    name: str
    size: tuple[int, int]
    picture: UInt8Array
    analysis: Analysis


def preview(success: Success) -> Preview:
    """Bring a result into the size in which a page shows it; nothing large is kept."""
    height, width = success.scan.size
    # Small scans are enlarged too: an outline drawn at 256 pixels looks ragged on the screen.
    scale = _PREVIEW_SIDE / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    small = dataclasses.replace(
        success.analysis,
        mask=np.where(_resized(success.analysis.mask, size) >= 128, 255, 0).astype(np.uint8),
        heat_map=_resized(success.analysis.heat_map, size),
    )
    picture = _resized(display_picture(success.scan), size)
    return Preview(name=success.name, size=(height, width), picture=picture, analysis=small)


def display_picture(scan: Scan) -> UInt8Array:
    """A scan as the eye sees it: each channel stretched between its robust percentiles.

    Returns:
        uint8, shape (height, width, 3); three equal channels for a gray scan.
    """
    # Every n-th pixel gives the same percentiles and spares a large picture its sorting.
    step = max(1, max(scan.size) // 1024)
    sample = scan.pixels[::step, ::step]
    low = np.percentile(sample, _LOW_PERCENTILE, axis=(0, 1)).astype(np.float32)
    high = np.percentile(sample, _HIGH_PERCENTILE, axis=(0, 1)).astype(np.float32)
    # A scan that is black but for a few pixels has no percentiles to stretch between.
    flat = high <= low
    low = np.where(flat, sample.min(axis=(0, 1)), low)
    high = np.where(flat, sample.max(axis=(0, 1)), high)
    stretched = (scan.pixels - low) / np.maximum(high - low, 1e-6)
    picture = np.rint(np.clip(stretched, 0, 1) * 255).astype(np.uint8)
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture


def overlay_mask(
    picture: UInt8Array, mask: UInt8Array, style: MaskStyle, opacity: float
) -> UInt8Array:
    """Draw a mask on a picture.

    Args:
        picture: uint8, shape (h, w, 3).
        mask: uint8, shape (h, w); every value but 0 counts as masked.
        style: outline or filled.
        opacity: 0 (nothing drawn) to 1 (nothing shines through).

    Returns:
        A new picture, uint8, shape (h, w, 3).
    """
    binary = (mask != 0).astype(np.uint8)
    if style is MaskStyle.OUTLINE:
        thickness = max(1, round(max(binary.shape) * _OUTLINE_SHARE))
        contours, _ = cv2.findContours(binary, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        binary = np.zeros_like(binary)
        cv2.drawContours(binary, contours, -1, 1, thickness=thickness)
    alpha = binary[..., None].astype(np.float32) * opacity
    return _blend(picture, np.array(MASK_COLOUR, np.float32), alpha)


def overlay_heat_map(picture: UInt8Array, heat_map: FloatArray, opacity: float) -> UInt8Array:
    """Lay a heat map over a picture, the more opaque the hotter, so that cold regions stay visible.

    Args:
        picture: uint8, shape (h, w, 3).
        heat_map: float32, shape (h, w), 0 to 1.
        opacity: opacity of the hottest pixel, 0 to 1.

    Returns:
        A new picture, uint8, shape (h, w, 3).
    """
    heat = np.clip(heat_map, 0, 1).astype(np.float32)
    colours = cv2.applyColorMap(np.rint(heat * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return _blend(picture, colours[..., ::-1].astype(np.float32), heat[..., None] * opacity)


def mask_png(mask: UInt8Array) -> bytes:
    """A mask as an 8-bit gray PNG of its own size, 0 or 255."""
    return _png(np.where(mask != 0, 255, 0).astype(np.uint8))


def heat_map_png(heat_map: FloatArray) -> bytes:
    """A heat map as an 8-bit gray PNG of its own size; 0 to 255 stand for 0 to 1."""
    return _png(np.rint(np.clip(heat_map, 0, 1) * 255).astype(np.uint8))


def _png(gray: UInt8Array) -> bytes:
    done, encoded = cv2.imencode(".png", gray)
    if not done:
        raise RuntimeError(f"OpenCV could not write a PNG of shape {gray.shape}")
    return encoded.tobytes()


def _blend(picture: UInt8Array, colours: FloatArray, alpha: FloatArray) -> UInt8Array:
    mixed = picture.astype(np.float32) * (1 - alpha) + colours * alpha
    return np.rint(mixed).astype(np.uint8)


def _resized(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    method = cv2.INTER_AREA if size[0] < array.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(array, (size[1], size[0]), interpolation=method)
