"""From stored values to those of a Scan: rescaled, with light as high values, and the window."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

from core.imaging.dicom.layout import Layout
from core.imaging.dicom.values import Attributes
from core.types import FloatArray

# No scanner writes such values; differences of larger ones would overflow float32.
_LARGEST_VALUE = 1e30
_SAME_VALUE = 1e-12


def gray_values(
    stored: np.ndarray, attributes: Attributes, layout: Layout
) -> tuple[FloatArray, tuple[float, float] | None]:
    """Values that are larger where the picture is lighter, and the window in the same values.

    The modality LUT or the rescale is applied, padding becomes the darkest value of the picture,
    and MONOCHROME1 (white is low) is turned around within the range that its bits can hold, so
    that all slices of a series are turned alike.

    Args:
        stored: (rows, columns), as stored in the file.
        attributes: of the frame.
        layout: of the file.

    Returns:
        float32 (rows, columns), and lowest and highest value to be shown, None where the file
        does not say.
    """
    padding = _padding(stored, attributes)
    table = attributes.item("ModalityLUTSequence")
    ends = np.array(layout.stored_range, np.float64)
    if table is not None:
        values, ends = _looked_up(stored, table), _looked_up(ends, table)
    else:
        slope = attributes.number("RescaleSlope")
        intercept = attributes.number("RescaleIntercept") or 0.0
        slope = 1.0 if slope is None or abs(slope) < _SAME_VALUE else slope
        values = (stored.astype(np.float64) * slope + intercept).astype(np.float32)
        ends = ends * slope + intercept
    values = np.clip(values, -_LARGEST_VALUE, _LARGEST_VALUE)
    window = _window(attributes)
    if layout.photometric == "MONOCHROME1":
        around = float(np.clip(ends.sum(), -_LARGEST_VALUE, _LARGEST_VALUE))
        values = np.float32(around) - values
        window = (around - window[1], around - window[0]) if window else None
    if padding is not None and not padding.all():
        values[padding] = values[~padding].min()
    return values, window


def palette_colours(stored: np.ndarray, attributes: Attributes) -> np.ndarray:
    """Colours (rows, columns, 3) of a picture whose values are numbers of a palette's entries."""
    holder = Dataset()
    for colour in ("Red", "Green", "Blue"):
        for kind in ("Descriptor", "Data"):
            name = f"{colour}PaletteColorLookupTable{kind}"
            setattr(holder, name, attributes.value(name))
    return apply_color_lut(stored, holder)


def _looked_up(stored: np.ndarray, table: Dataset) -> FloatArray:
    """Values by the modality LUT; beyond its ends those of its ends (PS3.3 C.11.1.1.1)."""
    entries, first, _ = (int(value) for value in table.LUTDescriptor)
    data = table.LUTData
    values = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.asarray(data)
    index = np.clip(stored.astype(np.int64) - first, 0, (entries or 1 << 16) - 1)
    return values[index].astype(np.float32)


def _padding(stored: np.ndarray, attributes: Attributes) -> np.ndarray | None:
    """Where the file has filled up with a value that means no picture."""
    value = attributes.number("PixelPaddingValue")
    if value is None:
        return None
    limit = attributes.number("PixelPaddingRangeLimit")
    low, high = sorted((value, value if limit is None else limit))
    return (stored >= low) & (stored <= high)


def _window(attributes: Attributes) -> tuple[float, float] | None:
    """The first window of the file (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""
    center, width = attributes.number("WindowCenter"), attributes.number("WindowWidth")
    if center is None or width is None:
        return None
    if (attributes.text("VOILUTFunction") or "LINEAR") == "LINEAR":
        center, width = center - 0.5, width - 1
    if width <= 0 or abs(center) + width > _LARGEST_VALUE:
        return None
    return center - width / 2, center + width / 2
