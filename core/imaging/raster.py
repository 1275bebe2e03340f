"""Decoding of picture files (JPEG, PNG, TIFF, BMP, WebP) into a Scan."""

from __future__ import annotations

import io
import logging
import warnings

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from core.errors import InputError
from core.imaging.colours import gray_or_composite
from core.types import FloatArray, Scan

log = logging.getLogger(__name__)

MAX_PIXELS = 100_000_000
SUPPORTED_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")

# Phones' multi-picture JPEGs come through the JPEG reader. Pillow loads its rarer readers on demand
# only when no formats are named, so they are loaded here.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "DIB", "WEBP")
Image.init()
# At the level of debugging, Pillow logs the texts of a file, names of patients among them.
logging.getLogger("PIL").setLevel(logging.INFO)
# How files of those formats begin. One that begins so and is still not recognised is damaged or of
# a rare kind, and saying "not a picture" of it would mislead.
_PNG_SIGNATURE = b"\x89PNG"
_SIGNATURES = (
    b"\xff\xd8\xff",
    _PNG_SIGNATURE,
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"BM",
    b"RIFF",
)
_PNG_DEPTH = 24  # position of the bit depth in a PNG's header
_PNG_SAMPLES = {2: 3, 4: 2, 6: 4}  # samples per pixel by colour type; else 1
_DEFLATE_RATIO = 1032  # deflate cannot pack more bytes than this into one
_ORIENTATION_TAG = 0x0112
_TURNED = range(2, 9)  # orientations that change the picture
_TIFF_BITS, _TIFF_COMPRESSION, _TIFF_PHOTOMETRIC, _TIFF_PLANAR = 258, 259, 262, 284
_TIFF_EXTRA_SAMPLES, _TIFF_SAMPLE_FORMAT = 338, 339
_SUBSAMPLED = 6  # YCbCr, whose pixels may share colours
_UNASSOCIATED = 2  # a TIFF's alpha that the colours are not yet multiplied with
# No scanner writes such values; differences of larger ones would overflow float32.
_LARGEST_VALUE = 1e30


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
    return decode_with_orientation(data)[0]


def decode_with_orientation(data: bytes) -> tuple[Scan, int]:
    """What ``decode`` returns, and the EXIF orientation that was applied for it (1 for none).

    A TIFF's own orientation tag is part of its pixels here and not told.

    Raises:
        InputError: as ``decode`` does.
    """
    if not data:
        raise InputError("The file is empty (0 bytes). Please export the scan again.")
    try:
        pixels, bits, source_format, orientation = _read(data)
        pixels, kind = gray_or_composite(pixels)
    except MemoryError as error:
        # Damaged headers may ask for absurd amounts, honest ones for more than is free.
        raise InputError(
            "The picture needs more memory than is free on this computer. "
            "Please export the slice at its own resolution."
        ) from error
    return Scan(pixels=pixels, kind=kind, source_format=source_format, bits=bits), orientation


def _read(data: bytes) -> tuple[FloatArray, int, str, int]:
    """Upright finite pixels, bits per sample, container and the orientation that was applied.

    Any failure becomes an InputError.
    """
    with warnings.catch_warnings():
        # Pillow warns of large pictures (our limit decides) and of damage (told by our errors).
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check_header(image, data)
                pixels, bits, orientation = _read_pixels(image, data)
                source_format = image.format or "unknown"
        except (InputError, MemoryError):
            raise
        except Image.DecompressionBombError as error:
            raise _too_large() from error
        except UnidentifiedImageError as error:
            raise _unrecognised(data) from error
        except Exception as error:
            # Damaged files make Pillow's readers raise nearly everything: OSError, SyntaxError,
            # ValueError, KeyError, TypeError, struct.error, zlib.error: no list is complete. So the
            # kind is logged, by which an error of the program itself is found.
            log.warning("A picture was refused as damaged: %s", type(error).__name__)
            raise _damaged() from error
    if bits > 16:
        pixels = np.nan_to_num(pixels, nan=0.0, posinf=0.0, neginf=0.0)
        pixels = np.clip(pixels, -_LARGEST_VALUE, _LARGEST_VALUE)
    if orientation not in _TURNED:
        orientation = 1
    return np.ascontiguousarray(_orient(pixels, orientation)), bits, source_format, orientation


def _damaged() -> InputError:
    return InputError(
        "The picture is damaged or incomplete and cannot be read to its end. "
        "Please export or transfer it again."
    )


def _too_large() -> InputError:
    return InputError(
        f"The picture has more than {MAX_PIXELS // 1_000_000} megapixels, far more than a brain "
        "MRI slice. Please export the slice at its own resolution."
    )


def _unrecognised(data: bytes) -> InputError:
    if data.startswith(_SIGNATURES):
        return InputError(
            "The picture is damaged, has no pixels, or is of a rare kind that the program does not "
            "read. Please export it again, best as an ordinary PNG of 8 or 16 bits."
        )
    return InputError(
        "This is not a picture the program reads. "
        "Expected JPEG, PNG, TIFF, BMP or WebP, DICOM or NIfTI; please export the scan as one of "
        "these."
    )


def _check_header(image: Image.Image, data: bytes) -> None:
    """Refuse what the header alone rules out, before any pixel is decoded."""
    width, height = image.size
    if width == 0 or height == 0:
        raise InputError("The picture has no pixels (its width or height is zero).")
    if width * height > MAX_PIXELS:
        raise _too_large()
    if width * height * _least_bits(image, data) // 8 > len(data):
        raise _damaged()
    # Not n_frames: to count a TIFF's pages takes time that grows with their square.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise InputError(
            "The file holds several pages. Please export each slice as a picture of its own."
        )


def _least_bits(image: Image.Image, data: bytes) -> float:
    """The fewest bits of file that a pixel of this picture takes; 0 where there is no telling.

    Pillow fills the pixels that a PNG or TIFF lacks with black: a few damaged bytes in the header
    of a small file would give a hundred black megapixels.
    """
    if image.format == "PNG":
        depth, colour = data[_PNG_DEPTH : _PNG_DEPTH + 2]
        return depth * _PNG_SAMPLES.get(colour, 1) / _DEFLATE_RATIO
    plain = _tiff_tag(image, _TIFF_COMPRESSION, 0) == 1
    if plain and _tiff_tag(image, _TIFF_PHOTOMETRIC, 1) != _SUBSAMPLED:
        return _tiff_tag(image, _TIFF_BITS, 1)
    return 0


def _read_pixels(image: Image.Image, data: bytes) -> tuple[FloatArray, int, int]:
    """Pixels as float32 (height, width, 1 or 3), bits per sample, and the orientation to apply."""
    # Whole files only: OpenCV, below, would fill what is missing from a truncated one with black.
    image.load()
    # Pillow turns a TIFF upright as it loads it.
    orientation = 1 if image.format == "TIFF" else image.getexif().get(_ORIENTATION_TAG, 1)
    mode = image.mode
    transparent = "transparency" in image.info
    if _has_deep_colour(image, data):
        return _read_deep_colour(image, data), 16, orientation
    if mode in ("I", "F") or mode.startswith("I;16"):
        array, bits = _read_deep_gray(image)
        return array[..., None], bits, orientation
    if mode == "1" and not transparent:
        return np.asarray(image.convert("L"), dtype=np.float32)[..., None], 1, orientation
    if mode == "L" and not transparent:
        return np.asarray(image, dtype=np.float32)[..., None], 8, orientation
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or transparent:
        rgba = np.asarray(image.convert("RGBA"), dtype=np.float32)
        alpha = rgba[..., 3:] / 255.0
        # Some exporters write an alpha channel of zeros; the scan is in the colours then.
        return (rgba[..., :3] * alpha if alpha.any() else rgba[..., :3]), 8, orientation
    return np.asarray(image.convert("RGB"), dtype=np.float32), 8, orientation


def _tiff_tag(image: Image.Image, name: int, default: int) -> int:
    """The first value of a TIFF tag that holds one or several numbers."""
    value = getattr(image, "tag_v2", {}).get(name, default)
    return (value[0] if value else default) if isinstance(value, tuple) else value


def _read_deep_gray(image: Image.Image) -> tuple[FloatArray, int]:
    """Pixels (height, width) and bits per sample of a gray picture of more than 8 bits."""
    array = np.asarray(image)
    if image.format != "TIFF":
        return array.astype(np.float32), 16
    bits = _tiff_tag(image, _TIFF_BITS, 16)
    if image.mode == "I" and bits == 32 and _tiff_tag(image, _TIFF_SAMPLE_FORMAT, 1) == 1:
        array = array.view(np.uint32)  # Pillow reads unsigned values as signed ones
    values = array.astype(np.float32)
    if image.mode.startswith("I;16") and _tiff_tag(image, _TIFF_PHOTOMETRIC, 1) == 0:
        values = values.max() - values  # white is zero, which Pillow heeds up to 8 bits only
    return values, bits


def _has_deep_colour(image: Image.Image, data: bytes) -> bool:
    """Whether this is a 16-bit colour picture, which Pillow would cut to 8 bits."""
    if image.mode not in ("RGB", "RGBA", "RGBX"):
        return False
    if image.format == "PNG":
        return data.startswith(_PNG_SIGNATURE) and data[_PNG_DEPTH] == 16
    return image.format == "TIFF" and _tiff_tag(image, _TIFF_BITS, 8) == 16


def _read_deep_colour(image: Image.Image, data: bytes) -> FloatArray:
    """Pixels (height, width, 3) of a 16-bit colour PNG or TIFF."""
    array = None
    if _tiff_tag(image, _TIFF_PLANAR, 1) == 1:  # OpenCV mixes the colours of separate planes up
        plain = _essential_chunks(data) if image.format == "PNG" else data
        array = cv2.imdecode(np.frombuffer(plain, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.dtype != np.uint16 or array.ndim != 3:
        raise InputError(
            "The picture stores its 16-bit colours in a way that the program does not read. "
            "Please export it as a 16-bit PNG, or each sequence as a gray picture."
        )
    colour = array[..., 2::-1].astype(np.float32)
    # Colours of a TIFF with associated alpha lie on black already.
    extra = _tiff_tag(image, _TIFF_EXTRA_SAMPLES, _UNASSOCIATED)
    if array.shape[2] == 4 and extra == _UNASSOCIATED and array[..., 3].any():
        colour *= array[..., 3:].astype(np.float32) / 65535.0
    return colour


def _essential_chunks(data: bytes) -> bytes:
    """A PNG without what OpenCV need not read: it would reserve gigabytes for a damaged length."""
    kept, at = [data[:8]], 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end <= len(data) and data[at + 4 : at + 8] in (b"IHDR", b"tRNS", b"IDAT"):
            kept.append(data[at:end])
        at = end
    return b"".join(kept) + b"\0\0\0\0IEND\xaeB`\x82"


def _orient(pixels: FloatArray, orientation: int) -> FloatArray:
    """Apply an EXIF orientation, 1 to 8."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        # After the transposition of 7 and 8 this is the flip that the tag still asks for.
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
