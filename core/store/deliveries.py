"""The outbox: results of series that came by the node, on their way back to an archive.

A row in state ``queued`` is to be sent. Whoever takes it holds a lease, as with images that wait
for the model, so that of several nodes one sends. Sending twice does no harm: results carry the
same UIDs each time, and an archive keeps them once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Row, Select, case, exists, func, or_, select, update
from sqlalchemy.orm import Session

from core.store.statements import lots, rows_changed
from core.store.tables import AnalysisRow, DeliveryRow, ImageRow, ScanRow, SeriesRow
from core.store.upsert import insert_new
from core.types import ScoringState

_QUEUED, _SENT, _FAILED = "queued", "sent", "failed"
_NODE = "node"
# Slices wait no longer for the model; more would have all that ever came looked through each time.
_LONGEST_WAIT_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class FinishedSeries:
    """A series of which every slice is settled.

    Attributes:
        id: its row.
        study_id: the case.
        model_version: of the newest analysis; None where no slice could be analysed.
        settled_at: when the last slice came or was analysed, in seconds since 1970.
    """

    id: int
    study_id: int
    model_version: str | None
    settled_at: float


@dataclass(frozen=True)
class Delivery:
    """Results to send, held by whoever took them.

    Attributes:
        id: its row.
        series_id: whose results.
        study_id: the case.
        study_uid: UID of the study, as the archive knows it.
        series_number: number of the series in its study; None where there is none.
        model_version: what made the results.
        attempts: how often it was taken, this time included.
        created_at: when it was put into the outbox, in seconds since 1970.
    """

    id: int
    series_id: int
    study_id: int
    study_uid: str
    series_number: int | None
    model_version: str
    attempts: int
    created_at: float


def candidates(session: Session, since: float) -> set[int]:
    """Series of the node that may have results to send, by number.

    They are those that were never in the outbox, those analysed lately, and those to which slices
    came since: the model may have failed at the last of them.

    Args:
        session: reading will do.
        since: analyses before that do not count as late; seconds since 1970.
    """
    new = select(SeriesRow.id).where(
        SeriesRow.origin == _NODE, ~exists().where(DeliveryRow.series_id == SeriesRow.id)
    )
    analysed = (
        select(SeriesRow.id)
        .distinct()
        .join(ScanRow, ScanRow.series_id == SeriesRow.id)
        .join(AnalysisRow, AnalysisRow.image_id == ScanRow.image_id)
        .where(SeriesRow.origin == _NODE, AnalysisRow.created_at > since)
    )
    put_in = select(DeliveryRow.series_id, func.max(DeliveryRow.created_at).label("at"))
    put_in = put_in.group_by(DeliveryRow.series_id).subquery()
    grown = (
        select(SeriesRow.id)
        .distinct()
        .join(ScanRow, ScanRow.series_id == SeriesRow.id)
        .join(put_in, put_in.c.series_id == SeriesRow.id)
        .where(SeriesRow.origin == _NODE, ScanRow.received_at > put_in.c.at)
        .where(ScanRow.received_at > since - _LONGEST_WAIT_SECONDS)
    )
    return {*session.scalars(new), *session.scalars(analysed), *session.scalars(grown)}


def finished(
    session: Session, series_ids: Collection[int], quiet_since: float
) -> list[FinishedSeries]:
    """Those of some series of which no slice waits for the model and none came lately.

    Args:
        session: reading will do.
        series_ids: where to look.
        quiet_since: the last slice came before that; seconds since 1970.
    """
    waits = func.max(case((ImageRow.state == str(ScoringState.QUEUED), 1), else_=0))
    received, analysed = func.max(ScanRow.received_at), func.max(AnalysisRow.created_at)
    query: Select = (
        select(ScanRow.series_id, ScanRow.study_id, received, analysed, func.max(AnalysisRow.id))
        .join(ImageRow, ImageRow.id == ScanRow.image_id)
        .outerjoin(AnalysisRow, AnalysisRow.image_id == ImageRow.id)
        .group_by(ScanRow.series_id, ScanRow.study_id)
        .having(waits == 0, received <= quiet_since)
        .order_by(ScanRow.series_id)
    )
    rows: list[Row] = []
    versions: dict[int, str] = {}
    for some in lots(sorted(series_ids)):
        rows += session.execute(query.where(ScanRow.series_id.in_(some)))
    for some in lots([row[4] for row in rows if row[4] is not None]):
        found = select(AnalysisRow.id, AnalysisRow.model_version).where(AnalysisRow.id.in_(some))
        versions |= {number: version for number, version in session.execute(found)}
    return [
        FinishedSeries(series_id, study_id, versions.get(last), max(received_at, analysed_at or 0))
        for series_id, study_id, received_at, analysed_at, last in rows
    ]


def put(
    session: Session, series_id: int, model_version: str, settled_at: float, now: float
) -> bool:
    """Put the results of a series into the outbox, again where it changed since.

    Args:
        session: a transaction.
        series_id: whose results.
        model_version: what made them.
        settled_at: when the series last changed; seconds since 1970.
        now: seconds since 1970.

    Returns:
        False where they are there or were sent already.
    """
    values = {
        "series_id": series_id,
        "model_version": model_version,
        "state": _QUEUED,
        "attempts": 0,
        "next_at": now,
        "created_at": now,
    }
    if insert_new(session, DeliveryRow, values, unique=("series_id", "model_version")):
        return True
    result = session.execute(
        update(DeliveryRow)
        .where(
            DeliveryRow.series_id == series_id,
            DeliveryRow.model_version == model_version,
            DeliveryRow.created_at < settled_at,
            _free(now),
        )
        .values(state=_QUEUED, attempts=0, next_at=now, created_at=now, error=None, sent_at=None)
    )
    return rows_changed(result) == 1


def put_nothing(session: Session, series_id: int, reason: str, now: float) -> bool:
    """Note that a series has no results to send; False where that is noted already."""
    values = {
        "series_id": series_id,
        "model_version": "",
        "state": _FAILED,
        "attempts": 0,
        "next_at": now,
        "created_at": now,
        "error": reason,
    }
    return insert_new(session, DeliveryRow, values, unique=("series_id", "model_version"))


def take(session: Session, owner: str, until: float, now: float) -> Delivery | None:
    """Take the results that wait longest and that nobody holds; None where there are none.

    Args:
        session: a transaction; they are held once it is committed.
        owner: who takes them.
        until: end of the lease, in seconds since 1970.
        now: seconds since 1970.
    """
    row = session.scalars(
        select(DeliveryRow)
        .where(DeliveryRow.state == _QUEUED, DeliveryRow.next_at <= now, _free(now))
        .order_by(DeliveryRow.next_at, DeliveryRow.id)
        .limit(1)
        # On SQLite a transaction that writes is alone anyway.
        .with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return None
    row.lease_owner, row.lease_until = owner, until
    row.attempts += 1
    session.flush()
    series = session.get_one(SeriesRow, row.series_id)
    return Delivery(
        id=row.id,
        series_id=series.id,
        study_id=series.study_id,
        study_uid=series.study_uid,
        series_number=series.number,
        model_version=row.model_version,
        attempts=row.attempts,
        created_at=row.created_at,
    )


def finish(session: Session, delivery_id: int, owner: str, now: float) -> bool:
    """Note that results were sent, if the owner still holds them; says whether it did."""
    return _let_go(session, delivery_id, owner, state=_SENT, sent_at=now, error=None)


def try_later(
    session: Session, delivery_id: int, owner: str, reason: str, not_before: float
) -> bool:
    """Put results back that could not be sent, if the owner still holds them."""
    return _let_go(session, delivery_id, owner, error=reason, next_at=not_before)


def give_up(session: Session, delivery_id: int, owner: str, reason: str) -> bool:
    """Send results no more, if the owner still holds them; says whether it did."""
    return _let_go(session, delivery_id, owner, state=_FAILED, error=reason)


def requeue_failed(session: Session, now: float) -> int:
    """Put everything that was given up back into the outbox; says how much that was."""
    result = session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.state == _FAILED, DeliveryRow.model_version != "")
        .values(state=_QUEUED, attempts=0, next_at=now, created_at=now, error=None)
    )
    return rows_changed(result)


def _free(now: float) -> object:
    return or_(DeliveryRow.lease_until.is_(None), DeliveryRow.lease_until <= now)


def _let_go(session: Session, delivery_id: int, owner: str, **values: object) -> bool:
    result = session.execute(
        update(DeliveryRow)
        .where(
            DeliveryRow.id == delivery_id,
            DeliveryRow.state == _QUEUED,
            DeliveryRow.lease_owner == owner,
        )
        .values(lease_owner=None, lease_until=None, **values)
    )
    return rows_changed(result) == 1
