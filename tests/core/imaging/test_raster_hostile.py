"""Decoding what is damaged, absurd or no picture: it ends in an InputError or in a picture."""

from __future__ import annotations

import re
import struct
import time
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.imaging import raster
from core.imaging.raster import decode
from tests.pictures import chunk, save, tiff

RNG = np.random.default_rng(7)
NOISE = RNG.integers(0, 256, (24, 36, 3), dtype=np.uint8)
NOISE16 = RNG.integers(0, 1200, (24, 36)).astype(np.uint16)


def png(width: int, height: int, rows: bytes = b"", depth: int = 8, colour: int = 0) -> bytes:
    """A PNG whose header claims what it likes."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


VALID = {
    "jpeg": save(NOISE, "JPEG"),
    "progressive jpeg": save(NOISE, "JPEG", progressive=True),
    "cmyk jpeg": save(NOISE, "JPEG", mode="CMYK"),
    "png": save(NOISE, "PNG"),
    "png16": save(NOISE16, "PNG"),
    "png16 colour": png(2, 2, (b"\0" + bytes(range(12))) * 2, depth=16, colour=2),
    "tiff": save(NOISE, "TIFF"),
    "tiff lzw": save(NOISE, "TIFF", compression="tiff_lzw"),
    "tiff16": tiff(NOISE16),
    "tiff16 colour": tiff(np.dstack([NOISE16] * 3), photometric="rgb", compression="zlib"),
    "tiff float": tiff(NOISE16.astype(np.float32)),
    "bmp": save(NOISE, "BMP"),
    "webp": save(NOISE, "WEBP"),
}
every_format = pytest.mark.parametrize("name", VALID)


def refusal(data: bytes) -> str:
    """The text of the InputError, checked to be a sentence for people that says what to do."""
    with pytest.raises(InputError) as caught:
        decode(data)
    text = str(caught.value)
    assert re.fullmatch(r"[A-Z].*[.]", text)
    assert "lease export" in text or "no pixels" in text
    assert "Error" not in text and "0x" not in text
    return text


def decode_or_refuse(data: bytes) -> None:
    """Anything but a finite picture or an InputError fails the test that calls this."""
    try:
        scan = decode(data)
    except InputError:
        return
    assert scan.pixels.ndim == 3 and scan.pixels.size > 0
    assert np.isfinite(scan.pixels).all()


def test_an_empty_file_is_refused() -> None:
    assert "empty" in refusal(b"")


@pytest.mark.parametrize(
    "data",
    [b"Patient,Age\nA,61\n" * 20, b"\0" * 500, b"GIF89a" + bytes(60), b"%PDF-1.7\n", b"\n", b"x"],
)
def test_a_file_of_another_kind_is_refused_with_the_formats_that_are_read(data: bytes) -> None:
    assert "Expected JPEG, PNG, TIFF, BMP or WebP" in refusal(data)


@every_format
def test_a_truncated_file_is_refused_unless_every_pixel_is_there(name: str) -> None:
    data = VALID[name]
    whole = decode(data).pixels
    for length in sorted({*range(1, len(data), max(1, len(data) // 60)), len(data) - 1}):
        try:
            pixels = decode(data[:length]).pixels
        except InputError as error:
            assert length < 12 or "not a picture" not in str(error)
        else:
            # Only the trailer was cut off.
            assert np.array_equal(pixels, whole), f"{length} of {len(data)} bytes"


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (0, 0)])
def test_a_picture_without_pixels_is_refused(width: int, height: int) -> None:
    assert "no pixels" in refusal(png(width, height))


@pytest.mark.parametrize(
    ("width", "height"),
    [(10_001, 10_000), (12_000, 12_000), (30_000, 30_000), (2**31 - 1, 2**31 - 1), (2**32 - 1, 1)],
)
def test_over_a_hundred_megapixels_are_refused_by_the_header(width: int, height: int) -> None:
    assert "100 megapixels" in refusal(png(width, height))


def test_a_decompression_bomb_is_refused_before_it_is_unpacked() -> None:
    # A small file of zeros under a header that promises 900 million pixels.
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1_000_000)) for _ in range(60)) + packer.flush()
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    assert "100 megapixels" in refusal(bomb)


@pytest.mark.parametrize("colour", [0, 2, 3, 4, 6])
def test_a_small_png_that_claims_many_megapixels_is_refused_not_filled_with_black(
    colour: int,
) -> None:
    assert "incomplete" in refusal(png(9_000, 9_000, b"\0" * 500, colour=colour))


def test_a_small_plain_tiff_that_claims_many_rows_is_refused() -> None:
    data = bytearray(tiff(NOISE16))
    entry = data.index(struct.pack("<H", 257), struct.unpack_from("<I", data, 4)[0])
    struct.pack_into("<HII", data, entry + 2, 4, 1, 1_000_000)
    assert "incomplete" in refusal(bytes(data))


def test_a_damaged_length_at_the_end_of_a_sixteen_bit_png_is_not_believed() -> None:
    data = bytearray(VALID["png16 colour"])
    struct.pack_into(">I", data, len(data) - 12, 0x7FFFFFFF)
    started = time.perf_counter()
    decode_or_refuse(bytes(data))
    # Reserving and clearing two gigabytes takes longer.
    assert time.perf_counter() - started < 0.5


def test_a_large_blank_png_is_a_picture() -> None:
    blank = save(np.zeros((2000, 2000), np.uint8), "PNG", compress_level=9)
    assert decode(blank).size == (2000, 2000)


def test_a_text_chunk_that_unpacks_to_gigabytes_does_not() -> None:
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(70_000_000), 9))
    data = VALID["png"]
    decode_or_refuse(data[:33] + bomb + data[33:])


def test_more_pixels_than_the_header_says_do_no_harm() -> None:
    scan = decode(png(4, 2, (b"\0" + bytes([9] * 4)) * 5000))
    assert scan.size == (2, 4)


@pytest.mark.parametrize("side", [2**16, 2**24, 2**31, 2**32 - 1])
@pytest.mark.parametrize("tag", [256, 257, 277, 278, 279, 258])
def test_absurd_numbers_in_a_tiff_header_are_refused(tag: int, side: int) -> None:
    data = bytearray(tiff(NOISE16))
    entry = data.index(struct.pack("<H", tag), struct.unpack_from("<I", data, 4)[0])
    struct.pack_into("<HII", data, entry + 2, 4, 1, side)
    decode_or_refuse(bytes(data))


def test_a_tiff_whose_pages_point_at_each_other_is_refused() -> None:
    data = bytearray(tiff(np.stack([NOISE16] * 2), photometric="minisblack"))
    first = struct.unpack_from("<I", data, 4)[0]
    entries = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * entries, first)
    decode_or_refuse(bytes(data))


def test_a_picture_larger_than_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(raster.np, "ascontiguousarray", exhausted)
    assert "memory" in refusal(VALID["png"])


@every_format
def test_random_damage_is_decoded_or_refused(name: str) -> None:
    """Bytes overwritten, cut out and put in, by a fixed seed so that a failure comes back."""
    rng = np.random.default_rng(len(name))
    for _ in range(150):
        data = bytearray(VALID[name])
        # Headers lie at the start or (TIFF) at the end: damage them more often than the pixels.
        reach = int(rng.choice([64, 256, len(data)]))
        for _ in range(int(rng.integers(1, 6))):
            at = min(int(rng.integers(0, reach)), len(data) - 1)
            if rng.random() < 0.3:
                at = len(data) - 1 - at
            what = rng.random()
            if what < 0.7:
                data[at] = int(rng.choice([0, 1, 127, 128, 255, int(rng.integers(256))]))
            elif what < 0.85:
                del data[at : at + int(rng.integers(1, 9))]
            else:
                data[at:at] = rng.bytes(int(rng.integers(1, 9)))
        decode_or_refuse(bytes(data))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    start=st.sampled_from([b"", *raster._SIGNATURES, *[v[:40] for v in VALID.values()]]),
    rest=st.binary(max_size=300),
)
def test_arbitrary_bytes_after_a_valid_start_are_decoded_or_refused(
    start: bytes, rest: bytes
) -> None:
    decode_or_refuse(start + rest)
