"""Whether the colours of a picture are sequences of their own."""

from __future__ import annotations

import numpy as np

from core.types import FloatArray, ScanKind

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# A gray scan saved in colour may carry a few coloured marks (arrows, a frame). Channels must differ
# over more of the lit picture than that, and by more than JPEG's colour noise, to count as
# sequences.
_COMPOSITE_SPREAD = 0.08
_COMPOSITE_SHARE = 0.02


def luminance(pixels: FloatArray) -> FloatArray:
    """The brightness (height, width, 1) of colours (height, width, 3)."""
    return (pixels @ _LUMA)[..., None]


def gray_or_composite(pixels: FloatArray) -> tuple[FloatArray, ScanKind]:
    """Tell whether the colours of a picture are sequences; those of a gray one become one channel.

    Args:
        pixels: (height, width, 1 or 3); three channels are red, green and blue.

    Returns:
        (height, width, 1) with ``GRAY``, or the same pixels with ``COMPOSITE``.
    """
    if channels_differ(pixels):
        return pixels, ScanKind.COMPOSITE
    return luminance(pixels) if pixels.shape[2] == 3 else pixels, ScanKind.GRAY


def channels_differ(pixels: FloatArray) -> bool:
    """Whether a picture (height, width, 1 or 3) is truly coloured, and not by a few marks alone."""
    if pixels.shape[2] == 1:
        return False
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    highest = np.maximum(np.maximum(red, green), blue)
    lowest = np.minimum(np.minimum(red, green), blue)
    darkest = float(lowest.min())
    least = _COMPOSITE_SPREAD * (float(highest.max()) - darkest)
    if least <= 0:
        return False
    # Only lit pixels count, so that a wide black border does not outvote the head.
    lit = (highest - darkest) > least
    if not lit.any():
        return False
    share = float(((highest - lowest)[lit] > least).mean())
    return share > _COMPOSITE_SHARE
