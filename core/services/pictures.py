"""Pictures of results: what a page shows, what the store keeps, what the command line saves.

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
_THUMBNAIL_SIDE = 96
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
    # Small scans are enlarged too: an outline drawn at 256 pixels looks ragged on the screen.
    size = size_for(success.scan.size, _PREVIEW_SIDE)
    small = dataclasses.replace(
        success.analysis,
        mask=np.where(resized(success.analysis.mask, size) >= 128, 255, 0).astype(np.uint8),
        heat_maps={success.analysis.heat_map_class: resized(success.analysis.heat_map, size)},
    )
    picture = display_picture(success.scan, size)
    return Preview(name=success.name, size=success.scan.size, picture=picture, analysis=small)


def display_picture(scan: Scan, size: tuple[int, int]) -> UInt8Array:
    """A scan as the eye sees it: each channel stretched between its robust percentiles.

    Args:
        scan: of any size; a large one is made small before anything else is done with it.
        size: height and width of the picture.

    Returns:
        uint8, shape (height, width, 3); three equal channels for a gray scan.
    """
    low, high = display_window(scan.pixels)
    pixels = resized(scan.pixels, size).reshape(*size, -1)  # OpenCV drops a single channel
    stretched = (pixels - low) / np.maximum(high - low, 1e-6)
    picture = np.rint(np.clip(stretched, 0, 1) * 255).astype(np.uint8)
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture


def display_window(pixels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The values between which a scan is shown: the robust percentiles of each channel.

    Args:
        pixels: float32, shape (height, width, channels).

    Returns:
        Lowest and highest value of each channel, float32, shape (channels,).
    """
    # Every n-th pixel gives the same percentiles and spares a large picture its sorting.
    step = max(1, max(pixels.shape[:2]) // 1024)
    sample = pixels[::step, ::step]
    low = np.percentile(sample, _LOW_PERCENTILE, axis=(0, 1)).astype(np.float32)
    high = np.percentile(sample, _HIGH_PERCENTILE, axis=(0, 1)).astype(np.float32)
    # A scan that is black but for a few pixels has no percentiles to stretch between.
    flat = high <= low
    low = np.where(flat, sample.min(axis=(0, 1)), low)
    high = np.where(flat, sample.max(axis=(0, 1)), high)
    return low, high


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
    colours = heat_colours()[np.rint(heat * 255).astype(np.uint8)]
    return _blend(picture, colours.astype(np.float32), heat[..., None] * opacity)


def heat_colours() -> UInt8Array:
    """The colour of each of 256 steps of heat, coldest first: uint8, shape (256, 3), red first."""
    steps = np.arange(256, dtype=np.uint8)[:, None]
    return np.ascontiguousarray(cv2.applyColorMap(steps, cv2.COLORMAP_INFERNO)[:, 0, ::-1])


def mask_png(mask: UInt8Array) -> bytes:
    """A mask as an 8-bit gray PNG of its own size, 0 or 255."""
    return _png(np.where(mask != 0, 255, 0).astype(np.uint8))


def heat_map_png(heat_map: FloatArray) -> bytes:
    """A heat map as an 8-bit gray PNG of its own size; 0 to 255 stand for 0 to 1."""
    return _png(np.rint(np.clip(heat_map, 0, 1) * 255).astype(np.uint8))


def thumbnail_png(scan: Scan, mask: UInt8Array) -> bytes:
    """A scan with the outline of its mask, small enough for a row of the worklist, as a PNG."""
    size = size_for(scan.size, _THUMBNAIL_SIDE)
    # Every pixel that is masked in part counts, so that a small lesion does not vanish.
    small = np.where(resized(mask, size) > 0, 255, 0).astype(np.uint8)
    picture = overlay_mask(display_picture(scan, size), small, MaskStyle.OUTLINE, 1.0)
    return _png(picture[..., ::-1])


def shrunk(array: np.ndarray, longest: int) -> np.ndarray:
    """An array (height, width) whose longer side has at most so many pixels."""
    return array if max(array.shape) <= longest else resized(array, size_for(array.shape, longest))


def size_for(size: tuple[int, ...], longest: int) -> tuple[int, int]:
    """Height and width of the same shape whose longer side has so many pixels."""
    scale = longest / max(size[:2])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resized(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An array (height, width) or (height, width, 3), in another height and width."""
    method = cv2.INTER_AREA if size[0] < array.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(array, (size[1], size[0]), interpolation=method)


def _png(picture: UInt8Array) -> bytes:
    """A PNG of a gray picture (h, w) or one in OpenCV's order of colours (h, w, 3)."""
    done, encoded = cv2.imencode(".png", picture)
    if not done:
        raise RuntimeError(f"OpenCV could not write a PNG of shape {picture.shape}")
    return encoded.tobytes()


def _blend(picture: UInt8Array, colours: FloatArray, alpha: FloatArray) -> UInt8Array:
    mixed = picture.astype(np.float32) * (1 - alpha) + colours * alpha
    return np.rint(mixed).astype(np.uint8)
