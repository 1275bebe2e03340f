"""Cases: how they come about, change and are read. Every change keeps the counters right."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.store.counters import apply_change, state_of
from core.store.locking import changing, find_study
from core.store.rows import clean, folded_reference, reasons_to_json, summary_from, utc
from core.store.tables import StudyRow, UserRow
from core.store.upsert import insert_new
from core.types import (
    CaseStatus,
    CaseSummary,
    Priority,
    RequestedPriority,
    ScanFinding,
    StudyDetails,
)

_BY_URGENCY = (RequestedPriority.ROUTINE, RequestedPriority.URGENT, RequestedPriority.EMERGENCY)


@dataclass(frozen=True)
class LeadingScan:
    """The scan that decided a case's priority, as the worklist shows it.

    Attributes:
        scan_id: its row.
        finding: what the model says of it.
        thumbnail_key: picture with the overlay, in the file store.
    """

    scan_id: int
    finding: ScanFinding
    thumbnail_key: str


def find_or_create_study(
    session: Session,
    *,
    study_key: str,
    details: StudyDetails,
    priority: Priority,
    rate_per_second: float,
    now: float,
) -> tuple[int, bool]:
    """The case with that key, made where there is none.

    Where there is one, it takes from ``details`` what it did not know yet, and the more urgent of
    the two requests; compute its priority again then. It is locked either way.

    Args:
        session: a transaction.
        study_key: what makes it one case: the same key, the same case.
        details: what the sender says of it.
        priority: of a new case.
        rate_per_second: points that a second of waiting adds.
        now: receipt, in seconds since 1970.

    Returns:
        Its number, and whether it was made.
    """
    reference = None if details.patient_reference is None else clean(details.patient_reference)
    values = {
        "study_key": study_key,
        "patient_reference": reference,
        "reference_folded": None if reference is None else folded_reference(reference),
        "study_date": details.study_date,
        "site": None if details.site is None else clean(details.site),
        "indication": None if details.indication is None else clean(details.indication),
        "requested": str(details.requested),
        "received_at": now,
        "due_at": now + priority.target_minutes * 60,
        "status": str(CaseStatus.NEW),
        "open": True,
        "flagged": priority.flagged,
        "version": 1,
        "round": 1,
        "score": priority.score,
        "rank_key": priority.score - rate_per_second * now,
        "band": str(priority.band),
        "reasons": reasons_to_json(priority.reasons),
        "scan_count": 0,
        "scored_count": 0,
        "failed_count": 0,
    }
    created = insert_new(session, StudyRow, values, unique=("study_key",))
    study_id = session.execute(
        select(StudyRow.id).where(StudyRow.study_key == study_key)
    ).scalar_one()
    if created:
        apply_change(session, None, state_of(session.get_one(StudyRow, study_id)))
        return study_id, True
    supplement(session, study_id, details)
    return study_id, False


def supplement(session: Session, study_id: int, details: StudyDetails) -> None:
    """Take from details what a case does not know yet, and the more urgent of the two requests.

    Compute its priority again then. A case with a patient reference keeps its study date, or its
    lack of one: it is part of what the case is known by.

    Raises:
        InputError: there is no such case.
    """
    with changing(session, study_id) as study:
        if study.study_date is None and study.patient_reference is None:
            study.study_date = details.study_date
        if study.site is None and details.site is not None:
            study.site = clean(details.site)
        if study.indication is None and details.indication is not None:
            study.indication = clean(details.indication)
        study.requested = str(
            max(RequestedPriority(study.requested), details.requested, key=_BY_URGENCY.index)
        )


def set_priority(
    session: Session,
    study_id: int,
    priority: Priority,
    leading: LeadingScan | None,
    rate_per_second: float,
    *,
    scan_count: int,
    scored_count: int,
    failed_count: int,
    status: CaseStatus | None = None,
) -> None:
    """Write what triage found, and what the worklist shows of it.

    Args:
        session: a transaction.
        study_id: the case.
        priority: its urgency at receipt.
        leading: the scan that decided; None while none is scored.
        rate_per_second: points that a second of waiting adds.
        scan_count: scans of the case.
        scored_count: of them scored.
        failed_count: of them failed for good.
        status: where it stands now; None where that stays as it is.
    """
    with changing(session, study_id) as study:
        study.score = priority.score
        study.rank_key = priority.score - rate_per_second * study.received_at
        study.due_at = study.received_at + priority.target_minutes * 60
        study.band = str(priority.band)
        study.reasons = reasons_to_json(priority.reasons)
        study.flagged = priority.flagged
        study.scan_count = scan_count
        study.scored_count = scored_count
        study.failed_count = failed_count
        if status is not None:
            study.status = str(status)
        _show_leading(study, leading)


def _show_leading(study: StudyRow, leading: LeadingScan | None) -> None:
    finding = None if leading is None else leading.finding
    lesion = None if finding is None else finding.lesion
    study.leading_scan_id = None if leading is None else leading.scan_id
    study.thumbnail_key = None if leading is None else leading.thumbnail_key
    study.predicted = None if finding is None else str(finding.predicted)
    study.probability = None if finding is None else finding.probabilities[finding.predicted]
    study.tumour_probability = None if finding is None else finding.tumour_probability
    study.model_version = None if finding is None else finding.model_version
    study.lesion = None if lesion is None else asdict(lesion)
    study.lesion_fraction = None if lesion is None else lesion.area_fraction


def set_status(
    session: Session,
    study_id: int,
    status: CaseStatus,
    *,
    now: float,
    expected_version: int | None = None,
) -> None:
    """Move a case on; a reported one waits no longer.

    Raises:
        InputError: there is no such case.
        ConflictError: the case has another version by now.
    """
    with changing(session, study_id, expected_version=expected_version) as study:
        move(study, status, now)


def move(study: StudyRow, status: CaseStatus, now: float) -> None:
    """Set the status of a case that is being changed."""
    study.status = str(status)
    if status is not CaseStatus.REPORTED:
        study.reported_at = None
    elif study.reported_at is None:
        study.reported_at = now


def set_assignee(
    session: Session, study_id: int, assignee_id: int | None, *, expected_version: int | None = None
) -> None:
    """Make it a reader's case, or nobody's. Raises what :func:`set_status` raises."""
    with changing(session, study_id, expected_version=expected_version) as study:
        study.assignee_id = assignee_id


def set_urgency(
    session: Session, study_id: int, urgency: RequestedPriority, *, expected_version: int
) -> None:
    """Correct the urgency; compute the priority then. Raises what :func:`set_status` raises."""
    with changing(session, study_id, expected_version=expected_version) as study:
        study.urgency = str(urgency)


def reopen(session: Session, study_id: int, rate_per_second: float, now: float) -> None:
    """Begin another round of a case, because a scan came after the report. It waits anew."""
    with changing(session, study_id) as study:
        study.due_at += now - study.received_at
        study.rank_key = study.score - rate_per_second * now
        study.received_at = now
        study.round += 1
        move(study, CaseStatus.NEW, now)


def get_case(
    session: Session, study_id: int, now: float, rate_per_second: float, amber_share: float
) -> CaseSummary:
    """A case as the worklist shows it.

    Args:
        session: reading will do.
        study_id: the case.
        now: the moment to show, in seconds since 1970.
        rate_per_second: points that a second of waiting adds.
        amber_share: share of the target from which waiting is ``DUE_SOON``.

    Raises:
        InputError: there is no such case.
    """
    study = find_study(session, study_id)
    assignee = None if study.assignee_id is None else session.get(UserRow, study.assignee_id)
    return summary_from(study, assignee, now, rate_per_second, amber_share)


def case_details(session: Session, study_id: int) -> StudyDetails:
    """What the sender said of a case."""
    study = find_study(session, study_id)
    return StudyDetails(
        patient_reference=study.patient_reference,
        study_date=study.study_date,
        site=study.site,
        indication=study.indication,
        requested=RequestedPriority(study.requested),
    )


def study_version(session: Session, study_id: int) -> int:
    """The version that a reader has before them."""
    return find_study(session, study_id).version


def study_round(session: Session, study_id: int) -> int:
    """The round whose readings count: 1, and one more each time the case was reopened."""
    return find_study(session, study_id).round


def earlier_studies(session: Session, study_id: int) -> list[int]:
    """Earlier cases of the same patient reference, newest first.

    The day of the examination decides, or that of the receipt where it is not known.
    """
    study = find_study(session, study_id)
    if study.reference_folded is None:
        return []
    others = session.execute(
        select(StudyRow.study_date, StudyRow.received_at, StudyRow.id).where(
            StudyRow.reference_folded == study.reference_folded
        )
    )
    ages = sorted((_age(*other) for other in others), reverse=True)
    own = _age(study.study_date, study.received_at, study.id)
    return [number for _, _, number in ages[ages.index(own) + 1 :]]


def _age(study_date: date | None, received_at: float, study_id: int) -> tuple[date, float, int]:
    return study_date or utc(received_at).date(), received_at, study_id
