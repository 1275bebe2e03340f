"""What a decision may be, what it does to a case, and how the history tells of it."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import RuleError
from core.triage.words import CLASS_NAMES, REQUESTED_NAMES, STATUS_NAMES
from core.types import (
    CaseStatus,
    CaseSummary,
    Decision,
    Reader,
    RequestedPriority,
    TumourClass,
)


@dataclass(frozen=True)
class DecisionInput:
    """What a reader decides.

    Attributes:
        finding: the class the reader gives.
        urgency: what the urgency is corrected to; None leaves it as it is.
        mask_wrong: whether the mask is marked as wrong.
        asks_second: whether a second reader should read the case before it is reported.
        note: written to the case with the decision; empty for none.
    """

    finding: TumourClass
    urgency: RequestedPriority | None = None
    mask_wrong: bool = False
    asks_second: bool = False
    note: str = ""


def refuse_repetition(
    case: CaseSummary,
    readings: tuple[Decision, ...],
    reader: Reader,
    given: DecisionInput,
    urgency: RequestedPriority | None,
) -> None:
    """Refuse a decision that says nothing new.

    Args:
        case: as it stands.
        readings: of its present round, oldest first.
        reader: who decides.
        given: the decision.
        urgency: what it corrects the urgency to; None where it leaves it.

    Raises:
        RuleError: the reader said just that before. Nobody can be their own second reader.
    """
    own = [one for one in readings if one.reader.id == reader.id]
    if not own or urgency is not None:
        return
    last = own[-1]
    same = (last.finding, last.asks_second, last.mask_wrong) == (
        given.finding,
        given.asks_second,
        given.mask_wrong,
    )
    if not same:
        return
    finding = CLASS_NAMES[given.finding].lower()
    if case.status is CaseStatus.NEEDS_SECOND_READER:
        raise RuleError(
            f"You have read this case as {finding} already, and nobody can be their own second "
            "reader. A different account has to read it."
        )
    raise RuleError(f"You have read this case as {finding} already; there is nothing to save.")


def assignee_after(case: CaseSummary, reader: Reader, after: CaseStatus) -> int | None:
    """Whose case it is after a decision: a case that needs another reader is free for one."""
    mine = case.assignee is None or case.assignee.id == reader.id
    if not mine:
        return case.assignee.id
    return None if after is CaseStatus.NEEDS_SECOND_READER else reader.id


def decision_in_words(decision: Decision) -> str:
    """A decision as the history tells of it."""
    parts = [f"Read as {CLASS_NAMES[decision.finding].lower()}"]
    if decision.model_finding is None:
        parts.append("without an analysis by the model")
    elif decision.model_finding is decision.finding:
        parts.append("as the model")
    else:
        parts.append(f"overriding the model's {CLASS_NAMES[decision.model_finding].lower()}")
    if decision.urgency is not None:
        parts.append(f"urgency corrected to {REQUESTED_NAMES[decision.urgency].lower()}")
    if decision.mask_wrong:
        parts.append("mask marked as wrong")
    if decision.asks_second:
        parts.append("second reader asked for")
    return f"{', '.join(parts)}. Status: {STATUS_NAMES[decision.status_after].lower()}"
