"""Comments in JPEG, JPEG-LS and JPEG 2000 streams, overwritten in place.

Lengths stay, so that offsets do; so do the packed pixels. A stream in which the program does not
find its way from the first byte to the last is refused: what it had not looked at would stay.
"""

from __future__ import annotations

import re
import struct

from core.imaging.dicom.read import damaged

_JPEG, _JPEG_2000 = b"\xff\xd8", b"\xff\x4f\xff\x51"
_BOXES = b"\0\0\0\x0cjP  "
_END = b"\xff\xd9"  # of a JPEG and of a JPEG 2000 stream
# What segments begin with. Decoders pass over everything up to the next one; of that, fill bytes
# alone are legal, and some decoders ask for them.
_MARKER = re.compile(rb"\xff[^\0\x01\xd0-\xd8\xff]")
# A scan ends at the first marker that is no stuffed byte and no restart; JPEG-LS stuffs one bit.
_AFTER_SCAN = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
_SCAN = 0xDA
# Segments with numbers that decoders read: frames, tables, restarts, those of JPEG-LS.
_NUMBERS = {*range(0xC0, 0xD0), *range(0xDA, 0xE0), 0xF7, 0xF8}
# Applications' segments that decoders read, and how much of them: the version and density of JFIF,
# Adobe's and JPEG-LS's colour transforms.
_READ = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12), 0xE8: (b"mrfx", 5)}
_TILE, _TILE_DATA, _COMMENT_2000 = 0x90, 0x93, 0x64
# Segments of JPEG 2000, its second part among them; the others in which numbers stand.
_NUMBERS_2000 = {*range(0x50, 0x80)} - {_COMMENT_2000}
_KEPT_BOXES = frozenset((b"jP  ", b"ftyp"))
_HEADER_BOX = b"jp2h"
_KEPT_IN_HEADER = frozenset((b"ihdr", b"bpcc", b"colr", b"pclr", b"cmap", b"cdef"))


def without_comments(stream: bytes) -> bytes:
    """A packed picture with zeros where its comments were.

    So too where application segments, further boxes and bytes between the segments and behind the
    end were.

    Raises:
        InputError: it is no such picture, or breaks off.
    """
    out = bytearray(stream)
    if stream.startswith(_JPEG):
        _blank_jpeg(out)
    elif stream.startswith(_JPEG_2000):
        _blank_2000(out, 0, len(out))
    elif stream.startswith(_BOXES):
        _blank_boxes(out, 0, len(out))
    else:
        damaged()
    return bytes(out)


def _blank(out: bytearray, start: int, end: int) -> None:
    if start < end:
        out[start:end] = bytes(end - start)


def _segment_end(out: bytearray, at: int, limit: int) -> int:
    """Where a segment ends whose marker stands at ``at``."""
    length = int.from_bytes(out[at + 2 : at + 4], "big")
    if length < 2 or at + 2 + length > limit:
        damaged()
    return at + 2 + length


def _blank_jpeg(out: bytearray) -> None:
    at = len(_JPEG)
    while True:
        found = _MARKER.search(out, at)
        if found is None:
            damaged()
        if out[at : found.start()].strip(b"\xff"):
            _blank(out, at, found.start())
        at, marker = found.start(), out[found.start() + 1]
        if marker == _END[1]:
            _blank(out, at + 2, len(out))
            return
        end = _segment_end(out, at, len(out))
        if marker not in _NUMBERS:
            name, length = _READ.get(marker, (b"", 0))
            kept = length if name and out.startswith(name, at + 4) else 0
            _blank(out, at + 4 + kept, end)
        at = end
        if marker == _SCAN:
            after = _AFTER_SCAN.search(out, at)
            if after is None:
                damaged()
            at = after.start()


def _blank_2000(out: bytearray, at: int, limit: int) -> None:
    """Comments of a codestream that lies from ``at`` up to ``limit``."""
    at += 2
    while not out.startswith(_END, at, limit):
        if at + 2 > limit or out[at] != 0xFF:
            damaged()
        at = _blank_tile(out, at, limit) if out[at + 1] == _TILE else _segment(out, at, limit)
    _blank(out, at + 2, limit)


def _segment(out: bytearray, at: int, limit: int) -> int:
    """Blank a segment of a JPEG 2000 header if it holds anything but numbers; where it ends."""
    end = _segment_end(out, at, limit)
    if out[at + 1] not in _NUMBERS_2000:
        # Of a comment the kind stays.
        _blank(out, at + (6 if out[at + 1] == _COMMENT_2000 else 4), end)
    return end


def _blank_tile(out: bytearray, start: int, limit: int) -> int:
    """Comments in the header of a tile's part; where the part ends."""
    if start + 12 > limit:
        damaged()
    (length,) = struct.unpack_from(">I", out, start + 6)
    # Without a length the part is the last one and reaches to the end of the stream, which does not
    # occur in packed pixels.
    part_end = start + length if length else limit
    if not start + 12 <= part_end <= limit:
        damaged()
    at = start + 12
    while at < part_end and out[at + 1 : at + 2] != bytes([_TILE_DATA]):
        if out[at] != 0xFF:
            damaged()
        at = _segment(out, at, part_end)
    if not length:
        part_end = out.find(_END, at, limit)
        if part_end < 0:
            damaged()
    return part_end


def _blank_boxes(out: bytearray, at: int, limit: int, kept: frozenset[bytes] = _KEPT_BOXES) -> None:
    """Comments of what boxes hold; of boxes that need not be there everything."""
    while at + 8 <= limit:
        length, kind = struct.unpack_from(">I4s", out, at)
        start, end = at + 8, at + length if length else limit
        if length == 1 and at + 16 <= limit:
            (length,) = struct.unpack_from(">Q", out, at + 8)
            start, end = at + 16, at + length
        if not start <= end <= limit:
            damaged()
        if kind == b"jp2c":
            _blank_2000(out, start, end)
        elif kind == _HEADER_BOX:
            _blank_boxes(out, start, end, _KEPT_IN_HEADER)
        elif kind not in kept:
            _blank(out, start, end)
        at = end
    _blank(out, at, limit)
