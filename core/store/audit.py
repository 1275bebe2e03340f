"""The audit log: who did what, when. Only ever added to."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.store.rows import clean, reader_from, utc
from core.store.tables import AuditRow, StudyRow, UserRow
from core.triage.words import account_name
from core.types import HistoryEntry

_SYSTEM = "system"


def log_action(
    session: Session,
    *,
    action: str,
    text: str,
    now: float,
    user_id: int | None = None,
    study_id: int | None = None,
) -> None:
    """Add a line; after the change it tells of, in the same transaction.

    Args:
        session: a transaction.
        action: stable name, such as ``decision``.
        text: what happened, in words that also tell a reader whose view is out of date.
        now: seconds since 1970.
        user_id: whose doing it was; None for what no person did.
        study_id: the case, where it concerns one.
    """
    study = None if study_id is None else session.get_one(StudyRow, study_id)
    session.add(
        AuditRow(
            at=now,
            user_id=user_id,
            study_id=study_id,
            study_version=None if study is None else study.version,
            action=action,
            text=clean(text),
        )
    )
    session.flush()


def log_once(
    session: Session,
    *,
    action: str,
    text: str,
    now: float,
    since: float,
    study_id: int,
    user_id: int | None = None,
) -> None:
    """Add a line as :func:`log_action` does, unless the case has the same one already.

    Slices come by the hundred and each is stored by itself: a line for each would leave a history
    that nobody can read. The case has to be locked.

    Args:
        session: a transaction.
        action: stable name.
        text: what happened, the same for all slices of a series.
        now: seconds since 1970.
        since: a line from before then does not count.
        study_id: the case.
        user_id: whose doing it was; None for what no person did.
    """
    said = select(AuditRow.id).where(
        AuditRow.study_id == study_id,
        AuditRow.at >= since,
        AuditRow.action == action,
        AuditRow.text == clean(text),
        AuditRow.user_id.is_not_distinct_from(user_id),
    )
    if session.scalars(said.limit(1)).first() is None:
        log_action(session, action=action, text=text, now=now, user_id=user_id, study_id=study_id)


def history(session: Session, study_id: int) -> list[HistoryEntry]:
    """What happened to a case, oldest first."""
    return _entries(session, study_id, since_version=-1, limit=None)


def first_since(session: Session, study_id: int, version: int) -> HistoryEntry | None:
    """What made a version of a case out of date; None where nobody wrote it down."""
    found = _entries(session, study_id, since_version=version, limit=1)
    return found[0] if found else None


def _entries(
    session: Session, study_id: int, *, since_version: int, limit: int | None
) -> list[HistoryEntry]:
    rows = session.execute(
        select(AuditRow, UserRow)
        .outerjoin(UserRow, UserRow.id == AuditRow.user_id)
        .where(AuditRow.study_id == study_id, AuditRow.study_version > since_version)
        .order_by(AuditRow.id)
        .limit(limit)
    )
    return [
        HistoryEntry(at=utc(row.at), who=_who(user), action=row.action, text=row.text)
        for row, user in rows
    ]


def _who(user: UserRow | None) -> str:
    return _SYSTEM if user is None else account_name(reader_from(user))
