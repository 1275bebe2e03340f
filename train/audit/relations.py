"""In what a copy differs from its group's representative, in numbers and in words."""

from __future__ import annotations

import math
import re
from collections import defaultdict, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from train.audit.fingerprints import Fingerprint, inside
from train.audit.groups import Copies, Edge, representative
from train.audit.pairs import aligned, compare

# From where on a difference is named; smaller ones come from the laying over itself.
_TURN = 1.5  # degrees
QUARTER_TURNS = ("turned -90°", "turned 90°", "turned 180°")
_RESIZE, _STRETCH = 0.03, 0.04
_CUT = 0.03  # share of the representative's head that lies outside of the copy's picture
_CONTRAST = 8.0  # mean difference in gray values of 255, both pictures stretched to the full range
_SHARPNESS = 0.25  # difference of the logarithms


@dataclass(frozen=True, eq=False)
class Relation:
    """How one picture lies to its group's representative.

    Attributes:
        representative: position of the representative.
        transform: float64 (3, 3), from x, y, 1 in its patch to this picture's.
        similarity: to the representative, at most 1; where the two are alike only by way of other
            copies, the lowest on that way.
        direct: whether the two were found alike themselves.
        mirrored: left and right swapped, before turning.
        degrees: turned clockwise by this much, -180 to 180.
        differences: such as ``mirrored``, ``turned 180°``, ``resized ×0.88``.
    """

    representative: int
    transform: np.ndarray
    similarity: float
    direct: bool
    mirrored: bool = False
    degrees: float = 0.0
    differences: tuple[str, ...] = ("representative",)

    @property
    def words(self) -> str:
        """All differences in one line."""
        return ", ".join(self.differences)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The differences without their amounts, but quarter turns by name."""
        return tuple(
            text if text in QUARTER_TURNS else re.sub(r" (by )?[×\d.-].*", "", text)
            for text in self.differences
        )


def relations(
    copies: Copies, fingerprints: Sequence[Fingerprint], workers: int
) -> dict[int, Relation]:
    """The relation of every picture to the representative of its group, by position."""
    neighbours: dict[int, list[Edge]] = defaultdict(list)
    for edge in copies.edges:
        neighbours[edge.first].append(edge)
        neighbours[edge.second].append(edge)
    found: dict[int, Relation] = {}
    for group in copies.groups:
        root = representative(group, fingerprints)
        found.update(_walk(root, neighbours))

    def finish(item: tuple[int, Relation]) -> tuple[int, Relation]:
        position, relation = item
        if position == relation.representative:
            return position, relation
        original, copy = fingerprints[relation.representative], fingerprints[position]
        return position, _describe(_straighten(relation, original, copy), original, copy)

    with ThreadPoolExecutor(workers) as pool:
        return dict(sorted(pool.map(finish, found.items())))


def _walk(root: int, neighbours: dict[int, list[Edge]]) -> dict[int, Relation]:
    """The group's tree from its representative outwards, transforms chained."""
    found = {root: Relation(root, np.eye(3), 1.0, True)}
    waiting = deque([root])
    while waiting:
        here = waiting.popleft()
        for edge in neighbours[here]:
            forward = edge.first == here
            there = edge.second if forward else edge.first
            if there in found:
                continue
            step = edge.match.transform if forward else np.linalg.inv(edge.match.transform)
            found[there] = Relation(
                representative=root,
                transform=step @ found[here].transform,
                similarity=min(found[here].similarity, edge.match.similarity),
                direct=here == root,
            )
            waiting.append(there)
    return found


def _straighten(relation: Relation, original: Fingerprint, copy: Fingerprint) -> Relation:
    """The way by other copies replaced by a direct one, where there is one."""
    if relation.direct or copy.digest == original.digest:
        return replace(relation, direct=True)
    match = compare(original, copy, relation.transform)
    if match is None or match.similarity + match.allowance < relation.similarity:
        return relation
    return replace(relation, transform=match.transform, similarity=match.similarity, direct=True)


def _describe(relation: Relation, original: Fingerprint, copy: Fingerprint) -> Relation:
    if copy.digest == original.digest:
        return replace(relation, differences=("identical file",))
    between = copy.to_source @ relation.transform @ np.linalg.inv(original.to_source)
    linear = between[:2, :2]
    mirrored = bool(np.linalg.det(linear) < 0)
    if mirrored:
        linear = linear * np.array([-1.0, 1.0])
    left, scales, right = np.linalg.svd(linear)
    turn = left @ right
    degrees = math.degrees(math.atan2(turn[1, 0], turn[0, 0]))
    differences = (
        *_orientation(mirrored, degrees),
        *_scale(float(scales[0]), float(scales[1])),
        *_cut(original, copy, between),
        *_look(relation, original, copy),
    )
    return replace(
        relation,
        mirrored=mirrored,
        degrees=degrees,
        differences=differences or ("re-encoded",),
    )


def _orientation(mirrored: bool, degrees: float) -> list[str]:
    nearest = round(degrees / 90) * 90
    if abs(degrees - nearest) <= _TURN:
        degrees = 180 if nearest == -180 else nearest
    if mirrored and degrees == 180:
        return ["upside down"]
    words = ["mirrored"] if mirrored else []
    return [*words, f"turned {degrees:.0f}°"] if degrees else words


def _scale(larger: float, smaller: float) -> list[str]:
    words, mean = [], math.sqrt(larger * smaller)
    if abs(math.log(mean)) > _RESIZE:
        words.append(f"resized ×{mean:.2f}")
    if math.log(larger / smaller) > _STRETCH:
        words.append(f"stretched {larger / smaller:.2f}:1")
    return words


def _cut(original: Fingerprint, copy: Fingerprint, between: np.ndarray) -> list[str]:
    rows, columns = np.nonzero(original.head)
    points = np.stack([columns, rows, np.ones_like(rows)]).astype(float)
    x, y, _ = between @ original.to_source @ points
    height, width = copy.size
    outside = (x < -1) | (y < -1) | (x > width) | (y > height)
    share = float(outside.mean()) if outside.size else 0.0
    return [f"cut by {share:.0%} of the head"] if share > _CUT else []


def _look(relation: Relation, original: Fingerprint, copy: Fingerprint) -> list[str]:
    words = []
    moved, head = aligned(copy, relation.transform)
    where = inside(original.head & head)
    if where.any():
        difference = original.patch[where].astype(float) - moved[where]
        if float(np.abs(difference).mean()) > _CONTRAST:
            words.append("contrast changed")
    if original.sharpness > 0 and copy.sharpness > 0:
        ratio = math.log(copy.sharpness / original.sharpness)
        if abs(ratio) > _SHARPNESS:
            words.append("sharper" if ratio > 0 else "softer")
    return words
