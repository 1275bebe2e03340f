"""Waiting: what it adds to a priority, and how it stands against its target.

A case's score now is its score at receipt plus ``rate_per_second`` for each second since. All
cases age at the same rate, so that the order of ``score - rate x receipt`` is the order of the
scores at any moment: it is stored once and never recomputed. A case received more than
(highest possible score - its own score) / rate later can never stand before it, however urgent:
nothing waits for ever.
"""

from __future__ import annotations

from core.config import PriorityRules
from core.triage.priority import requested_points
from core.types import RequestedPriority, WaitState


def rate_per_second(rules: PriorityRules) -> float:
    """Points that a second of waiting adds to a score."""
    return rules.waiting_per_hour / 3600


def rank_key(priority_score: float, received_at: float, rules: PriorityRules) -> float:
    """What cases are ordered by, largest first, whatever the time.

    Args:
        priority_score: points at receipt.
        received_at: start of the waiting, in seconds since 1970.
        rules: for the rate.
    """
    return priority_score - rate_per_second(rules) * received_at


def queue_rank(requested: RequestedPriority, received_at: float, rules: PriorityRules) -> float:
    """What images not scored yet are ordered by, largest first.

    Before the model has seen an image only the request tells them apart. Waiting counts as it does
    in the worklist, so that a stream of urgent uploads does not starve an old one.
    """
    return rank_key(requested_points(requested, rules), received_at, rules)


def wait_state(received_at: float, due_at: float, now: float, amber_share: float) -> WaitState:
    """Waiting time against its target.

    Args:
        received_at: start of the waiting, in seconds since 1970.
        due_at: when the target is over, in the same.
        now: the moment asked for, in the same.
        amber_share: share of the target, 0 to 1, from which it is ``DUE_SOON``.
    """
    if now > due_at:
        return WaitState.OVER_TARGET
    if now - received_at >= amber_share * (due_at - received_at):
        return WaitState.DUE_SOON
    return WaitState.ON_TIME
