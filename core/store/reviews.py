"""Readers' decisions and notes. Only ever added to."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.store.locking import changing
from core.store.rows import clean, reader_from, utc
from core.store.studies import move
from core.store.tables import DecisionRow, NoteRow, UserRow
from core.store.users import get_user
from core.types import CaseStatus, Decision, Note, Reader, RequestedPriority, TumourClass


def add_decision(
    session: Session,
    *,
    study_id: int,
    reader_id: int,
    finding: TumourClass,
    urgency: RequestedPriority | None,
    mask_wrong: bool,
    asks_second: bool,
    status_after: CaseStatus,
    expected_version: int,
    now: float,
) -> Decision:
    """Record a decision, and move the case to where it stands afterwards.

    Compute the priority again where the urgency was corrected.

    Args:
        session: a transaction.
        study_id: the case.
        reader_id: who decides.
        finding: the class the reader gives.
        urgency: what the reader corrects the urgency to; None leaves it.
        mask_wrong: whether the reader marks the mask as wrong.
        asks_second: whether the reader asks for a second reader.
        status_after: where the case stands with this decision, see ``core.triage.reading``.
        expected_version: the version the reader had before them.
        now: seconds since 1970.

    Raises:
        InputError: there is no such case or reader.
        ConflictError: the case has another version by now. Nothing is recorded.
    """
    reader = get_user(session, reader_id)
    # A decision is news to every other reader, also where the status stays as it was.
    with changing(session, study_id, expected_version=expected_version, news=True) as study:
        row = DecisionRow(
            study_id=study_id,
            reader_id=reader_id,
            finding=str(finding),
            model_finding=study.predicted,
            model_version=study.model_version,
            urgency=None if urgency is None else str(urgency),
            mask_wrong=mask_wrong,
            asks_second=asks_second,
            status_after=str(status_after),
            study_version=expected_version,
            round=study.round,
            decided_at=now,
        )
        if urgency is not None:
            study.urgency = str(urgency)
        move(study, status_after, now)
    session.add(row)
    session.flush()
    return _decision(row, reader)


def decisions(session: Session, study_id: int, round: int | None = None) -> list[Decision]:
    """The decisions on a case, oldest first; those of one round, or of all."""
    query = (
        select(DecisionRow, UserRow)
        .join(UserRow, UserRow.id == DecisionRow.reader_id)
        .where(DecisionRow.study_id == study_id)
        .order_by(DecisionRow.id)
    )
    if round is not None:
        query = query.where(DecisionRow.round == round)
    return [_decision(row, reader_from(user)) for row, user in session.execute(query)]


def add_note(session: Session, *, study_id: int, reader_id: int, text: str, now: float) -> Note:
    """Record a note. The case's version rises: other readers should know it before they decide.

    Raises:
        InputError: there is no such case or reader.
    """
    reader = get_user(session, reader_id)
    with changing(session, study_id, news=True):
        row = NoteRow(study_id=study_id, reader_id=reader_id, text=clean(text), written_at=now)
    session.add(row)
    session.flush()
    return _note(row, reader)


def notes(session: Session, study_id: int) -> list[Note]:
    """The notes on a case, oldest first."""
    rows = session.execute(
        select(NoteRow, UserRow)
        .join(UserRow, UserRow.id == NoteRow.reader_id)
        .where(NoteRow.study_id == study_id)
        .order_by(NoteRow.id)
    )
    return [_note(row, reader_from(user)) for row, user in rows]


def _decision(row: DecisionRow, reader: Reader) -> Decision:
    return Decision(
        id=row.id,
        reader=reader,
        finding=TumourClass(row.finding),
        model_finding=None if row.model_finding is None else TumourClass(row.model_finding),
        model_version=row.model_version,
        urgency=None if row.urgency is None else RequestedPriority(row.urgency),
        mask_wrong=row.mask_wrong,
        asks_second=row.asks_second,
        status_after=CaseStatus(row.status_after),
        decided_at=utc(row.decided_at),
    )


def _note(row: NoteRow, reader: Reader) -> Note:
    return Note(id=row.id, reader=reader, text=row.text, written_at=utc(row.written_at))
