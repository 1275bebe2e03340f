"""Everything a reader has before them when a case is open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from core.config import Settings
from core.services.review_change import SizeChange, size_change
from core.store import audit, images, reviews, studies
from core.store.images import StoredScan
from core.triage.queueing import rate_per_second
from core.triage.reading import missing_for_report
from core.types import (
    CaseStatus,
    CaseSummary,
    Decision,
    HistoryEntry,
    Note,
    Reader,
    Reading,
    StudyDetails,
)

# More than anybody compares; a reference used by mistake for many patients must not stop the page.
_MOST_EARLIER = 10


@dataclass(frozen=True)
class EarlierCase:
    """A case of the same patient reference that was made before this one.

    Attributes:
        id: number of the case.
        made_on: day of the examination, or of the receipt where that is not known.
        status: where it stands.
        decision: the last one; None where there is none.
        scan: the one to compare with.
        change: size of the lesion since then.
    """

    id: int
    made_on: date
    status: CaseStatus
    decision: Decision | None
    scan: StoredScan
    change: SizeChange


@dataclass(frozen=True)
class CaseView:
    """A case as its page shows it.

    Attributes:
        summary: the row of the worklist; its ``version`` goes back with a decision.
        details: what the sender said.
        scans: in the order of their receipt.
        leading: index of the scan to open with: the one that decided the priority.
        measured: index of the scan whose lesion is compared with earlier cases.
        readings: decisions of the present round, oldest first: those that count.
        own: the reader's own latest of them; None where there is none.
        missing: what a report still lacks, in words; None where the case is reported.
        notes: oldest first.
        history: who did what, oldest first.
        earlier: of the same patient reference, newest first.
    """

    summary: CaseSummary
    details: StudyDetails
    scans: tuple[StoredScan, ...]
    leading: int
    measured: int
    readings: tuple[Decision, ...]
    own: Decision | None
    missing: str | None
    notes: tuple[Note, ...]
    history: tuple[HistoryEntry, ...]
    earlier: tuple[EarlierCase, ...]


def case_view(
    session: Session, settings: Settings, reader: Reader, case_id: int, now: float
) -> CaseView:
    """Read a case.

    Args:
        session: reading will do.
        settings: rules of the priority and of the reading.
        reader: whose own decision is looked for.
        case_id: the case.
        now: the moment to show, in seconds since 1970.

    Raises:
        InputError: there is no such case.
    """
    summary = summary_of(session, settings, case_id, now)
    scans = tuple(images.scans_of_study(session, case_id))
    readings = readings_of(session, case_id)
    own = [one for one in readings if one.reader.id == reader.id]
    measured = _largest_lesion(scans)
    reported = summary.status is CaseStatus.REPORTED
    return CaseView(
        summary=summary,
        details=studies.case_details(session, case_id),
        scans=scans,
        leading=_leading(summary, scans),
        measured=measured,
        readings=readings,
        own=own[-1] if own else None,
        missing=None if reported else missing_in(readings, settings),
        notes=tuple(reviews.notes(session, case_id)),
        history=tuple(audit.history(session, case_id)),
        earlier=tuple(
            _earlier(session, settings, scans[measured], other, now)
            for other in studies.earlier_studies(session, case_id)[:_MOST_EARLIER]
        ),
    )


def summary_of(session: Session, settings: Settings, case_id: int, now: float) -> CaseSummary:
    """A case as a row of the worklist."""
    rules = settings.priority
    return studies.get_case(session, case_id, now, rate_per_second(rules), rules.amber_share)


def readings_of(session: Session, case_id: int) -> tuple[Decision, ...]:
    """The decisions of a case's present round, oldest first."""
    return tuple(reviews.decisions(session, case_id, studies.study_round(session, case_id)))


def as_readings(decisions: tuple[Decision, ...]) -> list[Reading]:
    """Decisions as the rules of reading see them."""
    return [Reading(one.reader.id, one.finding, one.asks_second) for one in decisions]


def missing_in(decisions: tuple[Decision, ...], settings: Settings) -> str | None:
    """What a report still lacks after these decisions, in words."""
    return missing_for_report(
        as_readings(decisions), second_reader_for_glioma=settings.second_reader_for_glioma
    )


def _leading(summary: CaseSummary, scans: tuple[StoredScan, ...]) -> int:
    """The scan whose picture the worklist shows."""
    for index, scan in enumerate(scans):
        if scan.analysis and scan.analysis.thumbnail_key == summary.thumbnail_key:
            return index
    return 0


def _largest_lesion(scans: tuple[StoredScan, ...]) -> int:
    """The scan with the largest masked share of the head; an analysed one before one that is not.

    Of slices through one lesion, the one that cuts it at its largest is measured.
    """

    def size(index: int) -> float:
        analysis = scans[index].analysis
        if analysis is None:
            return -1.0
        lesion = analysis.finding.lesion
        return lesion.area_fraction if lesion else 0.0

    return max(range(len(scans)), key=size)


def _earlier(
    session: Session, settings: Settings, scan: StoredScan, case_id: int, now: float
) -> EarlierCase:
    summary = summary_of(session, settings, case_id, now)
    scans = tuple(images.scans_of_study(session, case_id))
    alike = tuple(
        one
        for one in scans
        if one.analysis
        and scan.analysis
        and one.analysis.finding.kind is scan.analysis.finding.kind
    )
    candidates = alike or scans
    chosen = candidates[_largest_lesion(candidates)]
    readings = readings_of(session, case_id)
    return EarlierCase(
        id=case_id,
        made_on=summary.study_date or summary.received_at.date(),
        status=summary.status,
        decision=readings[-1] if readings else None,
        scan=chosen,
        change=size_change(
            chosen.analysis.finding if chosen.analysis else None,
            scan.analysis.finding if scan.analysis else None,
        ),
    )
