"""What the viewer draws of one scan: its values as uploaded, the mask and the heat maps.

The scan keeps its values, so that window and level act on them: 8 bits stay 8, 16 stay 16, and what
has more is spread over 16. Only size is given up, so that a large picture does not take long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.services.installation import Installation
from core.services.pictures import display_window, shrunk
from core.services.stored_pixels import PixelReader, gray_png
from core.store import images
from core.store.files import FileStore
from core.store.images import StoredScan
from core.types import FloatArray, Scan, ScanKind, TumourClass, UInt8Array

_LONGEST_SIDE = 1024
# Grad-CAM is a map of 7 x 7 that was enlarged: more pixels would say nothing more.
_LONGEST_HEAT_SIDE = 384
# Of a slice, many of which go to the browser together.
_LONGEST_SLICE_HEAT_SIDE = 112
# A series has one window for all its slices; so many of them, evenly spread, show its values.
_SAMPLED_SLICES, _SAMPLED_SIDE = 9, 160
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


@dataclass(frozen=True)
class Display:
    """How the values of a scan, or of all slices of a series, are shown.

    Attributes:
        value_range: lowest and highest value; of a series, among those looked at.
        windows: as in ``ScanLayers``.
    """

    value_range: tuple[float, float]
    windows: dict[str, tuple[Window, ...]]

    @property
    def start(self) -> tuple[float, float]:
        """The values shown black and white at first."""
        first = self.windows["all"][0]
        return first.low, first.high


def scan_layers(installation: Installation, scan_id: int) -> ScanLayers:
    """Read what the viewer draws of a scan.

    Raises:
        StoreError: the scan is not in the database, or one of its files is missing or damaged.
        InputError: its file cannot be read.
    """
    with installation.database.reading() as session:
        scan = images.get_scan(session, scan_id)
    reader = PixelReader(installation.files)
    picture = reader.scan(scan)
    display = _display(picture.pixels, picture.window)
    return _layers(installation.files, reader, scan, picture, display, _LONGEST_HEAT_SIDE)


def slice_layers(
    installation: Installation, slices: Sequence[StoredScan], display: Display
) -> Iterator[ScanLayers]:
    """Read what the viewer draws of slices of a series, one after the other.

    Args:
        installation: where they are.
        slices: the slices.
        display: of the series, from ``series_display``.

    Raises:
        StoreError: one of their files is missing or damaged.
        InputError: one of their files cannot be read.
    """
    reader = PixelReader(installation.files)
    for one in slices:
        picture = reader.scan(one)
        yield _layers(installation.files, reader, one, picture, display, _LONGEST_SLICE_HEAT_SIDE)


def series_display(installation: Installation, slices: Sequence[StoredScan]) -> Display:
    """How the slices of a series are shown: alike, so that they can be gone through.

    Args:
        installation: where they are.
        slices: all slices of the series, in order, 1 or more.

    Raises:
        StoreError: one of their files is missing or damaged.
        InputError: one of their files cannot be read.
    """
    reader = PixelReader(installation.files)
    count = min(len(slices), _SAMPLED_SLICES)
    # Amid each of so many equal parts: the ends of a series hold little of the head.
    chosen = [slices[(2 * part + 1) * len(slices) // (2 * count)] for part in range(count)]
    pictures = [reader.scan(one) for one in chosen]
    values = np.concatenate([_sampled(one.pixels) for one in pictures])
    # As one square picture, whatever the sizes of the slices; a few values at its end are left out.
    side = int(len(values) ** 0.5)
    square = values[: side * side].reshape(side, side, -1)
    return _display(square, pictures[len(pictures) // 2].window)


def _sampled(pixels: FloatArray) -> FloatArray:
    """Every n-th value of a slice, shape (values, channels)."""
    step = max(1, max(pixels.shape[:2]) // _SAMPLED_SIDE)
    return pixels[::step, ::step].reshape(-1, pixels.shape[2])


def _layers(
    files: FileStore,
    reader: PixelReader,
    scan: StoredScan,
    picture: Scan,
    display: Display,
    heat_side: int,
) -> ScanLayers:
    # OpenCV, which shrinks, has no pictures of one channel that have an axis for it.
    values = picture.pixels if picture.kind is ScanKind.COMPOSITE else picture.pixels[..., 0]
    pixels, offset, scale = _quantised(shrunk(values, _LONGEST_SIDE), picture.bits)
    mask, heat_maps = reader.mask(scan), {}
    if mask is not None:
        mask = np.where(shrunk(mask, _LONGEST_SIDE) >= 128, 255, 0).astype(np.uint8)
    if scan.analysis is not None:
        heat_maps = {
            explained: shrunk(gray_png(files.get(key)), heat_side)
            for explained, key in scan.analysis.heat_map_keys.items()
        }
    return ScanLayers(
        pixels=pixels,
        offset=offset,
        scale=scale,
        bits=picture.bits,
        source_size=picture.size,
        value_range=display.value_range,
        windows=display.windows,
        mask=mask,
        heat_maps=heat_maps,
    )


def _display(pixels: FloatArray, window: tuple[float, float] | None) -> Display:
    windows = _windows(pixels)
    if window is not None and window[1] > window[0]:
        # What the scanner's software chose; the presets made of the values stay the start.
        of_the_file = Window("From the file", float(window[0]), float(window[1]))
        first, *others = windows["all"]
        windows["all"] = (first, of_the_file, *others)
    return Display((float(pixels.min()), float(pixels.max())), windows)


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
