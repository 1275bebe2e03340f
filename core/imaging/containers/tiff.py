"""TIFF: the first directory's description of the pixels, and their strips or tiles."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from core.imaging.containers import jpeg

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _SAMPLES, _ROWS, _STRIP_SIZES, _PLANAR = 273, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_SIZES = 322, 323, 324, 325
_ORIENTATION, _JPEG_TABLES = 274, 347
# What the pixels are read by: beside those above fill order, fax options, predictor,
# colour map, extra samples, sample format and subsampling. All of them are numbers: no text comes
# through.
_KEPT = {
    _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, 266, _ORIENTATION, _SAMPLES, _ROWS, _PLANAR,
    292, 293, 317, 320, _TILE_WIDTH, _TILE_HEIGHT, 338, 339, _JPEG_TABLES, 530,
}  # fmt: skip
_ADDRESSES = {_STRIPS, _STRIP_SIZES, _TILES, _TILE_SIZES}
_FORMATS = {1: "B", 3: "H", 4: "I", 7: "B", 16: "Q"}  # whole numbers, by type
_SHORT, _LONG, _BYTES = 3, 4, 7
_MOST_VALUES = 2**20  # of a tag; a strip a row of the tallest picture needs fewer
_PLAIN, _JPEG = 1, 7
_YCBCR = 6
# None, fax, LZW, deflate, PackBits, JPEG. In what is left out strips may have metadata too.
_COMPRESSIONS = {_PLAIN, 2, 3, 4, 5, 8, 32773, 32946, _JPEG}

Tags = dict[int, tuple[int, ...]]


def essential(data: bytes) -> bytes:
    """The first page of a TIFF file without its metadata. Its orientation tag is kept.

    Raises:
        ValueError: the file is laid out in an unknown way.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise ValueError("no byte order")
    try:
        tags = _first_directory(data, order)
    except (struct.error, KeyError, OverflowError) as error:
        raise ValueError("damaged directory") from error
    blocks = list(_blocks(data, tags))
    if sum(map(len, blocks)) > len(data):
        raise ValueError("strips that overlap")
    address, sizes = (_TILES, _TILE_SIZES) if _TILES in tags else (_STRIPS, _STRIP_SIZES)
    kept = {tag: values for tag, values in tags.items() if tag in _KEPT and values}
    if _number(tags, _ORIENTATION, 1) == 1:
        kept.pop(_ORIENTATION, None)
    if _number(tags, _COMPRESSION, _PLAIN) == _JPEG:
        blocks = [jpeg.essential(block, 1) for block in blocks]
        if _JPEG_TABLES in kept:
            kept[_JPEG_TABLES] = tuple(jpeg.essential(bytes(kept[_JPEG_TABLES]), 1))
    else:
        kept.pop(_JPEG_TABLES, None)
    kept[sizes] = tuple(map(len, blocks))
    kept[address] = tuple(0 for _ in blocks)
    at = len(_directory(kept, order))
    places = []
    for block in blocks:
        places.append(at)
        at += len(block) + len(block) % 2
    kept[address] = tuple(places)
    padded = (block + bytes(len(block) % 2) for block in blocks)
    return _directory(kept, order) + b"".join(padded)


def _first_directory(data: bytes, order: str) -> Tags:
    """The numbers of a classic or big TIFF's first directory."""
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (entries,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
    at += 8 if big else 2
    step, inline = (20, 8) if big else (12, 4)
    tags: Tags = {}
    for start in range(at, min(at + entries * step, len(data)), step):
        tag, kind, count = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, start)
        if tag not in _KEPT | _ADDRESSES:
            continue
        if count > _MOST_VALUES:
            raise ValueError("more values than a picture needs")
        fmt = f"{order}{count}{_FORMATS[kind]}"
        place = start + step - inline
        if struct.calcsize(fmt) > inline:
            (place,) = struct.unpack_from(order + ("Q" if big else "I"), data, place)
        tags[tag] = struct.unpack_from(fmt, data, place)
    return tags


def _blocks(data: bytes, tags: Tags) -> Iterator[bytes]:
    """The strips or tiles; of plain ones what their pixels take, whatever length is claimed."""
    compression = _number(tags, _COMPRESSION, _PLAIN)
    subsampled = compression != _JPEG and _number(tags, _PHOTOMETRIC, 0) == _YCBCR
    if compression not in _COMPRESSIONS or subsampled:
        raise ValueError("pixels that are not copied")
    starts = tags.get(_TILES) or tags.get(_STRIPS) or ()
    sizes = tags.get(_TILE_SIZES) or tags.get(_STRIP_SIZES) or ()
    if compression == _PLAIN:
        sizes = _plain_sizes(tags, len(starts))
    if not starts or len(starts) != len(sizes):
        raise ValueError("strips without lengths")
    for start, size in zip(starts, sizes, strict=True):
        if start + size > len(data):
            raise ValueError("strip beyond the end")
        yield data[start : start + size]


def _plain_sizes(tags: Tags, count: int) -> tuple[int, ...]:
    """Bytes of each of ``count`` uncompressed strips or tiles."""
    height, width = _number(tags, _HEIGHT, 0), _number(tags, _WIDTH, 0)
    samples = _number(tags, _SAMPLES, 1)
    bits = tags.get(_BITS, (1,))
    a_pixel = sum(bits) if len(bits) == samples else bits[0] * samples
    separate = _number(tags, _PLANAR, 1) == 2
    if separate:
        a_pixel = bits[0]
    if _TILES in tags:
        row = (_number(tags, _TILE_WIDTH, 0) * a_pixel + 7) // 8
        return (row * _number(tags, _TILE_HEIGHT, 0),) * count
    rows = min(_number(tags, _ROWS, height), height)
    if rows == 0:
        raise ValueError("strips without rows")
    row = (width * a_pixel + 7) // 8
    a_plane = count // samples if separate else count
    return tuple(
        row * max(0, min(rows, height - index % max(1, a_plane) * rows)) for index in range(count)
    )


def _number(tags: Tags, tag: int, default: int) -> int:
    values = tags.get(tag)
    return values[0] if values else default


def _directory(tags: Tags, order: str) -> bytes:
    """A classic TIFF's header and only directory, up to where the pixels begin."""
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HIH", 42, 8, len(tags))
    entries, beyond = [], b""
    behind = len(head) + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        if tag == _JPEG_TABLES:
            kind, letter = _BYTES, "B"
        elif tag not in _ADDRESSES and max(values) < 2**16:
            kind, letter = _SHORT, "H"
        else:
            kind, letter = _LONG, "I"
        try:
            content = struct.pack(f"{order}{len(values)}{letter}", *values)
        except struct.error as error:
            raise ValueError("a number too large for a TIFF") from error
        if len(content) > 4:
            place = struct.pack(order + "I", behind + len(beyond))
            beyond += content + bytes(len(content) % 2)
        else:
            place = content.ljust(4, b"\0")
        entries.append(struct.pack(order + "HHI", tag, kind, len(values)) + place)
    return head + b"".join(entries) + bytes(4) + beyond
