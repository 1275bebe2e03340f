"""What the model has still to look at, who is at it, and what came of it.

An image in state ``queued`` is to be scored. Whoever takes it holds a lease: a name, and a time
until which nobody else may take it. A lease that ran out, because its holder was killed or hangs,
is as good as none. Results are taken from the holder alone, so that each image is scored once. An
image with a time but without a holder went wrong, and is not to be tried again before then.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.orm import Session

from core.store.statements import rows_changed
from core.store.tables import AnalysisRow, ImageRow, ScanRow
from core.types import ScanFinding, ScoringState, TumourClass

_QUEUED, _SCORED, _FAILED = (str(ScoringState(name)) for name in ("queued", "scored", "failed"))


@dataclass(frozen=True)
class ClaimedImage:
    """An image to score, held by whoever claimed it.

    Attributes:
        id: its row.
        content_key: its file's bytes in the file store.
        frame: which picture of the file; 0 where it holds one.
        is_slice: whether it is a slice of a series, and not a picture of its own.
        spacing_mm: millimetres between rows and between columns, where known.
        attempts: how often it was taken, this time included.
    """

    id: int
    content_key: str
    frame: int
    is_slice: bool
    spacing_mm: tuple[float, float] | None
    attempts: int


@dataclass(frozen=True)
class NewAnalysis:
    """What one model version says of one image, its pictures stored already.

    Attributes:
        finding: what triage looks at.
        decision_threshold: tumour probability from which a tumour is suspected.
        ood_score: out-of-distribution score; higher is stranger.
        mask_key: the mask in the file store.
        heat_map_keys: the heat map of each class in the file store.
        thumbnail_key: the small picture with the overlay in the file store.
        elapsed_ms: time spent on the image.
    """

    finding: ScanFinding
    decision_threshold: float
    ood_score: float
    mask_key: str
    heat_map_keys: dict[TumourClass, str]
    thumbnail_key: str
    elapsed_ms: float


def claim(
    session: Session,
    *,
    owner: str,
    limit: int,
    attempts_allowed: int,
    until: float,
    now: float,
) -> list[ClaimedImage]:
    """Take the most urgent images that nobody holds; each taking counts as an attempt.

    An image that was tried before is taken alone, and so is one that has a single attempt: should
    it bring down the process, it takes no others with it.

    Args:
        session: a transaction; the images are held once it is committed.
        owner: who takes them.
        limit: at most so many.
        attempts_allowed: images that were taken so often are left, see ``exhausted``.
        until: end of the lease.
        now: seconds since 1970.
    """
    free = (
        select(ImageRow)
        .where(_claimable(now), ImageRow.attempts < attempts_allowed)
        .order_by(ImageRow.queue_rank.desc(), ImageRow.id)
        .limit(limit)
        # On SQLite a transaction that writes is alone anyway.
        .with_for_update(skip_locked=True)
    )
    rows = list(session.scalars(free))
    if rows and (rows[0].attempts > 0 or attempts_allowed == 1):
        rows = rows[:1]
    else:
        rows = [row for row in rows if row.attempts == 0]
    for row in rows:
        row.lease_owner, row.lease_until = owner, until
        row.attempts += 1
    session.flush()
    taken = [row.id for row in rows]
    slices = set(
        session.scalars(
            select(ScanRow.image_id).where(
                ScanRow.image_id.in_(taken), ScanRow.series_id.is_not(None)
            )
        )
    )
    return [
        ClaimedImage(
            row.id, row.content_key, row.frame, row.id in slices, _spacing(row), row.attempts
        )
        for row in rows
    ]


def extend(session: Session, owner: str, image_ids: Collection[int], until: float) -> None:
    """Hold images for longer; those that the owner has lost stay lost."""
    held = select(ImageRow.id).where(ImageRow.id.in_(image_ids), _held(owner))
    # Locked in the order of all transactions: the owner may be finishing the same images.
    locked = session.scalars(held.order_by(ImageRow.id).with_for_update(key_share=True)).all()
    session.execute(update(ImageRow).where(ImageRow.id.in_(locked)).values(lease_until=until))


def finish(session: Session, image_id: int, owner: str, analysis: NewAnalysis, now: float) -> bool:
    """Record what the model says of an image, if the owner still holds it.

    Returns:
        False where the owner has lost it; then nothing was written.
    """
    if not _let_go(session, image_id, owner, state=_SCORED, failure=None):
        return False
    finding = analysis.finding
    known = select(AnalysisRow.id).where(
        AnalysisRow.image_id == image_id, AnalysisRow.model_version == finding.model_version
    )
    if session.scalar(known) is None:
        session.add(
            AnalysisRow(
                image_id=image_id,
                model_version=finding.model_version,
                probabilities={str(name): p for name, p in finding.probabilities.items()},
                predicted=str(finding.predicted),
                tumour_probability=finding.tumour_probability,
                suspected=finding.suspected,
                decision_threshold=analysis.decision_threshold,
                lesion=None if finding.lesion is None else asdict(finding.lesion),
                ood_score=analysis.ood_score,
                in_distribution=finding.in_distribution,
                kind=str(finding.kind),
                mask_key=analysis.mask_key,
                heat_map_keys={str(name): key for name, key in analysis.heat_map_keys.items()},
                thumbnail_key=analysis.thumbnail_key,
                elapsed_ms=analysis.elapsed_ms,
                created_at=now,
            )
        )
        session.flush()
    return True


def fail(session: Session, image_id: int, owner: str, reason: str) -> bool:
    """Give an image up for good, if the owner still holds it; says whether it did.

    Args:
        session: a transaction.
        image_id: the image.
        owner: who holds it.
        reason: why, in words for a clinician.
    """
    return _let_go(session, image_id, owner, state=_FAILED, failure=reason)


def try_later(session: Session, image_id: int, owner: str, not_before: float) -> bool:
    """Put an image that went wrong back for another attempt, if the owner still holds it."""
    return _let_go(session, image_id, owner, lease_until=not_before)


def give_back(session: Session, image_ids: Collection[int], owner: str) -> None:
    """Put images back that the owner has not begun with; their attempt does not count."""
    for image_id in sorted(image_ids):
        _let_go(session, image_id, owner, attempts=ImageRow.attempts - 1)


def exhausted(session: Session, *, attempts_allowed: int, now: float) -> list[int]:
    """Images whose holder vanished at their last attempt."""
    query = select(ImageRow.id).where(_claimable(now), ImageRow.attempts >= attempts_allowed)
    return list(session.scalars(query.order_by(ImageRow.id)))


def fail_exhausted(
    session: Session, image_id: int, *, attempts_allowed: int, reason: str, now: float
) -> bool:
    """Give one of those up; says whether it still was one.

    Args:
        session: a transaction.
        image_id: the image.
        attempts_allowed: how often an image is tried.
        reason: why, in words for a clinician.
        now: seconds since 1970.
    """
    result = session.execute(
        update(ImageRow)
        .where(ImageRow.id == image_id, _claimable(now), ImageRow.attempts >= attempts_allowed)
        .values(state=_FAILED, failure=reason, lease_owner=None, lease_until=None)
    )
    return rows_changed(result) == 1


def requeue_failed(session: Session, image_id: int) -> bool:
    """Put an image that was given up back to the queue; says whether it was given up."""
    result = session.execute(
        update(ImageRow)
        .where(ImageRow.id == image_id, ImageRow.state == _FAILED)
        .values(state=_QUEUED, attempts=0, failure=None, lease_owner=None, lease_until=None)
    )
    return rows_changed(result) == 1


def has_claimable(session: Session, now: float) -> bool:
    """Whether there is anything to claim or to give up. Only reads."""
    return bool(session.scalar(select(exists().where(_claimable(now)))))


def waiting_count(session: Session) -> int:
    """Images that the model has still to look at, those that a worker holds included."""
    query = select(func.count()).select_from(ImageRow).where(ImageRow.state == _QUEUED)
    return session.scalar(query) or 0


def waits_in_vain(session: Session, *, since: float, now: float) -> bool:
    """Whether images wait although nobody works: none is held and none was scored lately.

    Args:
        session: reading will do.
        since: waiting for less long, and working after that, does not count; seconds since 1970.
        now: seconds since 1970.
    """
    at_work = exists().where(
        ImageRow.state == _QUEUED, ImageRow.lease_owner.is_not(None), ImageRow.lease_until > now
    )
    scored = exists().where(AnalysisRow.created_at > since)
    waits = exists().where(_claimable(now), ImageRow.received_at < since)
    return bool(session.scalar(select(waits & ~at_work & ~scored)))


def _claimable(now: float) -> ColumnElement[bool]:
    free = or_(ImageRow.lease_until.is_(None), ImageRow.lease_until <= now)
    return (ImageRow.state == _QUEUED) & free


def _held(owner: str) -> ColumnElement[bool]:
    return (ImageRow.state == _QUEUED) & (ImageRow.lease_owner == owner)


def _let_go(session: Session, image_id: int, owner: str, **values: object) -> bool:
    """End the owner's lease with changed values; False where it has lost it."""
    result = session.execute(
        update(ImageRow)
        .where(ImageRow.id == image_id, _held(owner))
        .values(**{"lease_owner": None, "lease_until": None, **values})
    )
    return rows_changed(result) == 1


def _spacing(row: ImageRow) -> tuple[float, float] | None:
    if row.spacing_row_mm is None or row.spacing_column_mm is None:
        return None
    return row.spacing_row_mm, row.spacing_column_mm
