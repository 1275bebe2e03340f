"""The worklist: its pages and counters, who reads what, and its export."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from sqlalchemy.orm import Session

from core.config import Settings
from core.errors import ConflictError
from core.reports import tables
from core.services.installation import Installation, now
from core.services.ranking import rerank
from core.store import studies
from core.store.audit import log_action
from core.store.counters import counters as stored_counters
from core.store.locking import changing
from core.store.worklist import worklist_page as stored_page
from core.triage.queueing import rate_per_second
from core.triage.words import duration
from core.types import (
    CaseStatus,
    CaseSummary,
    Reader,
    Reason,
    WorklistCounters,
    WorklistPage,
    WorklistQuery,
)

__all__ = [
    "assign",
    "cases_csv",
    "counters",
    "take",
    "thumbnail",
    "worklist_csv",
    "worklist_page",
]

_LARGEST_PAGE = 200
# Points of waiting below this have not moved a case among the others.
_WORTH_SAYING = 1.0


def worklist_page(installation: Installation, query: WorklistQuery) -> WorklistPage:
    """One page of the worklist, as of now; the time waited is among the reasons.

    Raises:
        InputError: the query asks for too many cases, or its cursor is not one of its order.
    """
    with installation.database.reading() as session:
        return _page(session, installation.settings, query, now())


def counters(installation: Installation) -> WorklistCounters:
    """The figures on top of the worklist, as of now."""
    with installation.database.reading() as session:
        return stored_counters(session, now())


def thumbnail(installation: Installation, key: str) -> bytes:
    """The small picture of a scan with the outlined region, as PNG.

    Args:
        installation: where the picture is.
        key: ``thumbnail_key`` of a case.

    Raises:
        StoreError: it is absent or damaged.
    """
    return installation.files.get(key)


def take(installation: Installation, reader: Reader, case_id: int) -> None:
    """Assign a case of nobody's to the reader who asks for it.

    Raises:
        InputError: there is no such case.
        ConflictError: somebody else was faster, or the case is reported. Nothing was written.
    """
    at = now()
    with installation.database.transaction() as session:
        case = _locked_case(session, installation.settings, case_id, at)
        if case.status is CaseStatus.REPORTED:
            raise ConflictError(f"Case {case_id} is reported by now, so nobody needs to read it.")
        if case.assignee is not None and case.assignee.id != reader.id:
            raise ConflictError(
                f"{case.assignee.name} took case {case_id} before you. To take it over, select it "
                "and assign it to yourself."
            )
        _assign_one(session, installation.settings, reader, case, reader, at)


def assign(
    installation: Installation,
    reader: Reader,
    case_ids: Collection[int],
    assignee: Reader | None,
) -> int:
    """Assign cases, whoever has them now. A reported case stays with whoever reported it.

    Args:
        installation: where the cases are.
        reader: who assigns; the log names them.
        case_ids: the cases.
        assignee: who is to read them; None for nobody: a case in review is new again then.

    Returns:
        How many cases changed hands.

    Raises:
        InputError: there is no such case. Nothing was written.
    """
    at = now()
    changed = 0
    with installation.database.transaction() as session:
        # In the order of their numbers: two who assign the same cases wait, and not crosswise.
        for case_id in sorted(set(case_ids)):
            case = _locked_case(session, installation.settings, case_id, at)
            if case.status is not CaseStatus.REPORTED:
                changed += _assign_one(session, installation.settings, reader, case, assignee, at)
    return changed


def worklist_csv(installation: Installation, reader: Reader, query: WorklistQuery) -> bytes:
    """Every case that a query finds, on all its pages, as a table for spreadsheets.

    Args:
        installation: where the cases are.
        reader: who exports; the log names them.
        query: filters and order; ``limit`` and ``after`` are not used.
    """
    with installation.database.reading() as session:
        cases = list(_all_pages(session, installation.settings, query, now()))
    return _exported(installation, reader, cases)


def cases_csv(installation: Installation, reader: Reader, case_ids: Collection[int]) -> bytes:
    """Chosen cases as a table for spreadsheets, most urgent first.

    Args:
        installation: where the cases are.
        reader: who exports; the log names them.
        case_ids: the cases.

    Raises:
        InputError: there is no such case.
    """
    at = now()
    with installation.database.reading() as session:
        cases = [_case(session, installation.settings, case_id, at) for case_id in set(case_ids)]
    return _exported(installation, reader, sorted(cases, key=lambda case: -case.score))


def _exported(installation: Installation, reader: Reader, cases: list[CaseSummary]) -> bytes:
    table = tables.worklist_csv(cases)
    with installation.database.transaction() as session:
        log_action(
            session,
            action="exported",
            text=f"Table of {len(cases)} case{'' if len(cases) == 1 else 's'} exported",
            now=now(),
            user_id=reader.id,
        )
    return table


def _assign_one(
    session: Session,
    settings: Settings,
    reader: Reader,
    case: CaseSummary,
    assignee: Reader | None,
    at: float,
) -> bool:
    """Assign a case and write it down; False where it is in those hands already."""
    before = case.assignee
    if (before and before.id) == (assignee and assignee.id):
        return False
    studies.set_assignee(session, case.id, assignee.id if assignee else None)
    if assignee is None and case.status is CaseStatus.IN_REVIEW:
        studies.set_status(session, case.id, CaseStatus.NEW, now=at)
        # A case of which nothing could be analysed is failed again, not new.
        rerank(session, settings, case.id, at)
    text = f"Assigned to {assignee.name}" if assignee else "Given back: nobody's case now"
    if before is not None:
        text += f", before {before.name}'s"
    log_action(session, action="assigned", text=text, now=at, user_id=reader.id, study_id=case.id)
    return True


def _all_pages(
    session: Session, settings: Settings, query: WorklistQuery, at: float
) -> Iterator[CaseSummary]:
    """Every case once, though one whose priority changes meanwhile may be met on two pages."""
    seen: set[int] = set()
    query = replace(query, limit=_LARGEST_PAGE, after=None)
    while True:
        page = _page(session, settings, query, at)
        yield from (case for case in page.rows if case.id not in seen)
        seen.update(case.id for case in page.rows)
        if page.cursor is None:
            return
        query = replace(query, after=page.cursor)


def _page(session: Session, settings: Settings, query: WorklistQuery, at: float) -> WorklistPage:
    rules = settings.priority
    page = stored_page(session, query, at, rate_per_second(rules), rules.amber_share)
    return replace(page, rows=tuple(_with_waiting(case, settings) for case in page.rows))


def _case(session: Session, settings: Settings, case_id: int, at: float) -> CaseSummary:
    rules = settings.priority
    case = studies.get_case(session, case_id, at, rate_per_second(rules), rules.amber_share)
    return _with_waiting(case, settings)


def _locked_case(session: Session, settings: Settings, case_id: int, at: float) -> CaseSummary:
    """A case that nobody else changes before the transaction ends."""
    with changing(session, case_id):
        pass
    return _case(session, settings, case_id, at)


def _with_waiting(case: CaseSummary, settings: Settings) -> CaseSummary:
    """A case with the time it has waited among its reasons: that too is why it stands there."""
    points = rate_per_second(settings.priority) * case.waited_minutes * 60
    if case.status is CaseStatus.REPORTED or points < _WORTH_SAYING:
        return case
    waited = Reason("waited", f"Waited {duration(case.waited_minutes)}", points)
    reasons = sorted((*case.reasons, waited), key=lambda reason: -reason.points)
    return replace(case, reasons=tuple(reasons))
