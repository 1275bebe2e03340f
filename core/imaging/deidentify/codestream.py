"""Comments in JPEG, JPEG-LS and JPEG 2000 streams, overwritten in place.

Lengths stay, so that offsets do; so do the packed pixels. What the program does not find its way
through stays as it is from there on.
"""

from __future__ import annotations

import re
import struct

_JPEG, _JPEG_2000 = b"\xff\xd8", b"\xff\x4f\xff\x51"
_BOXES = b"\0\0\0\x0cjP  "
_END = b"\xff\xd9"  # of a JPEG and of a JPEG 2000 stream
# A scan ends at the first marker that is no stuffed byte and no restart; JPEG-LS stuffs one bit.
_AFTER_SCAN = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
_SCAN, _COMMENT, _APPLICATIONS = 0xDA, 0xFE, range(0xE0, 0xF0)
# Applications' segments that decoders read, and how much of them: the version and density of JFIF,
# Adobe's and JPEG-LS's colour transforms.
_READ = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12), 0xE8: (b"mrfx", 5)}
_ALONE = {0x01, *range(0xD0, 0xD9)}
_TILE, _TILE_DATA, _COMMENT_2000 = 0x90, 0x93, 0x64
_KEPT_BOXES = frozenset((b"jP  ", b"ftyp", b"jp2h"))


def without_comments(stream: bytes) -> bytes:
    """A packed picture, or the beginning of one, with zeros where its comments were.

    So too where application segments, further boxes and bytes behind the end were.
    """
    out = bytearray(stream)
    if stream.startswith(_JPEG):
        _blank_jpeg(out)
    elif stream.startswith(_JPEG_2000):
        _blank_2000(out, 0, len(out))
    elif stream.startswith(_BOXES):
        _blank_boxes(out)
    return bytes(out)


def _blank(out: bytearray, start: int, end: int) -> None:
    end = min(end, len(out))
    if start < end:
        out[start:end] = bytes(end - start)


def _blank_jpeg(out: bytearray) -> None:
    at = len(_JPEG)
    while at + 4 <= len(out) and out[at] == 0xFF:
        marker = out[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == _END[1]:
            _blank(out, at + 2, len(out))
            return
        if marker in _ALONE:
            at += 2
            continue
        start, end = at + 4, at + 2 + int.from_bytes(out[at + 2 : at + 4], "big")
        if marker == _COMMENT:
            _blank(out, start, end)
        elif marker in _APPLICATIONS:
            name, length = _READ.get(marker, (b"", 0))
            _blank(out, start + length if name and out.startswith(name, start) else start, end)
        at = end
        if marker == _SCAN:
            found = _AFTER_SCAN.search(out, at)
            at = found.end() - 2 if found else len(out)
    if out[at : at + 2] == _END:
        _blank(out, at + 2, len(out))


def _blank_2000(out: bytearray, at: int, limit: int) -> None:
    """Comments of a codestream that lies from ``at`` up to ``limit``."""
    at += 2
    while at + 4 <= limit and out[at] == 0xFF:
        marker = out[at + 1]
        if marker == _END[1]:
            break
        if marker == _TILE:
            at = _blank_tile(out, at, limit)
            continue
        end = at + 2 + int.from_bytes(out[at + 2 : at + 4], "big")
        if marker == _COMMENT_2000:
            _blank(out, at + 6, min(end, limit))
        at = end
    if out[at : at + 2] == _END:
        _blank(out, at + 2, limit)


def _blank_tile(out: bytearray, start: int, limit: int) -> int:
    """Comments in the header of a tile's part; where the part ends."""
    try:
        (length,) = struct.unpack_from(">I", out, start + 6)
    except struct.error:
        return limit
    at = start + 12
    while at + 4 <= limit and out[at] == 0xFF and out[at + 1] != _TILE_DATA:
        end = at + 2 + int.from_bytes(out[at + 2 : at + 4], "big")
        if out[at + 1] == _COMMENT_2000:
            _blank(out, at + 6, min(end, limit))
        at = end
    # Without a length the part is the last one and reaches to the end.
    return start + length if length >= 14 else limit


def _blank_boxes(out: bytearray) -> None:
    at = 0
    while at + 8 <= len(out):
        length, kind = struct.unpack_from(">I4s", out, at)
        end = at + length if length else len(out)
        if length == 1 or (length and length < 8):
            return
        if kind == b"jp2c":
            _blank_2000(out, at + 8, min(end, len(out)))
        elif kind not in _KEPT_BOXES:
            _blank(out, at + 8, end)
        at = end
