"""Text that was drawn into the pixels of a picture: found by its looks, raised and never erased.

Scanners and workstations draw names, dates and figures in sharp strokes of one brightness, in
lines, mostly beside the head. So what is looked for is a line of at least four small separate marks
of like height, side by side on one base line, each with a sharp edge all around: bright marks on
the dark surroundings of the head, or marks of the picture's highest values anywhere. Nothing is
read: whether it is a name is for a human to see.

Measured: no alarm on any of 2,514 slices of figshare and 3,301 of LGG, which carry no text. Of
thirteen letters drawn beside a head, 6 to 24 pixels high, in pictures of 256 and 512 pixels, all
are found, in JPEG of quality 80 too; across the head those of 16 pixels and more.

A slice takes 1 ms of 256 x 256 pixels, 5 ms of 512 x 512, and 20 ms of 1024 x 1024 and more, beside
its decoding. So of a file every slice is looked at (``core.services.receipt``), not some of them,
and not the brightest of all together: there names would lie on the head of another slice.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np
import numpy.typing as npt

from core.types import BoolArray, FloatArray, Scan, UInt8Array

NOTICE = (
    "There seems to be text in the picture itself, which is kept as it came. "
    "Please check that it does not say who the patient is."
)

# Brightness out of 255, of the picture stretched between its lowest and highest values.
_MARK, _BRIGHTEST, _AIR = 70, 245, 40
_SHARPEST_EDGE = 45  # least mean step across the outline of a mark
_LEAST_HEIGHT, _LARGEST_SHARE = 5, 0.1  # of a mark, in pixels and of the picture's longer side
_LEAST_MARKS = 4
_LEAST_FILL, _MOST_FILL = 0.15, 0.95  # of a mark's box
_WIDEST = 1.6  # of a mark, by its height; a word is wider
_LARGEST_GAP, _LARGEST_SHIFT, _HEIGHTS = 1.2, 0.25, 1.6  # of neighbours, by their height
_LONGEST_SIDE = 1024
# Spots of the size of a mark that are looked at, from left to right, some seconds' worth. The worst
# noise in the largest picture has some 6,000.
_MOST_SPOTS = 10_000


@dataclass(frozen=True)
class _Mark:
    """A small connected spot: left, top, right and bottom, ends exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    def follows(self, other: _Mark) -> bool:
        """Whether this is the next letter of the line that another one is in."""
        low, high = sorted((self.height, other.height))
        gap = self.left - other.right
        return (
            -0.2 * high <= gap <= _LARGEST_GAP * high
            and self.left > other.left
            and abs(self.bottom - other.bottom) <= max(1.0, _LARGEST_SHIFT * high)
            and high <= max(low + 1, _HEIGHTS * low)
        )


def burnt_in_text(scan: Scan) -> str | None:
    """A notice in words if text seems to be drawn into a picture; None if not.

    Text of five pixels' height and more is looked for. Small text across the head, and text drawn
    in the gray of its surroundings, is not found.

    Args:
        scan: the picture, of any size.
    """
    return text_in(scan.pixels.max(axis=2))


def text_in(picture: FloatArray) -> str | None:
    """The same of values (height, width), those of the brightest colour where there are several."""
    gray = _stretched(picture)
    if gray is None:
        return None
    beside = ~_near_head(gray)
    bright = gray >= _MARK
    found = _has_line(gray, bright, beside)
    if not found:
        found = _has_line(gray, gray >= _BRIGHTEST, np.ones(gray.shape, bool))
    return NOTICE if found else None


def _stretched(gray: FloatArray) -> UInt8Array | None:
    """The picture as gray 0 to 255, at most ``_LONGEST_SIDE`` long; None for a blank one."""
    low, high = float(gray.min()), float(gray.max())
    if not high > low:
        return None
    # In double precision: a NIfTI may hold values near the limit of float32.
    stretched = ((gray.astype(np.float64) - low) * (255 / (high - low))).astype(np.uint8)
    shrink = _LONGEST_SIDE / max(stretched.shape)
    if shrink < 1:
        size = (round(stretched.shape[1] * shrink), round(stretched.shape[0] * shrink))
        stretched = cv2.resize(stretched, size, interpolation=cv2.INTER_AREA)
    return stretched


def _near_head(gray: UInt8Array) -> BoolArray:
    """The largest object with what touches it, filled, and a rim around it."""
    smooth = cv2.GaussianBlur(gray, (0, 0), max(1.0, max(gray.shape) / 200))
    mask = (smooth >= _AIR).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    out = np.zeros(gray.shape, np.uint8)
    if contours:
        areas = [cv2.contourArea(contour) for contour in contours]
        for contour, area in zip(contours, areas, strict=True):
            if area >= 0.1 * max(areas) and area > 0.01 * gray.size:
                cv2.drawContours(out, [contour], -1, 1, thickness=cv2.FILLED)
    return out.astype(bool)


def _has_line(gray: UInt8Array, bright: BoolArray, where: BoolArray) -> bool:
    return _is_line_among(_marks(gray, bright, where))


def _is_line_among(marks: Iterable[_Mark]) -> bool:
    """Whether a line of enough marks is among some that come from left to right.

    Each is compared only with those before it that are near enough in size and place to be
    followed, and the first line ends the search.
    """
    lines = _Lines()
    return any(lines.add(mark) >= _LEAST_MARKS for mark in marks)


class _Lines:
    """Marks with the lengths of the lines that end in them, by size and base line."""

    # Marks follow each other within a class of heights or from one class to the next.
    _CLASSES = tuple(_HEIGHTS**power for power in range(12))

    def __init__(self) -> None:
        # Left ends, ascending, and what begins there.
        self._cells: defaultdict[tuple[int, int], tuple[list[int], list[tuple[_Mark, int]]]]
        self._cells = defaultdict(lambda: ([], []))

    def add(self, mark: _Mark) -> int:
        """Note a mark that is not left of any before; gives the length of the line it ends."""
        own = bisect_right(self._CLASSES, mark.height)
        # Of the highest neighbour; a gap and that neighbour's own width lie between the left ends.
        high = max(mark.height + 1, _HEIGHTS * mark.height)
        reach = (_LARGEST_GAP + _WIDEST) * high
        before = 0
        for height in (own - 1, own, own + 1):
            row = mark.bottom // self._cell_height(height)
            for cell in ((height, row - 1), (height, row), (height, row + 1)):
                if cell not in self._cells:
                    continue
                lefts, found = self._cells[cell]
                for other, length in found[bisect_left(lefts, mark.left - reach) :]:
                    if length > before and mark.follows(other):
                        before = length
        lefts, found = self._cells[own, mark.bottom // self._cell_height(own)]
        lefts.append(mark.left)
        found.append((mark, before + 1))
        return before + 1

    @staticmethod
    def _cell_height(height: int) -> int:
        """At least the largest shift between a mark of a class and one of its neighbours."""
        return max(1, ceil(_LARGEST_SHIFT * _HEIGHTS ** (height + 1)))


def _marks(gray: UInt8Array, bright: BoolArray, where: BoolArray) -> Iterator[_Mark]:
    """The marks from left to right."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(bright.astype(np.uint8), connectivity=8)
    highest = max(_LEAST_HEIGHT + 1, round(_LARGEST_SHARE * max(gray.shape)))
    stats = stats[1:]  # the first is the background
    lefts, _, widths, heights, areas = stats.T
    fill = areas / (widths * heights)
    fits = (heights >= _LEAST_HEIGHT) & (heights <= highest) & (widths <= _WIDEST * heights)
    fits &= ((fill >= _LEAST_FILL) & (fill <= _MOST_FILL)) | (widths <= 0.35 * heights)
    spots = np.flatnonzero(fits)
    for index in spots[np.argsort(lefts[spots], kind="stable")][:_MOST_SPOTS]:
        label = int(index) + 1
        left, top, width, height, _ = (int(value) for value in stats[index])
        box = (slice(top, top + height), slice(left, left + width))
        spot = labels[box] == label
        if where[box][spot].all() and _is_sharp(gray, labels, label, left, top, width, height):
            yield _Mark(left, top, left + width, top + height)


def _is_sharp(
    gray: UInt8Array, labels: npt.NDArray[np.int32], label: int,
    left: int, top: int, width: int, height: int,
) -> bool:  # fmt: skip
    """Whether a spot stands out from what surrounds it by a step, not by a slope."""
    box = (
        slice(max(0, top - 2), top + height + 2),
        slice(max(0, left - 2), left + width + 2),
    )
    spot = (labels[box] == label).astype(np.uint8)
    values = gray[box].astype(np.int16)
    around = cv2.dilate(spot, np.ones((5, 5), np.uint8)) - cv2.dilate(
        spot, np.ones((3, 3), np.uint8)
    )
    if not around.any():
        return False
    inside = float(np.median(values[spot > 0]))
    outside = float(np.percentile(values[around > 0], 75))
    return inside - outside >= max(_SHARPEST_EDGE, 0.5 * inside)
