"""Which slice of a volume speaks for it.

A series of a hundred slices gives a hundred findings. Were the worst of them to decide, one odd
slice would: with one slice in fifty misread, nearly every healthy head would be read as suspicious
somewhere. A tumour is thicker than the distance of the slices, so its slices have suspicious
neighbours. A volume therefore stands where the most urgent group of neighbouring slices, all of
them, says it stands:

    score of the volume = largest over the groups of (least score of the group's slices)

where a group are slices side by side over ``_EXTENT_MM``, two at the least. The slice with that
least score is the one that speaks for the volume: its own finding is what the case shows, so that
score, class, size and picture belong together. More evidence in any slice never lowers it, a single
slice cannot raise it alone, and it does not depend on the end from which slices are counted.

The slices at both ends of a head are often unlike those of the training: only the others are asked.
Where these are less than ``_LIKE_SHARE`` of the volume, it is the volume that is unlike the
training, and its slices speak as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from statistics import median

from core.types import CLASSES, Plane, ScanFinding

# A little less than the smallest lesions that are to be found (pituitary tumours of 5 mm).
_EXTENT_MM = 4.0
_SMALLEST_GROUP, _LARGEST_GROUP = 2, 5
_LIKE_SHARE = 0.25


def representative(
    findings: Sequence[ScanFinding | None],
    scores: Sequence[float],
    positions_mm: Sequence[float | None],
    *,
    neighbours_known: bool = True,
) -> int | None:
    """The slice that speaks for a volume.

    Args:
        findings: of its slices, in the order in which they lie; None for one without a finding.
        scores: points of each slice, such as ``priority.scan_points``; any number where there is no
            finding.
        positions_mm: where each lies along the normal; None where not known.
        neighbours_known: whether slices side by side in the order are so in the patient. Where they
            are not, none can confirm another, and the worst one speaks.

    Returns:
        Its index; None where no slice has a finding.
    """
    found = {index: finding for index, finding in enumerate(findings) if finding is not None}
    asked = [index for index, finding in found.items() if finding.in_distribution]
    if len(asked) < _LIKE_SHARE * len(found):
        asked = list(found)
    if not asked:
        return None
    # Slices of equal scores are told apart by what they show, never by where they lie.
    order = {index: (scores[index], *_weight(found[index])) for index in asked}
    size = min(_group_size(positions_mm), len(asked)) if neighbours_known else 1
    groups = (asked[start : start + size] for start in range(len(asked) - size + 1))
    return max((min(group, key=order.__getitem__) for group in groups), key=order.__getitem__)


def series_name(sequence: str | None, plane: Plane | None, number: int | None) -> str:
    """How a series is called, such as ``T1 with contrast, axial, series 5``."""
    parts = [sequence or "MRI of unknown sequence"]
    if plane is not None:
        parts.append(plane)
    if number is not None:
        parts.append(f"series {number}")
    return ", ".join(parts)


def _group_size(positions_mm: Sequence[float | None]) -> int:
    """How many slices side by side cover the extent; the smallest number where it is not known."""
    known = sorted(position for position in positions_mm if position is not None)
    steps = [later - earlier for earlier, later in pairwise(known) if later > earlier]
    if not steps:
        return _SMALLEST_GROUP
    return max(_SMALLEST_GROUP, min(_LARGEST_GROUP, ceil(_EXTENT_MM / median(steps))))


def _weight(finding: ScanFinding) -> tuple[float, ...]:
    area = finding.lesion.area_fraction if finding.lesion else 0.0
    return finding.tumour_probability, area, *(finding.probabilities[name] for name in CLASSES)
