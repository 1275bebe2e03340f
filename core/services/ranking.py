"""Where a case stands: recomputed from its rows whenever one of them has changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy.orm import Session

from core.config import PriorityRules, Settings
from core.services import slice_order
from core.services.slice_order import Rank, in_order, speaker
from core.store import audit, images, studies
from core.store.locking import changing
from core.store.series import get_series
from core.store.standings import Standing, standings
from core.triage.priority import case_priority
from core.triage.queueing import rate_per_second
from core.triage.volumes import series_name
from core.types import CaseStatus, ScanFinding, ScoringState

__all__ = ["ONE_LINE_SECONDS", "place_cases", "rerank"]

# What happens to slices of one series within so many seconds is one line of the history.
ONE_LINE_SECONDS = 3600


def rerank(session: Session, settings: Settings, study_id: int, now: float) -> None:
    """Put a case where its scans, its request and its reader's correction say it belongs.

    Sets the status to failed where no scan was or will be scored, and back to new where one is.
    In a transaction call it after whatever locks images, see ``images.find_or_create_images``.
    """
    rate = rate_per_second(settings.priority)
    with changing(session, study_id):
        pass  # Locked from here on: two workers at two of its scans would overlook each other.
    scans = standings(session, study_id)
    case = studies.get_case(session, study_id, now, rate, settings.priority.amber_share)
    count = {state: sum(scan.state is state for scan in scans) for state in ScoringState}
    voices, standing_out = _voices(scans, settings.priority)
    priority = case_priority(
        voices,
        failed=count[ScoringState.FAILED],
        waiting=count[ScoringState.QUEUED],
        requested=case.requested,
        rules=settings.priority,
        urgency=case.urgency,
        standing_out=standing_out,
    )
    leading = None
    if priority.leading is not None:
        scan = scans[priority.leading]
        if scan.finding is not None and scan.thumbnail_key is not None:
            leading = studies.LeadingScan(scan.scan_id, scan.finding, scan.thumbnail_key)
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
    session: Session,
    settings: Settings,
    image_ids: Sequence[int],
    now: float,
    *,
    action: str,
    scan_text: str,
    slice_text: str,
) -> None:
    """Re-rank every case that holds one of some images, and note in its history what happened.

    Args:
        session: a transaction.
        settings: for the rules of priority.
        image_ids: the images, which are locked.
        now: seconds since 1970.
        action: stable name of what happened.
        scan_text: that, of one picture; a line each.
        slice_text: that, of slices of a series; a line a series and hour.
    """
    held: dict[int, Counter[int | None]] = {}
    for image_id in image_ids:
        for study_id, series_id in images.places_of_image(session, image_id):
            held.setdefault(study_id, Counter())[series_id] += 1
    for study_id in sorted(held):
        rerank(session, settings, study_id, now)
        for series_id, count in held[study_id].items():
            if series_id is None:
                for _ in range(count):
                    audit.log_action(
                        session, action=action, text=scan_text, now=now, study_id=study_id
                    )
                continue
            found = get_series(session, series_id)
            name = series_name(found.sequence, found.plane, found.number)
            audit.log_once(
                session, action=action, text=f"{slice_text}: {name}", now=now,
                since=now - ONE_LINE_SECONDS, study_id=study_id,
            )  # fmt: skip


def _voices(
    scans: Sequence[Standing], rules: PriorityRules
) -> tuple[list[ScanFinding | None], list[ScanFinding]]:
    """The findings that count, and those of slices that stand out from their series.

    The former are of each picture, and of one slice a series; None for the other scans.
    """
    standing_out: list[ScanFinding] = []
    voices: list[ScanFinding | None] = [scan.finding for scan in scans]
    stacks: dict[int, list[int]] = {}
    for index, scan in enumerate(scans):
        if scan.series_id is not None:
            stacks.setdefault(scan.series_id, []).append(index)
            voices[index] = None
    ranks = [Rank(one.position_mm, one.taken, one.frame, one.scan_id) for one in scans]
    for stack in stacks.values():
        ordered = in_order(stack, ranks.__getitem__)
        findings = [scans[index].finding for index in ordered]
        chosen = speaker(findings, [ranks[index] for index in ordered], rules)
        if chosen is not None:
            voices[ordered[chosen]] = findings[chosen]
        odd = slice_order.standing_out(findings, chosen, rules)
        if odd is not None and (found := findings[odd]) is not None:
            standing_out.append(found)
    return voices, standing_out
