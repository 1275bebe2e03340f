"""What is stored of an upload: the same pixels, and nothing that tells whose they are."""

from __future__ import annotations

import io
import struct
import time
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from core.errors import InputError
from core.imaging import decode, without_identity

NAME = b"Doe^Jane"
RNG = np.random.default_rng(3)
GRAY = RNG.integers(0, 256, (24, 37), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (24, 37, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 4096, (24, 37)).astype(np.uint16)
ALPHA = np.dstack([COLOUR, RNG.integers(0, 256, GRAY.shape, dtype=np.uint8)])
XMP = b"<x:xmpmeta><rdf:li>" + NAME + b'</rdf:li><a tiff:Orientation="%d"/></x:xmpmeta>'


def save(array: np.ndarray, form: str, mode: str = "", **options: Any) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(stream, form, **options)
    return stream.getvalue()


def tiff(array: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    options.setdefault("photometric", "rgb" if array.ndim == 3 else "minisblack")
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


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


@every_picture
def test_the_pixels_stay_and_a_second_time_changes_nothing(name: str) -> None:
    data = PLAIN[name]
    assert len(reduced(data)) <= len(data) * 1.5 + 200


@every_picture
def test_trailing_bytes_go(name: str) -> None:
    assert reduced(PLAIN[name] + NAME * 50) == reduced(PLAIN[name])


# -- metadata of each container --------------------------------------------------------------------


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


# -- orientation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_turned_picture_stays_turned(form: str, orientation: int) -> None:
    full = save(COLOUR, form, exif=exif(orientation))
    bare = Image.Exif()
    bare[0x0112] = orientation
    result = reduced(full)
    # Two cameras that turn the picture alike give the same bytes.
    assert result == reduced(save(COLOUR, form, exif=bare))
    assert (result == reduced(save(COLOUR, form))) == (orientation == 1)


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_picture_turned_by_its_xmp_stays_turned(form: str) -> None:
    result = reduced(save(COLOUR, form, xmp=XMP % 6))
    assert decode(result).size == COLOUR.shape[1::-1]


# -- what cannot be read ---------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff", PLAIN["png"][:200]])
def test_what_cannot_be_decoded_is_refused_with_the_reason_of_decoding(data: bytes) -> None:
    with pytest.raises(InputError) as decoding:
        decode(data)
    with pytest.raises(InputError, match=str(decoding.value).split("(")[0]):
        without_identity(data)


def test_pixels_that_can_neither_be_copied_nor_packed_anew_are_refused() -> None:
    data = bytearray(PLAIN["float tiff"])
    entry = data.index(struct.pack("<HH", 339, 3))
    # Pillow takes the number of a type unknown to the copy as it takes the usual one.
    struct.pack_into("<H", data, entry + 2, 8)
    decode(bytes(data))
    with pytest.raises(InputError, match="PNG of 8 or 16 bits"):
        without_identity(bytes(data))


def assert_reduced_or_refused(data: bytes) -> None:
    try:
        result = without_identity(data)
    except InputError:
        return
    assert_same_picture(result, data)
    assert without_identity(result) == result


@every_picture
def test_a_truncated_file_is_reduced_or_refused(name: str) -> None:
    data = PLAIN[name]
    for length in sorted({*range(1, len(data), max(1, len(data) // 25)), len(data) - 1}):
        assert_reduced_or_refused(data[:length])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(sorted(PLAIN)),
    edits=st.lists(
        st.tuples(st.integers(0, 400), st.booleans(), st.integers(0, 8), st.binary(max_size=8)),
        min_size=1,
        max_size=4,
    ),
)
def test_a_damaged_file_is_reduced_or_refused(
    name: str, edits: list[tuple[int, bool, int, bytes]]
) -> None:
    data = bytearray(PLAIN[name])
    for at, from_end, cut, put in edits:
        start = max(0, len(data) - at) if from_end else min(at, len(data))
        data[start : start + cut] = put
    assert_reduced_or_refused(bytes(data))


def test_it_costs_little_more_than_to_decode_twice() -> None:
    y, x = np.mgrid[0:256, 0:256]
    data = save((np.hypot(y - 128, x - 128) % 251).astype(np.uint8), "PNG")

    def fastest(function: Any) -> float:
        times = []
        for _ in range(20):
            started = time.perf_counter()
            function(data)
            times.append(time.perf_counter() - started)
        return min(times)

    assert fastest(without_identity) < 4 * fastest(decode)
