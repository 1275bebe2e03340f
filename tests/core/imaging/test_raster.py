"""Decoding ordinary picture files: every container, depth, colour model and orientation."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from core.errors import InputError
from core.imaging.raster import decode
from core.types import ScanKind
from tests.pictures import save, tiff

HEIGHT, WIDTH = 40, 56


def deep_png(array: np.ndarray) -> bytes:
    """A 16-bit PNG of RGB or RGBA values."""
    order = [2, 1, 0, 3][: array.shape[2]]
    return cv2.imencode(".png", array[..., order])[1].tobytes()


def smooth(channels: int = 1, top: float = 255.0) -> np.ndarray:
    """A picture without sharp edges, so that JPEG changes it little; channels clearly differ."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [
        (np.sin(x / (9.0 + 5 * c)) * np.cos(y / (11.0 - 3 * c)) + 1) / 2 for c in range(channels)
    ]
    picture = np.stack(planes, axis=-1) * top
    return picture[..., 0] if channels == 1 else picture


GRAY8 = np.rint(smooth()).astype(np.uint8)
COLOUR8 = np.rint(smooth(3)).astype(np.uint8)
# What scanners really store: twelve bits at most of the sixteen.
GRAY16 = np.rint(smooth(top=1200)).astype(np.uint16)
GRAY16[0, 0] = 0
COLOUR16 = np.rint(smooth(3, top=1200)).astype(np.uint16)


def largest_error(data: bytes, expected: np.ndarray) -> float:
    pixels = decode(data).pixels
    if expected.ndim == 2:
        expected = expected[..., None]
    assert pixels.shape == expected.shape
    return float(np.abs(pixels - expected.astype(np.float32)).max())


@pytest.mark.parametrize(
    ("form", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("BMP", {}, 0),
        ("WEBP", {"lossless": True}, 1),
        ("JPEG", {"quality": 95}, 8),
    ],
)
def test_gray_values_survive_every_container(
    form: str, options: dict[str, Any], tolerance: float
) -> None:
    data = save(Image.fromarray(GRAY8), form, **options)
    scan = decode(data)
    assert scan.kind is ScanKind.GRAY
    assert (scan.source_format, scan.bits, scan.pixels.dtype) == (form, 8, np.float32)
    assert scan.size == (HEIGHT, WIDTH)
    assert largest_error(data, GRAY8) <= tolerance + 1e-3


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_differing_channels_survive_as_a_composite(form: str) -> None:
    data = save(Image.fromarray(COLOUR8), form)
    assert decode(data).kind is ScanKind.COMPOSITE
    assert largest_error(data, COLOUR8) == 0


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG", "WEBP", "BMP"])
def test_a_gray_scan_saved_in_colour_becomes_gray(form: str) -> None:
    data = save(Image.fromarray(GRAY8).convert("RGB"), form)
    scan = decode(data)
    assert scan.kind is ScanKind.GRAY
    assert scan.pixels.shape == (HEIGHT, WIDTH, 1)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(save(Image.fromarray(GRAY16), "PNG"), id="png"),
        pytest.param(save(Image.fromarray(GRAY16), "TIFF"), id="tiff"),
        pytest.param(tiff(GRAY16, byteorder=">"), id="big-endian tiff"),
        pytest.param(tiff(GRAY16, compression="zlib"), id="compressed tiff"),
        pytest.param(tiff(GRAY16, bigtiff=True), id="bigtiff"),
        pytest.param(tiff(GRAY16.max() - GRAY16, photometric="miniswhite"), id="white is zero"),
        pytest.param(deep_png(np.dstack([GRAY16] * 3)), id="png, gray in colour"),
    ],
)
def test_sixteen_bit_gray_keeps_its_low_range(data: bytes) -> None:
    assert largest_error(data, GRAY16) < 1e-3
    assert decode(data).bits == 16


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(deep_png(COLOUR16), id="png"),
        pytest.param(tiff(COLOUR16), id="tiff"),
        pytest.param(tiff(COLOUR16, byteorder=">"), id="big-endian tiff"),
        pytest.param(tiff(COLOUR16, compression="zlib", predictor=True), id="compressed tiff"),
        pytest.param(
            deep_png(np.dstack([COLOUR16, np.full_like(GRAY16, 65535)])), id="opaque rgba png"
        ),
        pytest.param(
            deep_png(np.dstack([COLOUR16, np.zeros_like(GRAY16)])), id="png with empty alpha"
        ),
    ],
)
def test_sixteen_bit_colour_keeps_its_low_range(data: bytes) -> None:
    scan = decode(data)
    assert (scan.kind, scan.bits) == (ScanKind.COMPOSITE, 16)
    assert largest_error(data, COLOUR16) < 1e-3


def test_sixteen_bit_transparency_is_laid_on_black() -> None:
    alpha = np.full_like(GRAY16, 65535)
    alpha[:, : WIDTH // 2] = 0
    pixels = decode(deep_png(np.dstack([COLOUR16, alpha]))).pixels
    assert pixels[:, : WIDTH // 2].max() == 0
    assert np.array_equal(pixels[:, WIDTH // 2 :], COLOUR16[:, WIDTH // 2 :])


def test_alpha_that_a_tiff_has_already_applied_is_not_applied_again() -> None:
    half = np.full_like(GRAY16, 32768)
    data = tiff(np.dstack([COLOUR16, half]), extrasamples=["assocalpha"])
    assert largest_error(data, COLOUR16) < 1


def test_sixteen_bit_planes_stored_apart_are_refused_rather_than_mixed_up() -> None:
    data = tiff(np.moveaxis(COLOUR16, -1, 0), planarconfig="separate")
    with pytest.raises(InputError, match="16-bit"):
        decode(data)


@pytest.mark.parametrize(
    ("array", "bits"),
    [
        (GRAY16.astype(np.int16) - 600, 16),
        (GRAY16.astype(np.int32) * 1000 - 5, 32),
        (GRAY16.astype(np.uint32) * 3_000_000, 32),
        (GRAY16.astype(np.float32) / 7 - 20, 32),
    ],
    ids=["int16", "int32", "uint32", "float32"],
)
def test_integer_and_float_tiffs_keep_their_values(array: np.ndarray, bits: int) -> None:
    data = tiff(array)
    assert decode(data).bits == bits
    assert largest_error(data, array) <= 1e-6 * np.abs(array).max()


def test_values_that_are_no_numbers_become_finite() -> None:
    array = GRAY16.astype(np.float32)
    array[0, :4] = [np.nan, np.inf, -np.inf, 3e38]
    assert np.isfinite(decode(tiff(array)).pixels).all()


def test_one_bit_pictures_become_black_and_white() -> None:
    array = GRAY8 > 127
    for form in ("PNG", "TIFF", "BMP"):
        data = save(Image.fromarray(array), form)
        assert largest_error(data, array * 255) == 0
        assert decode(data).bits == 1 or form == "BMP"


def test_palette_indices_are_looked_up() -> None:
    image = Image.fromarray(COLOUR8).quantize(64)
    assert largest_error(save(image, "PNG"), np.asarray(image.convert("RGB"))) == 0


def test_a_transparent_palette_entry_is_laid_on_black() -> None:
    image = Image.fromarray(np.tile(np.arange(2, dtype=np.uint8), (8, 4)), "P")
    image.putpalette([255, 255, 255, 200, 200, 200])
    pixels = decode(save(image, "PNG", transparency=0)).pixels
    assert pixels[:, ::2].max() == 0
    assert np.allclose(pixels[:, 1::2], 200, atol=1e-3)


def test_a_transparent_gray_value_is_laid_on_black() -> None:
    image = Image.fromarray(np.tile(np.array([255, 90], np.uint8), (8, 4)))
    pixels = decode(save(image, "PNG", transparency=255)).pixels
    assert pixels[:, ::2].max() == 0
    assert np.allclose(pixels[:, 1::2], 90, atol=1e-3)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_transparency_is_laid_on_black_and_an_empty_alpha_is_ignored(mode: str, form: str) -> None:
    image = Image.fromarray(GRAY8).convert(mode)
    alpha = np.full_like(GRAY8, 255)
    alpha[: HEIGHT // 2] = 0
    image.putalpha(Image.fromarray(alpha))
    assert largest_error(save(image, form), np.where(alpha > 0, GRAY8, 0)) < 1e-3
    image.putalpha(0)
    assert largest_error(save(image, form), GRAY8) < 1e-3


def test_a_cmyk_jpeg_is_not_inverted() -> None:
    image = Image.fromarray(GRAY8).convert("RGB").convert("CMYK")
    # Pillow writes it as Adobe does: inverted, with the marker that says so.
    assert largest_error(save(image, "JPEG", quality=95), GRAY8) < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda exif: save(Image.fromarray(GRAY8), "JPEG", exif=exif), id="jpeg"),
        pytest.param(lambda exif: save(Image.fromarray(COLOUR8), "PNG", exif=exif), id="png"),
        pytest.param(lambda exif: save(Image.fromarray(GRAY16), "PNG", exif=exif), id="png16"),
        pytest.param(lambda exif: save(Image.fromarray(COLOUR8), "TIFF", exif=exif), id="tiff"),
        pytest.param(
            lambda exif: save(Image.fromarray(COLOUR8), "WEBP", exif=exif, lossless=True),
            id="webp",
        ),
    ],
)
def test_every_orientation_is_applied_once(
    orientation: int, make: Callable[[Image.Exif], bytes]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = make(exif)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert expected.shape[:2] == ((HEIGHT, WIDTH) if orientation < 5 else (WIDTH, HEIGHT))
    assert largest_error(data, expected) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_sixteen_bit_colour_tiffs_is_applied_once(orientation: int) -> None:
    tag = [(274, 3, 1, orientation, True)]
    with Image.open(io.BytesIO(tiff(GRAY16, extratags=tag))) as image:
        first_channel = np.asarray(ImageOps.exif_transpose(image))
    array = np.dstack([GRAY16, GRAY16 // 2, GRAY16 // 3])
    pixels = decode(tiff(array, extratags=tag)).pixels
    assert np.array_equal(pixels[..., 0], first_channel)


def test_a_phones_multi_picture_jpeg_gives_its_first_picture() -> None:
    first, second = Image.fromarray(GRAY8), Image.fromarray(255 - GRAY8)
    data = save(first, "MPO", save_all=True, append_images=[second])
    assert largest_error(data, GRAY8) < 12


@pytest.mark.parametrize("form", ["TIFF", "WEBP", "PNG"])
def test_several_pages_are_refused_with_the_remedy(form: str) -> None:
    pages = [Image.fromarray(np.roll(COLOUR8, 9 * i, axis=0)) for i in range(3)]
    data = save(pages[0], form, save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match=r"several pages.*each slice"):
        decode(data)
