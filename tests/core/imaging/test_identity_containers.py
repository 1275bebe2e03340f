"""What goes of each kind of picture file: its metadata, and what hides beside the pixels."""

from __future__ import annotations

import io
import struct
import time
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from core.imaging import decode
from core.imaging.containers.jpeg import essential
from tests.core.imaging.named_pictures import (
    ALPHA,
    COLOUR,
    DEEP,
    GRAY,
    NAME,
    XMP,
    exif,
    profile,
    reduced,
)
from tests.pictures import chunk, save, tiff


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [True, False])
def test_a_jpeg_loses_its_metadata(mode: str, progressive: bool) -> None:
    plain = save(COLOUR, "JPEG", mode=mode, progressive=progressive)
    full = save(
        COLOUR,
        "JPEG",
        mode=mode,
        progressive=progressive,
        exif=exif(),
        xmp=XMP % 1,
        comment=NAME,
        dpi=(300, 300),
        icc_profile=profile(),
    )
    assert NAME in full
    assert reduced(full) == reduced(plain)


def test_a_jpeg_loses_every_application_segment_and_previews() -> None:
    plain = save(COLOUR, "JPEG")
    preview = save(COLOUR[:8, :8], "JPEG", comment=NAME)
    segments = b"".join(
        bytes([0xFF, marker]) + struct.pack(">H", len(preview) + 2) + preview
        for marker in [*range(0xE1, 0xEE), 0xEF, 0xFE]
    )
    assert reduced(plain[:2] + b"\xff" + segments + plain[2:]) == reduced(plain)


def test_a_comment_between_the_scans_of_a_jpeg_goes() -> None:
    plain = save(COLOUR, "JPEG", progressive=True)
    last_scan = plain.rindex(b"\xff\xda")
    comment = b"\xff\xfe" + struct.pack(">H", len(NAME) + 2) + NAME
    assert reduced(plain[:last_scan] + comment + plain[last_scan:]) == reduced(plain)


def test_a_run_of_fill_bytes_in_a_jpeg_costs_no_more_than_its_length() -> None:
    plain = save(COLOUR, "JPEG")
    at = plain.index(b"\xff\xda")
    at += 2 + int.from_bytes(plain[at + 2 : at + 4], "big")

    def filled(size: int) -> bytes:
        return plain[:at] + b"\xff" * size + b"\0" + plain[at:]

    def seconds(size: int) -> float:
        data = filled(size)
        start = time.process_time()
        essential(data, 1)
        return time.process_time() - start

    # Were the cost the square of the length, it would be 16 times as much.
    assert seconds(100_000) <= 8 * seconds(25_000) + 0.1
    assert len(essential(filled(4_000_000), 1)) > 4_000_000
    # Fill bytes before a marker are no part of the scan.
    assert essential(plain[:-2] + b"\xff" * 9 + plain[-2:], 1) == essential(plain, 1)


def test_the_thumbnail_in_a_jfif_header_goes() -> None:
    plain = save(COLOUR, "JPEG")
    assert plain[2:4] == b"\xff\xe0"
    header = b"JFIF\0\1\2\1\0\x48\0\x48\x03\x01" + NAME + b"!"
    full = plain[:2] + b"\xff\xe0" + struct.pack(">H", len(header) + 2) + header + plain[20:]
    assert reduced(full) == reduced(plain)


def test_the_second_picture_of_a_phones_jpeg_goes() -> None:
    first, second = Image.fromarray(COLOUR), Image.fromarray(COLOUR[::-1].copy())
    stream = io.BytesIO()
    first.save(stream, "MPO", save_all=True, append_images=[second], exif=exif())
    data = stream.getvalue()
    assert decode(data).source_format == "MPO"
    result = reduced(data)
    assert result == reduced(save(COLOUR, "JPEG"))
    assert result.count(b"\xff\xd8\xff") == 1


def test_a_png_loses_its_texts_profile_and_exif_wherever_they_stand() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Patient", NAME.decode())
    texts.add_text("PatientName", NAME.decode() * 40, zip=True)
    texts.add_itxt("XML:com.adobe.xmp", (XMP % 1).decode())
    full = save(GRAY, "PNG", pnginfo=texts, exif=exif(), icc_profile=profile(), dpi=(300, 300))
    extra = chunk(b"gAMA", b"\0\0\xb1\x8f") + chunk(b"prVt", NAME) + chunk(b"tIME", NAME[:7])
    full = full[:33] + extra + full[33:-12] + chunk(b"tEXt", b"a\0" + NAME) + full[-12:]
    plain = reduced(save(GRAY, "PNG"))
    assert reduced(full) == plain
    assert [plain[37:41]] == [b"IDAT"]


def test_what_hides_behind_the_pixels_of_a_png_goes() -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in GRAY)
    head = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", GRAY.shape[1], GRAY.shape[0], 8, 0, 0, 0, 0)
    )
    end = chunk(b"IEND", b"")
    plain = reduced(head + chunk(b"IDAT", zlib.compress(rows)) + end)
    # Rows below the picture, as left by programs that crop in place, and bytes behind the stream.
    cropped = head + chunk(b"IDAT", zlib.compress(rows + NAME * 20)) + end
    assert reduced(cropped) == plain
    behind = head + chunk(b"IDAT", zlib.compress(rows) + NAME) + end
    assert reduced(behind) == plain


def test_an_interlaced_png_is_copied() -> None:
    size = struct.pack(">IIBBBBB", 3, 3, 8, 0, 0, 0, 1)
    # Of the seven passes a picture of 3 x 3 has the first, fourth, fifth, sixth and seventh.
    rows = b"\0\1" + b"\0\2" + b"\0\3\4" + b"\0\5" + b"\0\6" + b"\0\7\x08\x09"
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(rows))
    data += chunk(b"IEND", b"")
    assert reduced(data) == data


def test_split_pixels_of_a_png_give_the_same_bytes() -> None:
    plain = reduced(save(GRAY, "PNG"))
    pixels = plain[41:-16]
    parts = b"".join(chunk(b"IDAT", pixels[at : at + 100]) for at in range(0, len(pixels), 100))
    assert reduced(plain[:33] + parts + plain[-12:]) == plain


@pytest.mark.parametrize("options", [{}, {"lossless": True}])
@pytest.mark.parametrize("array", [COLOUR, ALPHA])
def test_a_webp_loses_its_metadata(array: np.ndarray, options: dict[str, Any]) -> None:
    full = save(array, "WEBP", exif=exif(), xmp=XMP % 1, icc_profile=profile(), **options)
    assert NAME in full
    assert reduced(full) == reduced(save(array, "WEBP", **options))


def test_an_animated_webp_of_one_picture_becomes_a_still_one() -> None:
    stream = io.BytesIO()
    Image.fromarray(COLOUR).save(stream, "WEBP", save_all=True, lossless=True, exif=exif())
    reduced(stream.getvalue())


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "jpeg"])
def test_a_tiff_loses_its_tags_and_further_directories(compression: str | None) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag in (269, 270, 271, 305, 306, 315, 316, 33432, 65000):
        tags[tag] = NAME.decode()
    tags[700] = XMP % 1
    full = save(
        COLOUR,
        "TIFF",
        tiffinfo=tags,
        compression=compression,
        exif=exif(),
        icc_profile=profile(),
        dpi=(300, 300),
    )
    assert NAME in full
    assert reduced(full) == reduced(save(COLOUR, "TIFF", compression=compression))


def test_the_order_and_size_of_a_tiffs_directory_do_not_matter() -> None:
    assert reduced(tiff(DEEP, bigtiff=True)) == reduced(tiff(DEEP))
    described = tiff(DEEP, description=NAME.decode(), software=NAME.decode(), metadata=None)
    assert reduced(described) == reduced(tiff(DEEP, metadata=None))


def test_comments_inside_the_strips_of_a_tiff_go() -> None:
    data = save(COLOUR, "TIFF", compression="jpeg")
    with Image.open(io.BytesIO(data)) as image:
        (start,), (size,) = image.tag_v2[273], image.tag_v2[279]
        fields = {tag: image.tag_v2[tag] for tag in (256, 257, 258, 259, 262, 277, 278, 284, 347)}
    comment = b"\xff\xfe" + struct.pack(">H", len(NAME) + 2) + NAME
    strip = data[start : start + 2] + comment + data[start + 2 : start + size]
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in fields.items():
        tags[tag] = value
    tags[273], tags[279] = (0,), (len(strip),)
    stream = io.BytesIO()
    tags.save(stream)
    reduced(stream.getvalue() + strip)


def test_what_lies_between_the_headers_and_the_pixels_of_a_bmp_goes() -> None:
    plain = save(COLOUR, "BMP")
    (start,) = struct.unpack_from("<I", plain, 10)
    gap = plain[:10] + struct.pack("<I", start + 80) + plain[14:start] + NAME * 10 + plain[start:]
    assert reduced(gap) == reduced(plain)
