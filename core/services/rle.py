"""Run lengths of a mask, the form in which a JSON line carries it.

The mask is read row by row, left to right (row-major), and written as the lengths of its runs of
alternating 0 and 1, **starting with zeros**: the first number is 0 where the first pixel is masked.
Every other number is at least 1, and all add up to height x width. An empty mask of 2 x 3 pixels is
``[6]``; a full one is ``[0, 6]``; ``0 1 1 / 1 0 0`` is ``[1, 3, 2]`` (runs go on across rows).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.types import UInt8Array


def encode_rle(mask: UInt8Array) -> list[int]:
    """Run lengths of a mask.

    Args:
        mask: uint8, shape (height, width); every value but 0 counts as masked.

    Returns:
        The run lengths, as the module describes them; empty for a mask without pixels.
    """
    flat = (mask != 0).ravel()
    if flat.size == 0:
        return []
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate(([0], changes, [flat.size])))
    return ([0] if flat[0] else []) + runs.tolist()


def decode_rle(runs: Sequence[int], size: tuple[int, int]) -> UInt8Array:
    """The mask behind run lengths.

    Args:
        runs: run lengths, as the module describes them.
        size: height and width of the mask in pixels.

    Returns:
        uint8, shape ``size``, 0 or 255.

    Raises:
        ValueError: a run is negative, or the runs do not add up to height x width.
    """
    height, width = size
    if any(run < 0 for run in runs) or sum(runs) != height * width:
        raise ValueError(
            f"run lengths must be positive and add up to {height} x {width} = {height * width}; "
            f"they add up to {sum(runs)}"
        )
    values = np.zeros(len(runs), np.uint8)
    values[1::2] = 255
    return np.repeat(values, np.asarray(runs, dtype=np.int64)).reshape(size)
