"""In which order slices of a series lie, and which of them speaks for it.

One for all that ask: priorities, pages, results and the command line must not tell different tales
of the same files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from core.config import PriorityRules
from core.store.images import StoredScan
from core.triage import volumes
from core.triage.priority import scan_points
from core.types import ScanFinding

T = TypeVar("T")


@dataclass(frozen=True)
class Rank:
    """What orders a slice among those of its series.

    Attributes:
        position_mm: where it lies along its normal; None where not known.
        taken: which acquisition of the series, and which of its objects; 0 where not said.
        frame: which picture of its file.
        id: larger for what came later.
    """

    position_mm: float | None
    taken: tuple[int, int]
    frame: int
    id: int


def in_order(slices: Sequence[T], rank: Callable[[T], Rank]) -> list[T]:
    """Slices by their positions; by their numbers where the position of one is not known.

    Args:
        slices: of one series, in any order.
        rank: what orders one.
    """
    ranks = {id(one): rank(one) for one in slices}
    placed = _are_placed(list(ranks.values()))

    def key(one: T) -> tuple[float, tuple[int, int], int, int]:
        found = ranks[id(one)]
        position = found.position_mm if placed else None
        return position or 0.0, found.taken, found.frame, found.id

    return sorted(slices, key=key)


def scan_rank(scan: StoredScan) -> Rank:
    """What orders a stored slice."""
    return Rank(scan.position_mm, scan.taken, scan.frame, scan.id)


def speaker(
    findings: Sequence[ScanFinding | None], ranks: Sequence[Rank], rules: PriorityRules
) -> int | None:
    """The slice that speaks for a series, see ``core.triage.volumes``.

    Where neither positions nor numbers tell which slices are neighbours, the worst one speaks.

    Args:
        findings: of its slices, as ``in_order`` has them; None for one without a finding.
        ranks: of the same slices.
        rules: for their points.

    Returns:
        Its index; None where no slice has a finding.
    """
    ordered = _are_placed(ranks) or len({(rank.taken, rank.frame) for rank in ranks}) == len(ranks)
    positions = [rank.position_mm for rank in ranks]
    return volumes.representative(
        findings, _points(findings, rules), positions, neighbours_known=ordered
    )


def standing_out(
    findings: Sequence[ScanFinding | None], speaks: int | None, rules: PriorityRules
) -> int | None:
    """The slice that is suspicious although the one that speaks is not, by its index.

    Args:
        findings: of the slices of a series, as for ``speaker``.
        speaks: what that gave.
        rules: for their points.
    """
    return volumes.standing_out(findings, _points(findings, rules), speaks)


def _points(findings: Sequence[ScanFinding | None], rules: PriorityRules) -> list[float]:
    return [0.0 if finding is None else scan_points(finding, rules) for finding in findings]


def _are_placed(ranks: Sequence[Rank]) -> bool:
    return all(rank.position_mm is not None for rank in ranks)
