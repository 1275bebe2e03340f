"""PNG: header, palette, transparency and pixels."""

from __future__ import annotations

import struct
import zlib

from core.imaging.containers.orientation import orientation_block

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3
_SAMPLES = {0: 1, 2: 3, _PALETTE: 1, 4: 2, 6: 4}  # by colour type
# Bytes of a transparency chunk that are read, by colour type.
_TRANSPARENCY = {0: 2, 2: 6, _PALETTE: 256}
# First column and row, column and row step of the passes of an interlaced picture.
_PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
)  # fmt: skip


def essential(data: bytes, orientation: int) -> bytes:
    """A PNG file without its metadata.

    Args:
        data: the file.
        orientation: EXIF orientation to keep, 1 to 8.

    Raises:
        ValueError: the file is laid out in an unknown way.
    """
    chunks = _chunks(data)
    header = chunks.get(b"IHDR", b"")[:13]
    if len(header) < 13 or header[9] not in _SAMPLES:
        raise ValueError("no usable header")
    colour = header[9]
    out = [_SIGNATURE, _chunk(b"IHDR", header)]
    if orientation != 1:
        out.append(_chunk(b"eXIf", orientation_block(orientation)))
    if colour == _PALETTE:
        out.append(_chunk(b"PLTE", chunks.get(b"PLTE", b"")[:768]))
    if colour in _TRANSPARENCY and b"tRNS" in chunks:
        out.append(_chunk(b"tRNS", chunks[b"tRNS"][: _TRANSPARENCY[colour]]))
    out.append(_chunk(b"IDAT", _pixels_only(chunks.get(b"IDAT", b""), _unpacked_size(header))))
    out.append(_chunk(b"IEND", b""))
    return b"".join(out)


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """Contents by name up to the end chunk; those of the pixels joined, of others the last."""
    found: dict[bytes, bytes] = {}
    pixels: list[bytes] = []
    at = len(_SIGNATURE)
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if name == b"IEND":
            break
        content = data[at + 8 : at + 8 + size]
        if name == b"IDAT":
            pixels.append(content)
        else:
            found[name] = content
        at += 12 + size
    found[b"IDAT"] = b"".join(pixels)
    return found


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + _checksum(name + content)


def _checksum(content: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(content))


def _pixels_only(packed: bytes, size: int) -> bytes:
    """The packed pixels as they are, or packed anew where something stands behind them."""
    unpacker = zlib.decompressobj()
    try:
        # One byte more than belongs there tells whether there is more.
        rows = unpacker.decompress(packed, size + 1)
    except zlib.error as error:
        raise ValueError("damaged pixels") from error
    if len(rows) == size and unpacker.eof and not unpacker.unused_data:
        return packed
    return zlib.compress(rows[:size])


def _unpacked_size(header: bytes) -> int:
    """Bytes of all rows, each with its filter byte."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * _SAMPLES[colour]
    size = 0
    for left, top, step_x, step_y in _PASSES if interlaced else ((0, 0, 1, 1),):
        columns = max(0, -(-(width - left) // step_x))
        rows = max(0, -(-(height - top) // step_y))
        if columns:
            size += rows * (1 + (columns * bits + 7) // 8)
    return size
