"""Bytes that are no picture in a frame packed by run lengths (PS3.5 Annex G), overwritten."""

from __future__ import annotations

import struct
from itertools import pairwise

from core.imaging.dicom.read import damaged

_HEADER = struct.Struct("<16I")
_MOST_SEGMENTS = 15
_NOTHING = 128  # a run of this kind stands for no value


def without_gaps(frame: bytes, values: int) -> bytes:
    """A frame with zeros where bytes are of which no value of the picture is made.

    These lie before the first segment and behind the last run of each one.

    Args:
        frame: one packed frame.
        values: values in each segment, one for each pixel.

    Raises:
        InputError: it breaks off, or contradicts itself.
    """
    if len(frame) < _HEADER.size:
        damaged()
    count, *offsets = _HEADER.unpack_from(frame)
    if not 1 <= count <= _MOST_SEGMENTS:
        damaged()
    bounds = [_HEADER.size, *offsets[:count], len(frame)]
    if bounds != sorted(bounds):
        damaged()
    out = bytearray(len(frame))
    _HEADER.pack_into(out, 0, count, *offsets[:count], *[0] * (_MOST_SEGMENTS - count))
    for start, limit in pairwise(bounds[1:]):
        end = _end_of_runs(frame, start, limit, values)
        out[start:end] = frame[start:end]
    return bytes(out)


def _end_of_runs(frame: bytes, at: int, limit: int, values: int) -> int:
    """Where the runs end that make so many values; of the last one only what is needed counts."""
    made = 0
    while made < values:
        if at >= limit:
            damaged()
        run = frame[at]
        if run < _NOTHING:
            needed = min(run + 1, values - made)
            at += 1 + needed
            made += needed
        elif run > _NOTHING:
            at += 2
            made += 257 - run
        else:
            at += 1
    if at > limit:
        damaged()
    return at
