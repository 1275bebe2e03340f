"""Uploads: which files came, what became of each, and how far their scoring is."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.errors import InputError
from core.store.rows import clean, is_row_number, utc
from core.store.tables import AnalysisRow, BatchItemRow, BatchRow, ImageRow, ScanRow
from core.types import BatchItem, BatchProgress, ItemOutcome, ScoringState

_NAME_LENGTH = 400
# The pace is measured over so many seconds: long enough for several batches of the model.
_PACE_SECONDS = 60


def create_batch(session: Session, user_id: int, now: float) -> int:
    """A new upload of an account."""
    row = BatchRow(user_id=user_id, created_at=now)
    session.add(row)
    session.flush()
    return row.id


def finish_batch(session: Session, batch_id: int, now: float) -> None:
    """Note that every file of an upload is stored or refused."""
    _batch(session, batch_id).finished_at = now


def add_item(
    session: Session,
    batch_id: int,
    name: str,
    outcome: ItemOutcome,
    reason: str | None,
    scan_id: int | None,
) -> int:
    """Note a file of an upload, and what became of it; gives the number of the note.

    Args:
        session: a transaction.
        batch_id: the upload.
        name: that the list calls the file by; not its own, which may say who the patient is.
        outcome: what became of it.
        reason: why, in words; None for a received one.
        scan_id: its scan, the first of several; None where rejected.
    """
    row = BatchItemRow(
        batch_id=batch_id,
        name=clean(name)[:_NAME_LENGTH],
        outcome=str(outcome),
        reason=None if reason is None else clean(reason),
        scan_id=scan_id,
    )
    session.add(row)
    session.flush()
    return row.id


def items(session: Session, batch_id: int) -> list[BatchItem]:
    """The files of an upload, in the order they came."""
    rows = session.execute(
        select(BatchItemRow, ScanRow.study_id)
        .outerjoin(ScanRow, ScanRow.id == BatchItemRow.scan_id)
        .where(BatchItemRow.batch_id == batch_id)
        .order_by(BatchItemRow.id)
    )
    return [
        BatchItem(row.name, ItemOutcome(row.outcome), row.reason, study_id)
        for row, study_id in rows
    ]


def owner(session: Session, batch_id: int) -> int:
    """The account that made an upload.

    Raises:
        InputError: there is no such upload.
    """
    return _batch(session, batch_id).user_id


def recent(session: Session, user_id: int, limit: int) -> list[int]:
    """An account's uploads, newest first."""
    query = (
        select(BatchRow.id)
        .where(BatchRow.user_id == user_id)
        .order_by(BatchRow.created_at.desc(), BatchRow.id.desc())
        .limit(limit)
    )
    return list(session.scalars(query))


def progress(session: Session, batch_id: int, now: float) -> BatchProgress:
    """How far an upload is.

    Args:
        session: reading will do.
        batch_id: the upload.
        now: seconds since 1970.

    Raises:
        InputError: there is no such upload.
    """
    batch = _batch(session, batch_id)
    outcomes = dict(
        session.execute(
            select(BatchItemRow.outcome, func.count())
            .where(BatchItemRow.batch_id == batch_id)
            .group_by(BatchItemRow.outcome)
        ).all()
    )
    # A file that came twice in one upload counts once, but all its images do.
    files = (
        select(ImageRow.content_key)
        .join(ScanRow, ScanRow.image_id == ImageRow.id)
        .join(BatchItemRow, BatchItemRow.scan_id == ScanRow.id)
        .where(BatchItemRow.batch_id == batch_id)
    )
    states = {
        state: (count, lowest)
        for state, count, lowest in session.execute(
            select(ImageRow.state, func.count(), func.min(ImageRow.queue_rank))
            .where(ImageRow.content_key.in_(files))
            .group_by(ImageRow.state)
        )
    }
    waiting, lowest_rank = states.get(ScoringState.QUEUED, (0, 0.0))
    return BatchProgress(
        batch_id=batch_id,
        created_at=utc(batch.created_at),
        finished=batch.finished_at is not None,
        files=sum(outcomes.values()),
        received=outcomes.get(ItemOutcome.RECEIVED, 0),
        linked=outcomes.get(ItemOutcome.LINKED, 0),
        rejected=outcomes.get(ItemOutcome.REJECTED, 0),
        scored=states.get(ScoringState.SCORED, (0, 0.0))[0],
        failed=states.get(ScoringState.FAILED, (0, 0.0))[0],
        waiting=waiting,
        seconds_left=_seconds_left(session, batch.created_at, lowest_rank, now) if waiting else 0.0,
    )


def _seconds_left(
    session: Session, created_at: float, lowest_rank: float, now: float
) -> float | None:
    """Images that go first, those of other uploads included, at the pace of the last minute."""
    since = max(created_at, now - _PACE_SECONDS)
    done = session.scalar(select(func.count()).where(AnalysisRow.created_at >= since))
    if not done or now <= since:
        return None
    ahead = session.scalar(
        select(func.count()).where(
            ImageRow.state == ScoringState.QUEUED, ImageRow.queue_rank >= lowest_rank
        )
    )
    return ahead * (now - since) / done


def _batch(session: Session, batch_id: int) -> BatchRow:
    batch = session.get(BatchRow, batch_id) if is_row_number(batch_id) else None
    if batch is None:
        raise InputError(f"There is no upload with the number {batch_id}.")
    return batch
