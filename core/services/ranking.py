"""Where a case stands: recomputed from its rows whenever one of them has changed."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.config import Settings
from core.store import audit, images, studies
from core.store.locking import changing
from core.triage.priority import case_priority
from core.triage.queueing import rate_per_second
from core.types import CaseStatus, ScoringState

__all__ = ["place_cases", "rerank"]


def rerank(session: Session, settings: Settings, study_id: int, now: float) -> None:
    """Put a case where its scans, its request and its reader's correction say it belongs.

    Sets the status to failed where no scan was or will be scored, and back to new where one is.
    In a transaction call it after whatever locks images, see ``images.find_or_create_image``.
    """
    rate = rate_per_second(settings.priority)
    with changing(session, study_id):
        pass  # Locked from here on: two workers at two of its scans would overlook each other.
    scans = images.scans_of_study(session, study_id)
    case = studies.get_case(session, study_id, now, rate, settings.priority.amber_share)
    count = {state: sum(scan.state is state for scan in scans) for state in ScoringState}
    priority = case_priority(
        [scan.analysis.finding if scan.analysis else None for scan in scans],
        failed=count[ScoringState.FAILED],
        waiting=count[ScoringState.QUEUED],
        requested=case.requested,
        rules=settings.priority,
        urgency=case.urgency,
    )
    leading = None
    if priority.leading is not None:
        scan = scans[priority.leading]
        leading = studies.LeadingScan(scan.id, scan.analysis.finding, scan.analysis.thumbnail_key)
    hopeless = count[ScoringState.FAILED] == len(scans) > 0 and priority.leading is None
    status = None
    if hopeless and case.status is CaseStatus.NEW:
        status = CaseStatus.FAILED
    elif not hopeless and case.status is CaseStatus.FAILED:
        status = CaseStatus.NEW
    studies.set_priority(
        session,
        study_id,
        priority,
        leading,
        rate,
        scan_count=len(scans),
        scored_count=count[ScoringState.SCORED],
        failed_count=count[ScoringState.FAILED],
        status=status,
    )


def place_cases(
    session: Session, settings: Settings, image_id: int, now: float, *, action: str, text: str
) -> None:
    """Re-rank every case that holds an image, and note in its history what happened."""
    for study_id in sorted(images.studies_of_image(session, image_id)):
        rerank(session, settings, study_id, now)
        audit.log_action(session, action=action, text=text, now=now, study_id=study_id)
