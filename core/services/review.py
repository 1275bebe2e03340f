"""Reading a case: what readers see of it, decide and write.

Looking at a case changes nothing. It becomes a reader's own with the first decision, or before
that where they say so. Everything done is in the audit log with the account.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.errors import InputError, RuleError
from core.services.installation import Installation, now
from core.services.review_rules import (
    DecisionInput,
    assignee_after,
    decision_in_words,
    refuse_repetition,
)
from core.services.review_view import (
    CaseView,
    EarlierCase,
    as_readings,
    case_view,
    readings_of,
    summary_of,
)
from core.services.scoring import rerank
from core.store import audit, presence, reviews, studies, worklist
from core.store.images import StoredScan
from core.triage.reading import missing_for_report, status_after
from core.triage.words import REQUESTED_NAMES
from core.types import CaseStatus, Reader, Reading, RequestedPriority, TumourClass

__all__ = [
    "NOTE_LENGTH",
    "CaseView",
    "DecisionInput",
    "EarlierCase",
    "StoredScan",
    "add_note",
    "after_saving",
    "correct_urgency",
    "decide",
    "look_again",
    "next_case",
    "open_case",
    "start_review",
]

NOTE_LENGTH = 2000
# A reader who comes back within this time is still at it: the history says "opened" once.
_ONE_VISIT_SECONDS = 900


def open_case(installation: Installation, reader: Reader, case_id: int) -> CaseView:
    """Open a case: others see that the reader has it open, and the history says so.

    Raises:
        InputError: there is no such case.
    """
    at = now()
    with installation.database.transaction() as session:
        summary_of(session, installation.settings, case_id, at)
        since = at - _ONE_VISIT_SECONDS
        known = {one.id for one in presence.present_readers(session, case_id, since)}
        presence.touch_presence(session, case_id, reader.id, at)
        if reader.id not in known:
            _log(session, reader, case_id, "opened", "Opened", at)
        return case_view(session, installation.settings, reader, case_id, at)


def look_again(installation: Installation, reader: Reader, case_id: int) -> CaseView:
    """Read an open case once more.

    Raises:
        InputError: there is no such case.
    """
    with installation.database.reading() as session:
        return case_view(session, installation.settings, reader, case_id, now())


def start_review(
    installation: Installation, reader: Reader, case_id: int, version: int
) -> CaseView:
    """Make a case the reader's own, and say that it is being read.

    Raises:
        ConflictError: somebody changed the case since ``version``. Nothing was written.
        RuleError: the case is reported.
    """
    at = now()
    with installation.database.transaction() as session:
        case = summary_of(session, installation.settings, case_id, at)
        if case.status is CaseStatus.REPORTED:
            raise RuleError(
                "This case is reported. To correct the report, save another reading below."
            )
        studies.set_assignee(session, case_id, reader.id, expected_version=version)
        if case.status in (CaseStatus.NEW, CaseStatus.FAILED):
            studies.set_status(session, case_id, CaseStatus.IN_REVIEW, now=at)
        before = f", who took over from {case.assignee.name}" if case.assignee else ""
        _log(session, reader, case_id, "started", f"Review started by {reader.name}{before}", at)
        return case_view(session, installation.settings, reader, case_id, at)


def add_note(installation: Installation, reader: Reader, case_id: int, text: str) -> CaseView:
    """Write a note. Notes never conflict: they stand beside each other.

    Raises:
        InputError: the note is empty or longer than ``NOTE_LENGTH`` characters.
    """
    text = _note_text(text)
    if not text:
        raise InputError("The note is empty. Please write something first.")
    at = now()
    with installation.database.transaction() as session:
        _write_note(session, reader, case_id, text, at)
        return case_view(session, installation.settings, reader, case_id, at)


def correct_urgency(
    installation: Installation,
    reader: Reader,
    case_id: int,
    version: int,
    urgency: RequestedPriority,
    note: str = "",
) -> CaseView:
    """Move a case up or down without reading it.

    Args:
        installation: where the case is.
        reader: who corrects it.
        case_id: the case.
        version: the version the reader had before them.
        urgency: what it is to be.
        note: written to the case as well; empty for none.

    Raises:
        ConflictError: somebody changed the case since ``version``. Nothing was written.
        InputError: the note is too long.
    """
    note = _note_text(note)
    settings, at = installation.settings, now()
    with installation.database.transaction() as session:
        studies.set_urgency(session, case_id, urgency, expected_version=version)
        rerank(session, settings, case_id, at)
        text = f"Urgency corrected to {REQUESTED_NAMES[urgency].lower()}"
        _log(session, reader, case_id, "urgency", text, at)
        if note:
            _write_note(session, reader, case_id, note, at)
        return case_view(session, settings, reader, case_id, at)


def decide(
    installation: Installation, reader: Reader, case_id: int, version: int, given: DecisionInput
) -> CaseView:
    """Record a reader's decision, and move the case to where the rules of reading put it.

    Args:
        installation: where the case is.
        reader: who decides.
        case_id: the case.
        version: the version the reader had before them.
        given: the decision.

    Raises:
        ConflictError: somebody changed the case since ``version``. Nothing was written.
        RuleError: the reader has read the case just so already; nobody is their own second reader.
        InputError: the note is too long.
    """
    note = _note_text(given.note)
    settings, at = installation.settings, now()
    with installation.database.transaction() as session:
        case = summary_of(session, settings, case_id, at)
        readings = readings_of(session, case_id)
        urgency = None if given.urgency is (case.urgency or case.requested) else given.urgency
        # Who looks at an old version is told so first: the rules depend on what changed.
        if case.version == version:
            refuse_repetition(case, readings, reader, given, urgency)
        after = status_after(
            [*as_readings(readings), Reading(reader.id, given.finding, given.asks_second)],
            second_reader_for_glioma=settings.second_reader_for_glioma,
        )
        decision = reviews.add_decision(
            session,
            study_id=case_id,
            reader_id=reader.id,
            finding=given.finding,
            urgency=urgency,
            mask_wrong=given.mask_wrong,
            asks_second=given.asks_second,
            status_after=after,
            expected_version=version,
            now=at,
        )
        studies.set_assignee(session, case_id, assignee_after(case, reader, after))
        if urgency is not None:
            rerank(session, settings, case_id, at)
        _log(session, reader, case_id, "decision", decision_in_words(decision), at)
        if note:
            _write_note(session, reader, case_id, note, at)
        return case_view(session, settings, reader, case_id, at)


def after_saving(
    installation: Installation, reader: Reader, view: CaseView, finding: TumourClass, asks: bool
) -> str | None:
    """What a report would still lack if the reader decided so, in words; None where nothing.

    Args:
        installation: for its rules of reading.
        reader: who would decide.
        view: the case as the reader sees it.
        finding: the class they would give.
        asks: whether they would ask for a second reader.
    """
    return missing_for_report(
        [*as_readings(view.readings), Reading(reader.id, finding, asks)],
        second_reader_for_glioma=installation.settings.second_reader_for_glioma,
    )


def next_case(
    installation: Installation, reader: Reader, exclude: frozenset[int] = frozenset()
) -> int | None:
    """The most urgent open case that this reader can bring forward; None where there is none.

    Cases of other readers are left to them, and so are those that wait for a reader other than
    this one.

    Args:
        installation: where to look.
        reader: who asks.
        exclude: cases to pass over.
    """
    with installation.database.reading() as session:
        return worklist.next_case(session, exclude=exclude, reader_id=reader.id)


def _note_text(text: str) -> str:
    text = text.strip()
    if len(text) > NOTE_LENGTH:
        raise InputError(
            f"The note has {len(text)} characters; at most {NOTE_LENGTH} are kept. "
            "Please shorten it, or write two."
        )
    return text


def _write_note(session: Session, reader: Reader, case_id: int, text: str, at: float) -> None:
    reviews.add_note(session, study_id=case_id, reader_id=reader.id, text=text, now=at)
    first = " ".join(text.split())
    shown = first if len(first) <= 80 else f"{first[:79]}…"
    _log(session, reader, case_id, "note", f"Note: {shown}", at)


def _log(session: Session, reader: Reader, case_id: int, action: str, text: str, at: float) -> None:
    audit.log_action(session, action=action, text=text, now=at, user_id=reader.id, study_id=case_id)
