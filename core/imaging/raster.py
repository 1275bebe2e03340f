"""Decoding of picture files (JPEG, PNG, TIFF, BMP, WebP) into a Scan."""

from __future__ import annotations

import io
import warnings

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from core.errors import InputError
from core.types import FloatArray, Scan, ScanKind

MAX_PIXELS = 100_000_000
SUPPORTED_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")

# Phones' multi-picture JPEGs come through the JPEG reader. Pillow loads its rarer readers on demand
# only when no formats are named, so they are loaded here.
_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "DIB", "WEBP")
Image.init()
_ORIENTATION_TAG = 0x0112
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# A gray scan saved in colour may carry a few coloured marks (arrows, a frame). Channels must differ
# over more of the picture than that, and by more than JPEG's colour noise, to count as sequences.
_COMPOSITE_SPREAD = 0.08
_COMPOSITE_SHARE = 0.02


def decode(data: bytes) -> Scan:
    """Decode one picture file.

    Values keep the file's own range (a 16-bit scan stays 16-bit); transparency is laid on black;
    the EXIF orientation is applied; a picture whose colour channels agree becomes gray.

    Args:
        data: the file's bytes.

    Returns:
        The decoded scan.

    Raises:
        InputError: the bytes are no picture this program reads, are damaged, hold no or too many
            pixels (over ``MAX_PIXELS``), or hold several pages.
    """
    if not data:
        raise InputError("The file is empty (0 bytes). Please export the scan again.")
    with warnings.catch_warnings():
        # Between Pillow's own limit and ours a picture is allowed; Pillow's warning is no error.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                return _to_scan(image, data)
        except InputError:
            raise
        except Image.DecompressionBombError as error:
            raise _too_large() from error
        except UnidentifiedImageError as error:
            raise InputError(
                "This is not a picture the program reads. "
                "Expected JPEG, PNG, TIFF, BMP or WebP; please export the scan as one of these."
            ) from error
        except (OSError, SyntaxError, ValueError, EOFError, OverflowError, IndexError) as error:
            # Pillow's decoders raise any of these on damaged files.
            raise InputError(
                "The picture is damaged or incomplete and cannot be read to its end. "
                "Please export or transfer it again."
            ) from error


def _too_large() -> InputError:
    return InputError(
        f"The picture has more than {MAX_PIXELS // 1_000_000} megapixels, far more than a brain "
        "MRI slice. Please export the slice at its own resolution."
    )


def _to_scan(image: Image.Image, data: bytes) -> Scan:
    width, height = image.size
    if width == 0 or height == 0:
        raise InputError("The picture has no pixels (its width or height is zero).")
    if width * height > MAX_PIXELS:
        raise _too_large()
    pages = getattr(image, "n_frames", 1)
    if pages > 1 and image.format != "MPO":
        raise InputError(
            f"The file holds {pages} pages. Please export each slice as a picture of its own."
        )
    source_format = image.format or "unknown"
    orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    pixels, bits = _read_pixels(image, data)
    pixels = np.nan_to_num(pixels, nan=0.0, posinf=0.0, neginf=0.0)
    pixels = np.ascontiguousarray(_orient(pixels, orientation))
    kind = ScanKind.COMPOSITE if _channels_differ(pixels) else ScanKind.GRAY
    if kind is ScanKind.GRAY and pixels.shape[2] == 3:
        pixels = (pixels @ _LUMA)[..., None]
    return Scan(pixels=pixels, kind=kind, source_format=source_format, bits=bits)


def _read_pixels(image: Image.Image, data: bytes) -> tuple[FloatArray, int]:
    """Pixels as float32 (height, width, 1 or 3) and the bits per sample."""
    mode = image.mode
    deep = _read_deep_colour(image, data)
    if deep is not None:
        return deep, 16
    if mode in ("I", "F") or mode.startswith("I;16"):
        array = np.asarray(image, dtype=np.float32)
        return array[..., None], 16 if mode.startswith("I;16") else 32
    if mode == "1":
        return np.asarray(image.convert("L"), dtype=np.float32)[..., None], 1
    if mode == "L":
        return np.asarray(image, dtype=np.float32)[..., None], 8
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA"), dtype=np.float32)
        alpha = rgba[..., 3:] / 255.0
        # Some exporters write an alpha channel of zeros; the scan is in the colours then.
        return (rgba[..., :3] * alpha if alpha.any() else rgba[..., :3]), 8
    return np.asarray(image.convert("RGB"), dtype=np.float32), 8


def _read_deep_colour(image: Image.Image, data: bytes) -> FloatArray | None:
    """Pixels of a 16-bit colour PNG or TIFF, which Pillow would cut to 8 bits; else None."""
    if image.format not in ("PNG", "TIFF") or image.mode not in ("RGB", "RGBA"):
        return None
    sixteen = (
        "16" in str(image.tile[0][3])
        if image.format == "PNG" and image.tile
        else 16 in tuple(image.tag_v2.get(258, ()))  # BitsPerSample
        if image.format == "TIFF"
        else False
    )
    if not sixteen:
        return None
    array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.dtype != np.uint16 or array.ndim != 3:
        return None
    colour = array[..., 2::-1].astype(np.float32)
    if array.shape[2] == 4 and array[..., 3].any():
        colour *= array[..., 3:].astype(np.float32) / 65535.0
    return colour


def _orient(pixels: FloatArray, orientation: int) -> FloatArray:
    """Apply an EXIF orientation (1 to 8; anything else is left alone)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        # After the transposition of 7 and 8 this is the flip that the tag still asks for.
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _channels_differ(pixels: FloatArray) -> bool:
    if pixels.shape[2] == 1:
        return False
    spread = pixels.max(axis=2) - pixels.min(axis=2)
    value_range = float(pixels.max() - pixels.min())
    if value_range <= 0:
        return False
    lit = (pixels.max(axis=2) - pixels.min()) > _COMPOSITE_SPREAD * value_range
    if not lit.any():
        return False
    share = float((spread[lit] > _COMPOSITE_SPREAD * value_range).mean())
    return share > _COMPOSITE_SHARE
