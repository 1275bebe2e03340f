"""Pictures of every kind, with and without a name, and what is stored of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from core.imaging import decode, without_identity
from tests.pictures import save, tiff

NAME = b"Doe^Jane"
RNG = np.random.default_rng(3)
GRAY = RNG.integers(0, 256, (24, 37), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (24, 37, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 4096, (24, 37)).astype(np.uint16)
ALPHA = np.dstack([COLOUR, RNG.integers(0, 256, GRAY.shape, dtype=np.uint8)])
XMP = b"<x:xmpmeta><rdf:li>" + NAME + b'</rdf:li><a tiff:Orientation="%d"/></x:xmpmeta>'


def deep_png(array: np.ndarray) -> bytes:
    return cv2.imencode(".png", array)[1].tobytes()


def exif(orientation: int = 1) -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x010E] = block[0x013B] = NAME.decode()
    block.get_ifd(0x8769)[0x927C] = b"MakerNote " + NAME
    block.get_ifd(0x8825)[0x001D] = NAME.decode()
    return block


def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + NAME


PLAIN: dict[str, bytes] = {
    "jpeg": save(COLOUR, "JPEG"),
    "gray jpeg": save(GRAY, "JPEG"),
    "progressive jpeg": save(COLOUR, "JPEG", progressive=True),
    "restarting jpeg": save(COLOUR, "JPEG", restart_marker_blocks=1),
    "cmyk jpeg": save(COLOUR, "JPEG", mode="CMYK"),
    "rgb jpeg": save(COLOUR, "JPEG", keep_rgb=True),
    "png": save(COLOUR, "PNG"),
    "gray png": save(GRAY, "PNG"),
    "one bit png": save(GRAY, "PNG", mode="1"),
    "palette png": save(COLOUR, "PNG", mode="P"),
    "palette png with transparency": save(COLOUR, "PNG", mode="P", transparency=3),
    "gray png with transparency": save(GRAY, "PNG", transparency=7),
    "png with alpha": save(ALPHA, "PNG"),
    "gray png with alpha": save(ALPHA, "PNG", mode="LA"),
    "sixteen bit png": save(DEEP, "PNG"),
    "sixteen bit colour png": deep_png(np.dstack([DEEP, DEEP // 2, DEEP // 3])),
    "sixteen bit png with alpha": deep_png(np.dstack([DEEP, DEEP // 2, DEEP // 3, DEEP * 16])),
    "webp": save(COLOUR, "WEBP"),
    "lossless webp": save(COLOUR, "WEBP", lossless=True),
    "webp with alpha": save(ALPHA, "WEBP"),
    "lossless webp with alpha": save(ALPHA, "WEBP", lossless=True),
    "bmp": save(COLOUR, "BMP"),
    "gray bmp": save(GRAY, "BMP"),
    "palette bmp": save(COLOUR, "BMP", mode="P"),
    "tiff": tiff(COLOUR),
    "gray tiff": tiff(GRAY),
    "tiff of many strips": tiff(COLOUR, rowsperstrip=5),
    "tiled tiff": tiff(COLOUR, tile=(16, 16)),
    "tiff of planes": tiff(COLOUR.transpose(2, 0, 1), planarconfig="separate", rowsperstrip=7),
    "tiled tiff of planes": tiff(COLOUR.transpose(2, 0, 1), planarconfig="separate", tile=(16, 16)),
    "big tiff": tiff(DEEP, bigtiff=True),
    "big-endian tiff": tiff(DEEP, byteorder=">"),
    "tiff lzw": save(COLOUR, "TIFF", compression="tiff_lzw"),
    "tiff deflate": tiff(DEEP, compression="zlib", predictor=True),
    "tiff packbits": save(COLOUR, "TIFF", compression="packbits"),
    "tiff fax": save(GRAY, "TIFF", mode="1", compression="group4"),
    "tiff jpeg": save(COLOUR, "TIFF", compression="jpeg"),
    "tiff gray jpeg": save(GRAY, "TIFF", compression="jpeg"),
    "tiff colour jpeg": save(COLOUR, "TIFF", mode="YCbCr", compression="jpeg"),
    "tiff ycbcr": save(COLOUR, "TIFF", mode="YCbCr"),
    "tiff cmyk": save(COLOUR, "TIFF", mode="CMYK"),
    "tiff palette": save(COLOUR, "TIFF", mode="P"),
    "tiff one bit": save(GRAY, "TIFF", mode="1"),
    "tiff with alpha": tiff(ALPHA, extrasamples=["unassalpha"]),
    "sixteen bit colour tiff": tiff(np.dstack([DEEP, DEEP // 2, DEEP // 3])),
    "white is zero tiff": tiff(DEEP, photometric="miniswhite"),
    "signed tiff": tiff(DEEP.astype(np.int16) - 1000),
    "unsigned 32 bit tiff": tiff(DEEP.astype(np.uint32) * 70_000),
    "float tiff": tiff(DEEP.astype(np.float32) / 7),
}
every_picture = pytest.mark.parametrize("name", PLAIN)


def assert_same_picture(first: bytes, second: bytes) -> None:
    one, other = decode(first), decode(second)
    assert np.array_equal(one.pixels, other.pixels)
    assert (one.kind, one.bits) == (other.kind, other.bits)


def reduced(data: bytes) -> bytes:
    """The result, after the checks that hold for every picture."""
    result = without_identity(data)
    assert_same_picture(result, data)
    assert without_identity(result) == result
    assert NAME not in result
    return result
