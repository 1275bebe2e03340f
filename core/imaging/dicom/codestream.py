"""The size that a JPEG, JPEG-LS or JPEG 2000 stream declares, read without decoding it."""

from __future__ import annotations

import struct

_JPEG, _JPEG_2000 = b"\xff\xd8", b"\xff\x4f\xff\x51"
# JPEG 2000 may be wrapped in a file of its own, made of boxes.
_BOXES, _STREAM_BOX = b"\0\0\0\x0cjP  \r\n\x87\n", b"jp2c"
_MOST_BOXES = 100
# Start-of-frame markers; among those numbers three mean something else.
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD9)}


def declared_size(stream: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and samples a pixel; None where no frame header is found.

    What kind of stream it is follows from its first bytes alone, as for the decoders.

    Raises:
        struct.error, IndexError: the stream breaks off in its headers.
    """
    if stream.startswith(_JPEG):
        return _size_in_jpeg(stream)
    start = _in_boxes(stream) if stream.startswith(_BOXES) else 0
    if start is None or not stream.startswith(_JPEG_2000, start):
        return None
    right, bottom, left, top = struct.unpack_from(">4I", stream, start + 8)
    (samples,) = struct.unpack_from(">H", stream, start + 40)
    return bottom - top, right - left, samples


def _in_boxes(stream: bytes) -> int | None:
    """Where the codestream begins in a file of boxes; None where it has none."""
    at = 0
    for _ in range(_MOST_BOXES):
        length, kind = struct.unpack_from(">I4s", stream, at)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", stream, at + 8)
            head = 16
        if kind == _STREAM_BOX:
            return at + head
        if length < head:  # 0: up to the end of the file
            return None
        at += length
    return None


def _size_in_jpeg(stream: bytes) -> tuple[int, int, int] | None:
    at = len(_JPEG)
    while stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _FRAMES:
            rows, columns, samples = struct.unpack_from(">HHB", stream, at + 5)
            return rows, columns, samples
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", stream, at + 2)[0]
    return None
