"""Where the packed frames of a DICOM file lie (PS3.5 A.4)."""

from __future__ import annotations

import struct
from bisect import bisect_left
from itertools import pairwise

from core.imaging.dicom.read import Header, damaged

# Packed slices come in a few fragments each; millions of empty ones would only cost time.
_MOST_FRAGMENTS = 200_000
_ITEM, _END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
# How packed pictures begin: JPEG and JPEG-LS, JPEG 2000 bare and wrapped.
_STARTS = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")


def frames_of(header: Header, count: int) -> list[list[memoryview]]:
    """The fragments of each frame.

    Args:
        header: of a file whose pixels are encapsulated.
        count: frames that the file claims.

    Raises:
        InputError: the pixels break off, or do not part into so many frames.
    """
    return frames_in(items_of(header.pixels), header.dataset.get("ExtendedOffsetTable"), count)


def frames_in(
    items: list[tuple[int, memoryview]], long_table: object, count: int
) -> list[list[memoryview]]:
    """The fragments of each frame.

    Args:
        items: the offset table and the fragments, as ``items_of`` gives them.
        long_table: the extended offset table; anything but bytes where there is none.
        count: frames that the file claims.

    Raises:
        InputError: the pixels do not part into so many frames.
    """
    table, fragments = items[0][1], items[1:]
    if not fragments:
        damaged()
    if count == 1:
        return [[part for _, part in fragments]]
    if len(fragments) == count:
        return [[part] for _, part in fragments]
    starts = _table_starts(long_table, table, count) or _picture_starts(fragments)
    if len(starts) != count or starts[0] != 0:
        damaged()
    offsets = [at for at, _ in fragments]
    bounds = pairwise([bisect_left(offsets, start) for start in starts] + [len(fragments)])
    frames = [[part for _, part in fragments[low:high]] for low, high in bounds]
    if not all(frames):
        damaged()
    return frames


def items_of(pixels: memoryview) -> list[tuple[int, memoryview]]:
    """The offset table and the fragments, each with its offset from the first fragment.

    Args:
        pixels: encapsulated, from their first item on.

    Raises:
        InputError: they break off, or hold more items than any series needs.
    """
    items: list[tuple[int, memoryview]] = []
    at = first = 0
    while True:
        try:
            group, element, length = struct.unpack_from("<HHI", pixels, at)
        except struct.error:
            damaged()
        if (group, element) == _END:
            break
        if len(items) > _MOST_FRAGMENTS or (group, element) != _ITEM:
            damaged()
        if at + 8 + length > len(pixels):
            damaged()
        items.append((at - first, pixels[at + 8 : at + 8 + length]))
        at += 8 + length
        if len(items) == 1:
            first = at
    if not items:
        damaged()
    return items


def _table_starts(extended: object, table: memoryview, count: int) -> list[int]:
    """Offsets of the frames by the basic or the extended offset table; empty without either."""
    if isinstance(extended, bytes) and len(extended) >= 8 * count:
        return list(struct.unpack_from(f"<{count}Q", extended))
    return list(struct.unpack_from(f"<{count}I", table)) if len(table) >= 4 * count else []


def _picture_starts(fragments: list[tuple[int, memoryview]]) -> list[int]:
    return [at for at, part in fragments if bytes(part[:8]).startswith(_STARTS)]
