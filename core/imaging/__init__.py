"""From bytes to the square the networks see, and back."""

from core.imaging.identity import without_identity
from core.imaging.preprocess import (
    PREPROCESSING_VERSION,
    SIDE,
    map_to_source,
    map_to_square,
    prepare,
    resize_square,
)
from core.imaging.raster import MAX_PIXELS, SUPPORTED_SUFFIXES, decode

__all__ = [
    "MAX_PIXELS",
    "PREPROCESSING_VERSION",
    "SIDE",
    "SUPPORTED_SUFFIXES",
    "decode",
    "map_to_source",
    "map_to_square",
    "prepare",
    "resize_square",
    "without_identity",
]
