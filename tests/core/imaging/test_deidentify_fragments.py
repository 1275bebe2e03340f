"""Packed pixels that lie in several parts, or lie oddly: identity goes, pictures stay."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from core.errors import InputError
from core.imaging import open_image, without_identity
from core.imaging.deidentify.codestream import without_comments
from core.imaging.deidentify.run_lengths import without_gaps
from tests import dicoms, identities
from tests.core.imaging.deidentified import PRIVACY, parsed, reduced

TEXT = identities.NAME.encode() + b" "
HEAD = dicoms.head_slice(lesion=True).astype(np.uint8)


def jpeg(pixels: np.ndarray = HEAD) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


def stream_of(syntax: str) -> bytes:
    """A packed head, such as packers make it."""
    if syntax == JPEGBaseline8Bit:
        return jpeg()
    data = parsed(dicoms.to_bytes(dicoms.mr_dataset(HEAD), syntax)).PixelData
    table = struct.unpack_from("<I", data, 4)[0]
    (length,) = struct.unpack_from("<I", data, 8 + table + 4)
    return data[16 + table : 16 + table + length]


def commented(syntax: str) -> tuple[bytes, int]:
    """A packed head with a comment, and where that one begins."""
    stream, text = stream_of(syntax), TEXT * 20
    if syntax == JPEG2000Lossless:
        at = stream.index(b"\xff\x52")
        comment = b"\xff\x64" + struct.pack(">HH", len(text) + 4, 1) + text
    else:
        at = 2
        comment = b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text
    return stream[:at] + comment + stream[at:], at


def file_of(
    fragments: Sequence[bytes], syntax: str, *, defined: bool = False, table: bytes = b""
) -> bytes:
    """A slice whose pixels are given by their fragments."""
    dataset = dicoms.mr_dataset(HEAD)
    dataset.file_meta.TransferSyntaxUID = syntax
    parts = [table, *(part + bytes(len(part) % 2) for part in fragments)]
    items = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(part)) + part for part in parts)
    dataset.PixelData = items
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    data = out.getvalue()
    if defined:
        at = data.index(struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF)) + 8
        data = data[:at] + struct.pack("<I", len(data) - at - 4) + data[at + 4 :]
    return data


PACKINGS = [JPEGBaseline8Bit, JPEGLSLossless, JPEG2000Lossless]


@pytest.mark.parametrize("defined", [False, True])
@pytest.mark.parametrize("beside", [(0,), (6,), (6, 12), (10,), (16, 300), (10, 11, 12, 13, 14)])
@pytest.mark.parametrize("syntax", PACKINGS)
def test_a_comment_goes_wherever_the_stream_is_cut(
    syntax: str, beside: tuple[int, ...], defined: bool
) -> None:
    stream, at = commented(syntax)
    cuts = [0, *sorted({(at + step) // 2 * 2 for step in beside} - {0}), len(stream)]
    fragments = [stream[start:end] for start, end in pairwise(cuts)]
    data = file_of(fragments, syntax, defined=defined)
    assert identities.traces_in(data)
    out = reduced(data)
    assert identities.traces_in(out.PixelData) == []
    assert len(out.PixelData) == 8 + sum(8 + len(part) + len(part) % 2 for part in fragments)


@pytest.mark.parametrize("table", ["basic", "extended", "none"])
def test_comments_in_any_fragment_of_any_frame_go(table: str) -> None:
    volume = dicoms.head_volume(4).astype(np.uint8)
    streams = []
    for pixels in volume:
        stream = jpeg(pixels)
        at = stream.index(b"\xff\xda")  # long behind the first fragment's beginning
        comment = b"\xff\xfe" + struct.pack(">H", 400 * len(TEXT) + 2) + TEXT * 400
        stream = stream[:at] + comment + stream[at:]
        streams.append(stream + bytes(-len(stream) % 6))
    dataset = dicoms.multi_frame_dataset(volume)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate(streams, fragments_per_frame=3, has_bot=table == "basic")
    if table == "extended":
        starts = np.cumsum([0, *(len(stream) + 24 for stream in streams[:-1])])
        dataset.ExtendedOffsetTable = struct.pack("<4Q", *starts)
        dataset.ExtendedOffsetTableLengths = struct.pack("<4Q", *map(len, streams))
    dataset["PixelData"].is_undefined_length = True
    out = reduced(dicoms.to_bytes(dataset))
    assert identities.traces_in(out.PixelData) == []
    assert len(out.PixelData) == len(dataset.PixelData)


def test_frames_that_cannot_be_told_apart_are_refused() -> None:
    dataset = parsed(dicoms.to_bytes(dicoms.multi_frame_dataset(), RLELossless))
    dataset.NumberOfFrames = 7
    # Without its table.
    dataset.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0" + dataset.PixelData[8 + 4 * 12 :]
    out = io.BytesIO()
    dataset.save_as(out)
    with pytest.raises(InputError, match="damaged"):
        without_identity(out.getvalue(), PRIVACY)


def test_the_transfer_syntax_says_whether_pixels_are_packed() -> None:
    # Twelve of the bits are used: the others of packed bytes hold the packing, no bitmaps.
    dataset = parsed(dicoms.to_bytes(dicoms.mr_dataset(), JPEGLSLossless))
    dataset.BitsStored, dataset.HighBit = 12, 11
    packed = dataset.PixelData + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    out = io.BytesIO()
    dataset.save_as(out)
    at = out.getvalue().index(struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF)) + 8
    head = out.getvalue()[:at]
    assert reduced(head + struct.pack("<I", len(packed)) + packed).PixelData == dataset.PixelData
    # Neither a bare stream nor items under another syntax are what they should be.
    bare = head + struct.pack("<I", len(packed[24:])) + packed[24:]
    unpacked = out.getvalue().replace(JPEGLSLossless.encode(), ExplicitVRLittleEndian.encode())
    for data in (bare, unpacked.replace(b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.1\0\0\0", 1)):
        with pytest.raises(InputError, match="damaged"):
            without_identity(data, PRIVACY)


@pytest.mark.parametrize("junk", [b"\0\0", b"\0" + TEXT + b"\xff\0", b"\xff\xd3", TEXT])
def test_what_stands_between_the_segments_of_a_jpeg_goes(junk: bytes) -> None:
    stream, comment = jpeg(), b"\xff\xfe" + struct.pack(">H", len(TEXT) + 2) + TEXT
    at = stream.index(b"\xff\xc4")
    out = reduced(file_of([stream[:at] + junk + comment + stream[at:]], JPEGBaseline8Bit))
    assert identities.traces_in(out.PixelData) == []


def test_fill_bytes_between_segments_stay() -> None:
    filled = jpeg().replace(b"\xff\xc4", b"\xff\xff\xff\xc4", 1)
    assert without_comments(filled) == filled


def test_segments_of_no_known_kind_go() -> None:
    stream = jpeg()
    unknown = b"\xff\xf3" + struct.pack(">H", len(TEXT) + 2) + TEXT
    assert TEXT not in without_comments(stream[:2] + unknown + stream[2:])
    stream = stream_of(JPEG2000Lossless)
    at = stream.index(b"\xff\x52")
    unknown = b"\xff\x8e" + unknown[2:]
    assert TEXT not in without_comments(stream[:at] + unknown + stream[at:])


@pytest.mark.parametrize("syntax", PACKINGS)
def test_streams_that_lead_nowhere_are_refused(syntax: str) -> None:
    stream, at = commented(syntax)
    length = at + 2
    for odd in (
        stream[:-2],  # without its end
        stream[:length] + b"\0\1" + stream[length + 2 :],
        stream[:length] + b"\xff\xf0" + stream[length + 2 :],
        stream[: at + 10],
        TEXT + stream,
        TEXT,
    ):
        with pytest.raises(InputError, match="damaged"):
            without_comments(odd)


def test_boxes_are_followed_to_their_end() -> None:
    stream, _ = commented(JPEG2000Lossless)
    inner = struct.pack(">I4s", 8 + len(TEXT), b"uuid") + TEXT
    boxes = struct.pack(">I4s", 12, b"jP  ") + b"\r\n\x87\n"
    boxes += struct.pack(">I4s", 8 + len(inner), b"jp2h") + inner
    boxes += struct.pack(">I4sQ", 1, b"xml ", 16 + len(TEXT)) + TEXT
    boxes += struct.pack(">I4sQ", 1, b"jp2c", 16 + len(stream)) + stream
    cleaned = without_comments(boxes + TEXT[:7])
    assert identities.traces_in(cleaned) == [] and b"ZQX" not in cleaned
    assert cleaned.endswith(without_comments(stream) + bytes(7))
    with pytest.raises(InputError, match="damaged"):
        without_comments(boxes[:-1])


def run_lengths(*segments: bytes, before: bytes = b"", unused: int = 0) -> bytes:
    starts = np.cumsum([64 + len(before), *map(len, segments)])[:-1]
    header = [len(segments), *map(int, starts), *[unused] * (15 - len(segments))]
    return struct.pack("<16I", *header) + before + b"".join(segments)


def test_bytes_of_no_run_go() -> None:
    runs = bytes([256 - 5, 7, 128, 2, 1, 2, 3])  # six times 7, nothing, 1 2 3
    plain = run_lengths(runs, runs)
    assert without_gaps(plain, 9) == plain
    odd = run_lengths(runs + TEXT, runs + TEXT, before=TEXT, unused=0x5A515844)
    cleaned = without_gaps(odd, 9)
    gap = bytes(len(TEXT))
    assert cleaned == run_lengths(runs + gap, runs + gap, before=gap)
    # Of the last run, which is longer than the picture, too.
    too_long = run_lengths(bytes([0, 9, 1 + len(TEXT), 1, 2]) + TEXT)
    assert without_gaps(too_long, 3) == too_long[: -len(TEXT)] + gap
    for broken in (plain[:60], plain[:-1], run_lengths(runs, b""), struct.pack("<16I", *[99] * 16)):
        with pytest.raises(InputError, match="damaged"):
            without_gaps(broken, 9)


def test_bytes_behind_the_runs_of_a_file_go() -> None:
    dataset = parsed(dicoms.to_bytes(dicoms.mr_dataset(), RLELossless))
    fragment = dataset.PixelData[12 + 8 :] + TEXT * 2
    data = file_of([fragment[:100], fragment[100:]], RLELossless)
    dataset = parsed(data)
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    out = io.BytesIO()
    dataset.save_as(out)
    result = reduced(out.getvalue())
    assert identities.traces_in(result.PixelData) == []
    assert len(result.PixelData) == len(dataset.PixelData)
    assert np.array_equal(
        open_image(without_identity(out.getvalue(), PRIVACY)).scan(0).pixels[..., 0],
        dicoms.head_slice(),
    )
