"""Which slice of a volume speaks for it.

A series of a hundred slices gives a hundred findings. Were the worst of them to decide, one odd
slice would: with one slice in fifty misread, nearly every healthy head would be read as suspicious
somewhere. A tumour is thicker than the distance of the slices, so its slices have suspicious
neighbours. A volume therefore stands where the most urgent group of neighbouring slices, all of
them, says it stands:

    score of the volume = largest over the groups of (least score of the group's slices)

where a group are as many slices side by side as cover ``_EXTENT_MM``. The slice with that
least score is the one that speaks for the volume: its own finding is what the case shows, so that
score, class, size and picture belong together. More evidence in any slice never lowers it, and it
does not depend on the end from which slices are counted.

So a single slice decides where slices lie ``_EXTENT_MM`` apart or further, because a small tumour
may show in no other; of thinner slices none raises the volume alone. Where files do not say how far
apart slices lie, a single one decides too: they may be thick, and a calm case that is read early
costs less than a tumour that is read late.

A suspicious slice that too few neighbours bear out is not passed over: ``standing_out`` names it.
The case opens with it and says so, and is not routine where class and outline agree on it, see
``priority``.

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
_LARGEST_GROUP = 5
# Scanners and rounding leave 4 mm a little less: as a share of a slice.
_ROUNDING = 0.05
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
    order = _order(findings, scores)
    if not order:
        return None
    asked = list(order)
    size = min(_group_size(positions_mm), len(asked)) if neighbours_known else 1
    groups = (asked[start : start + size] for start in range(len(asked) - size + 1))
    return max((min(group, key=order.__getitem__) for group in groups), key=order.__getitem__)


def standing_out(
    findings: Sequence[ScanFinding | None], scores: Sequence[float], speaks: int | None
) -> int | None:
    """The slice that is suspicious although the one that speaks for the volume is not.

    Args:
        findings: as for ``representative``.
        scores: likewise.
        speaks: what that gave.

    Returns:
        The index of the most urgent such slice; None where there is none.
    """
    voice = None if speaks is None else findings[speaks]
    if voice is None or voice.suspected:
        return None
    order = _order(findings, scores)
    suspected = [index for index in order if (one := findings[index]) and one.suspected]
    return max(suspected, key=order.__getitem__, default=None)


def series_name(sequence: str | None, plane: Plane | None, number: int | None) -> str:
    """How a series is called, such as ``T1 with contrast, axial, series 5``."""
    parts = [sequence or "MRI of unknown sequence"]
    if plane is not None:
        parts.append(plane)
    if number is not None:
        parts.append(f"series {number}")
    return ", ".join(parts)


def _group_size(positions_mm: Sequence[float | None]) -> int:
    """How many slices side by side cover the extent; one where that is not known."""
    known = sorted(position for position in positions_mm if position is not None)
    steps = [later - earlier for earlier, later in pairwise(known) if later > earlier]
    if not steps:
        return 1
    return max(1, min(_LARGEST_GROUP, ceil(_EXTENT_MM / median(steps) - _ROUNDING)))


def _order(
    findings: Sequence[ScanFinding | None], scores: Sequence[float]
) -> dict[int, tuple[float, ...]]:
    """How urgent the slices are that are asked, by their indices.

    Slices of equal scores are told apart by what they show, never by where they lie.
    """
    found = {index: finding for index, finding in enumerate(findings) if finding is not None}
    asked = [index for index, finding in found.items() if finding.in_distribution]
    if len(asked) < _LIKE_SHARE * len(found):
        asked = list(found)
    return {index: (scores[index], *_weight(found[index])) for index in asked}


def _weight(finding: ScanFinding) -> tuple[float, ...]:
    area = finding.lesion.area_fraction if finding.lesion else 0.0
    return finding.tumour_probability, area, *(finding.probabilities[name] for name in CLASSES)
