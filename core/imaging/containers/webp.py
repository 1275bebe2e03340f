"""WebP: one still picture, with its transparency."""

from __future__ import annotations

import struct

from core.imaging.containers.orientation import orientation_block

_ALPHA_FLAG, _EXIF_FLAG = 0x10, 0x08


def essential(data: bytes, orientation: int) -> bytes:
    """A WebP file without its metadata.

    Args:
        data: the file.
        orientation: EXIF orientation to keep, 1 to 8.

    Raises:
        ValueError: the file is laid out in an unknown way, or animated.
    """
    chunks = _chunks(data)
    pixels = next((name for name in (b"VP8 ", b"VP8L") if name in chunks), None)
    if pixels is None:
        raise ValueError("no still picture")
    out = []
    alpha = b"ALPH" in chunks and pixels == b"VP8 "
    if alpha or orientation != 1:
        extended = chunks.get(b"VP8X", b"")
        if len(extended) < 10:
            raise ValueError("no extended header")
        flags = _ALPHA_FLAG if alpha else extended[0] & _ALPHA_FLAG
        flags |= _EXIF_FLAG if orientation != 1 else 0
        out.append(_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + extended[4:10]))
    if alpha:
        out.append(_chunk(b"ALPH", chunks[b"ALPH"]))
    out.append(_chunk(pixels, chunks[pixels]))
    if orientation != 1:
        out.append(_chunk(b"EXIF", orientation_block(orientation)))
    return _chunk(b"RIFF", b"WEBP" + b"".join(out))


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """Contents by name, the first of each."""
    found: dict[bytes, bytes] = {}
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    at = 12
    while at + 8 <= end:
        name, size = struct.unpack_from("<4sI", data, at)
        found.setdefault(name, data[at + 8 : min(end, at + 8 + size)])
        at += 8 + size + size % 2
    return found


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
