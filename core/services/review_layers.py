"""What the viewer draws of one scan: its values as uploaded, the mask and the heat maps.

The scan keeps its values, so that window and level act on them: 8 bits stay 8, 16 stay 16, and what
has more is spread over 16. Only size is given up, so that a large picture does not take long.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.errors import StoreError
from core.imaging import decode
from core.services.installation import Installation
from core.services.pictures import display_window, shrunk
from core.store import images
from core.types import FloatArray, ScanKind, TumourClass, UInt8Array

_LONGEST_SIDE = 1024
# Grad-CAM is a map of 7 x 7 that was enlarged: more pixels would say nothing more.
_LONGEST_HEAT_SIDE = 384
_LARGEST_8_BIT, _LARGEST_16_BIT = 255, 65535
# Of a picture without any contrast.
_SMALLEST_SCALE = 1e-30


@dataclass(frozen=True)
class Window:
    """A named range of values, shown from black to white."""

    name: str
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class ScanLayers:
    """One scan as the viewer draws it.

    Attributes:
        pixels: uint8 or uint16, shape (h, w) for a gray scan; uint8, shape (h, w, 3) for a
            composite. The longer side has at most 1024 pixels.
        offset: value of the upload that a pixel of 0 stands for.
        scale: values of the upload between two neighbouring pixel values.
        bits: bits per sample in the uploaded file.
        source_size: height and width of the uploaded picture in pixels.
        value_range: lowest and highest value of the upload.
        windows: presets for all channels together (``"all"``) and, for a composite, for each
            (``"0"``, ``"1"``, ``"2"``); the first one is what the page starts with.
        mask: uint8, shape (h, w), 0 or 255; None where nothing is masked or the scan waits.
        heat_maps: Grad-CAM by class, uint8, 0 to 255 for 0 to 1, all of one shape, which is smaller
            than that of ``pixels`` for a large scan; empty while the scan waits.
    """

    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    offset: float
    scale: float
    bits: int
    source_size: tuple[int, int]
    value_range: tuple[float, float]
    windows: dict[str, tuple[Window, ...]]
    mask: UInt8Array | None
    heat_maps: dict[TumourClass, UInt8Array]


def scan_layers(installation: Installation, scan_id: int) -> ScanLayers:
    """Read what the viewer draws of a scan.

    Raises:
        StoreError: the scan is not in the database, or one of its files is missing or damaged.
    """
    with installation.database.reading() as session:
        scan = images.get_scan(session, scan_id)
    files = installation.files
    picture = decode(files.get(scan.content_key))
    # OpenCV, which shrinks, has no pictures of one channel that have an axis for it.
    values = picture.pixels if picture.kind is ScanKind.COMPOSITE else picture.pixels[..., 0]
    pixels, offset, scale = _quantised(shrunk(values, _LONGEST_SIDE), picture.bits)
    mask, heat_maps = None, {}
    if scan.analysis is not None:
        if scan.analysis.finding.lesion is not None:
            stored = shrunk(_gray(files.get(scan.analysis.mask_key)), _LONGEST_SIDE)
            mask = np.where(stored >= 128, 255, 0).astype(np.uint8)
        heat_maps = {
            explained: shrunk(_gray(files.get(key)), _LONGEST_HEAT_SIDE)
            for explained, key in scan.analysis.heat_map_keys.items()
        }
    return ScanLayers(
        pixels=pixels,
        offset=offset,
        scale=scale,
        bits=picture.bits,
        source_size=picture.size,
        value_range=(float(picture.pixels.min()), float(picture.pixels.max())),
        windows=_windows(picture.pixels),
        mask=mask,
        heat_maps=heat_maps,
    )


def _quantised(
    values: FloatArray, bits: int
) -> tuple[npt.NDArray[np.uint8] | npt.NDArray[np.uint16], float, float]:
    """Pixels as whole numbers, with the offset and the scale that lead back to the values."""
    low, high = float(values.min()), float(values.max())
    # The colours of a composite tell sequences apart; 8 bits are enough for that.
    small = bits <= 8 or values.ndim == 3
    most = _LARGEST_8_BIT if small else _LARGEST_16_BIT
    fits = low >= 0 and high <= most and bits <= 16
    offset = 0.0 if fits else low
    scale = 1.0 if fits else max((high - low) / most, _SMALLEST_SCALE)
    pixels = np.rint((values - offset) / scale).astype(np.uint8 if small else np.uint16)
    return pixels, offset, scale


def _windows(pixels: FloatArray) -> dict[str, tuple[Window, ...]]:
    """Presets from the values themselves: MRI has no scale on which a tissue has its place."""
    step = max(1, max(pixels.shape[:2]) // _LONGEST_SIDE)
    channels = pixels[::step, ::step]
    presets = {"all": _presets(channels)}
    if channels.shape[2] > 1:
        presets |= {str(c): _presets(channels[..., c : c + 1]) for c in range(channels.shape[2])}
    return presets


def _presets(values: FloatArray) -> tuple[Window, ...]:
    low, high = display_window(values)
    start = Window("Standard", float(low.min()), float(high.max()))
    whole = Window("Whole range", float(values.min()), float(values.max()))
    # The black around the head would outvote the head.
    head = values[values > start.low + 0.1 * (start.high - start.low)]
    if head.size == 0:
        return start, whole
    dark, middle, bright, brightest = (float(v) for v in np.percentile(head, (5, 50, 90, 99.9)))
    named = (
        start,
        whole,
        Window("High contrast", dark, bright),
        Window("Bright structures", middle, brightest),
        Window("Dark structures", start.low, middle),
    )
    return tuple(one for one in named if one.high > one.low or one is start)


def _gray(png: bytes) -> UInt8Array:
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise StoreError(
            "A stored mask or heat map is no picture. Please restore the file store from a backup."
        )
    return picture.astype(np.uint8)
