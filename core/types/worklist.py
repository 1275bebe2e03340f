"""What the worklist asks for and what it gets, and how an upload is getting on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from core.types.cases import (
    Band,
    CaseStatus,
    Lesion,
    Reader,
    Reason,
    RequestedPriority,
    WaitState,
)
from core.types.scans import TumourClass


class SortKey(StrEnum):
    """Order of the worklist; every one ends with the case's number, so that pages never overlap."""

    PRIORITY = "priority"
    WAITING = "waiting"
    TUMOUR_PROBABILITY = "tumour_probability"
    LESION_SIZE = "lesion_size"
    PATIENT_REFERENCE = "patient_reference"


@dataclass(frozen=True)
class WorklistQuery:
    """Which cases, in which order, from where on.

    Attributes:
        statuses: only these; empty for every open case (all but reported).
        predicted: only cases whose leading scan the model gave this class.
        assignee_id: only cases of this reader.
        unassigned: only cases of nobody.
        flagged: only cases a human should look at although the probabilities do not say so.
        over_target: only cases that wait longer than their target.
        search: start of a patient reference, or a case number with ``#``.
        sort: the order.
        reverse: the other way round.
        limit: cases a page, 1 to 200.
        after: ``cursor`` of the page before; None for the first page.
    """

    statuses: tuple[CaseStatus, ...] = ()
    predicted: TumourClass | None = None
    assignee_id: int | None = None
    unassigned: bool = False
    flagged: bool = False
    over_target: bool = False
    search: str = ""
    sort: SortKey = SortKey.PRIORITY
    reverse: bool = False
    limit: int = 25
    after: str | None = None


@dataclass(frozen=True)
class CaseSummary:
    """A case as a row of the worklist.

    Attributes:
        id: number of the case.
        patient_reference: pseudonym; None where none was given.
        study_date: day of the examination, where known.
        site: where it was made, where known.
        requested: urgency the sender asked for.
        urgency: urgency a reader corrected it to; None where none did.
        received_at: start of the waiting, in UTC.
        due_at: when the target is over, in UTC.
        waited_minutes: waiting time at the moment of the query; until the report where reported.
        wait_state: that against the target.
        status: where it stands.
        assignee: whose case it is; None where nobody's.
        score: priority points now, waiting included.
        band: urgency by the score at receipt.
        reasons: why it stands there, largest share first.
        flagged: whether a human should look although the probabilities do not say so.
        predicted: class of the leading scan; None while nothing is scored.
        probability: calibrated probability of that class, 0 to 1.
        tumour_probability: of the leading scan, 0 to 1.
        lesion: size in the leading scan; None where nothing is masked or scored.
        thumbnail_key: picture with the overlay, in the file store; None while nothing is scored.
        model_version: of the leading analysis.
        scan_count: scans of the case.
        scored_count: of them scored.
        failed_count: of them failed for good.
        version: for optimistic locking.
    """

    id: int
    patient_reference: str | None
    study_date: date | None
    site: str | None
    requested: RequestedPriority
    urgency: RequestedPriority | None
    received_at: datetime
    due_at: datetime
    waited_minutes: float
    wait_state: WaitState
    status: CaseStatus
    assignee: Reader | None
    score: float
    band: Band
    reasons: tuple[Reason, ...]
    flagged: bool
    predicted: TumourClass | None
    probability: float | None
    tumour_probability: float | None
    lesion: Lesion | None
    thumbnail_key: str | None
    model_version: str | None
    scan_count: int
    scored_count: int
    failed_count: int
    version: int


@dataclass(frozen=True)
class WorklistPage:
    """One page of the worklist.

    Attributes:
        rows: the cases in order.
        cursor: give it as ``after`` for the next page; None on the last one.
    """

    rows: tuple[CaseSummary, ...]
    cursor: str | None


@dataclass(frozen=True)
class WorklistCounters:
    """The figures on top of the worklist; all of open cases.

    Attributes:
        waiting: open cases.
        over_target: of them, waiting longer than their target.
        flagged: of them, for a human look.
        median_wait_minutes: median of their waiting times; None where none waits.
        by_status: cases by status, reported ones included.
        images_to_score: images that the model has still to look at.
    """

    waiting: int
    over_target: int
    flagged: int
    median_wait_minutes: float | None
    by_status: dict[CaseStatus, int] = field(default_factory=dict)
    images_to_score: int = 0


class ItemOutcome(StrEnum):
    """What became of an uploaded file."""

    RECEIVED = "received"
    LINKED = "linked"
    REJECTED = "rejected"


@dataclass(frozen=True)
class BatchItem:
    """One uploaded file.

    Attributes:
        name: the file's name, shown to its uploader only.
        outcome: received, linked (the same image was known) or rejected.
        reason: why it was rejected, to what it was linked, or what else its uploader should know,
            in words; None where there is nothing to say.
        case_id: its case; None where rejected.
    """

    name: str
    outcome: ItemOutcome
    reason: str | None
    case_id: int | None


@dataclass(frozen=True)
class BatchProgress:
    """How far an upload is.

    Attributes:
        batch_id: number of the upload.
        created_at: when, in UTC.
        finished: whether all its files are dealt with; False for ever where that was broken off.
        files: files it brought, archives' members counted.
        received: of them stored as new images.
        linked: of them known before.
        rejected: of them refused.
        scored: images of it that are scored.
        failed: images of it that failed for good.
        waiting: images of it still to score.
        seconds_left: estimate; None while there is nothing to estimate from, 0 when done.
    """

    batch_id: int
    created_at: datetime
    finished: bool
    files: int
    received: int
    linked: int
    rejected: int
    scored: int
    failed: int
    waiting: int
    seconds_left: float | None
