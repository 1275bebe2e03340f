"""From bytes to the square the networks see, and back."""

from core.imaging.deidentify.burnt_in import burnt_in_text
from core.imaging.deidentify.pseudonyms import Pseudonyms, load_pseudonyms
from core.imaging.dicom import DirectoryFileError, check_head_mr
from core.imaging.files import SUPPORTED_SUFFIXES, ImageFile, decode, open_image
from core.imaging.identity import Privacy, without_identity
from core.imaging.preprocess import (
    PREPROCESSING_VERSION,
    SIDE,
    map_to_source,
    map_to_square,
    prepare,
    resize_square,
)
from core.imaging.raster import MAX_PIXELS

__all__ = [
    "MAX_PIXELS",
    "PREPROCESSING_VERSION",
    "SIDE",
    "SUPPORTED_SUFFIXES",
    "DirectoryFileError",
    "ImageFile",
    "Privacy",
    "Pseudonyms",
    "burnt_in_text",
    "check_head_mr",
    "decode",
    "load_pseudonyms",
    "map_to_source",
    "map_to_square",
    "open_image",
    "prepare",
    "resize_square",
    "without_identity",
]
