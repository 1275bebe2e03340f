"""How many pixels a file claims to hold, by its header: before memory is spent on them."""

from __future__ import annotations

import io
import math
import warnings

from nibabel import Nifti1Header
from PIL import Image, UnidentifiedImageError

from core.errors import InputError
from core.imaging.dicom.read import is_dicom, read
from core.imaging.dicom.values import Attributes
from core.imaging.nifti_read import is_nifti, read_header, volume_shape
from core.imaging.nifti_space import Space
from core.imaging.raster import FORMATS


def check_extent(data: bytes, picture_megapixels: float, volume_megapixels: float) -> None:
    """Refuse a picture, a slice or a NIfTI volume of more pixels than are wanted here.

    Files whose header cannot be read pass: their readers say what is wrong with them.

    Args:
        data: the file's bytes.
        picture_megapixels: the most in an ordinary picture, a DICOM frame or a NIfTI slice.
        volume_megapixels: the most in all slices of a volume together.

    Raises:
        InputError: there are more; the text says how many may be.
    """
    if is_dicom(data):
        _check("picture", _frame_pixels(data), picture_megapixels)
    elif is_nifti(data):
        whole, one = _volume_pixels(data)
        _check("volume", whole, volume_megapixels)
        _check("picture", one, picture_megapixels)
    else:
        _check("picture", _picture_pixels(data), picture_megapixels)


def _check(what: str, pixels: float, megapixels: float) -> None:
    if pixels > megapixels * 1e6:
        raise InputError(
            f"The {what} has more than {megapixels:g} megapixels, which is the most that is taken "
            "here. Please export the scan at its own resolution."
        )


def _frame_pixels(data: bytes) -> float:
    try:
        attributes = Attributes(read(data).dataset)
    except InputError:
        return 0
    return (attributes.number("Rows") or 0) * (attributes.number("Columns") or 0)


def _picture_pixels(data: bytes) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes, which are looked at here
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
            return 0
        except Image.DecompressionBombError:
            return math.inf
    return width * height


def _volume_pixels(data: bytes) -> tuple[int, int]:
    """Pixels of all slices together, and of one."""
    try:
        header = read_header(data)
        shape = volume_shape(header)
    except InputError:
        return 0, 0
    return math.prod(shape), _slice_pixels(header, shape[:3])


def _slice_pixels(header: Nifti1Header, shape: tuple[int, int, int]) -> int:
    try:
        return math.prod(shape) // max(1, Space.of(header, shape).across.length)
    except (InputError, ValueError, ArithmeticError):
        return 0
