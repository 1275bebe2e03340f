"""Uploads: each file is stored, becomes a scan of a case, and waits for the model.

A file counts as received once its bytes lie in the file store and its rows in the database, in that
order. A program killed in between leaves a file without a row, which does no harm; a row without a
file cannot arise. The same upload sent again is recognised by the content of its pictures.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from core.errors import InputError, RuleError, StoreError
from core.imaging import decode
from core.imaging.identity import without_identity
from core.services.arrivals import FAULT, Arrival, Upload, arrivals
from core.services.details import check_details, one_line
from core.services.installation import Installation, now
from core.services.intake import Intake
from core.services.ranking import rerank
from core.store import audit, batches, images, scoring
from core.types import (
    BatchItem,
    BatchProgress,
    ItemOutcome,
    Reader,
    ScoringState,
    StudyDetails,
)

__all__ = [
    "Upload",
    "batch_items",
    "batch_progress",
    "check_details",
    "recent_batches",
    "retry_batch",
    "retry_failed",
    "submit",
]

log = logging.getLogger(__name__)

# Often enough that scoring starts while the rest is still being stored.
_FILES_BETWEEN_HINTS = 50
_LONGEST_NAME = 400


def submit(
    installation: Installation,
    reader: Reader,
    uploads: Iterable[Upload],
    details: StudyDetails,
    on_item: Callable[[BatchItem], None] | None = None,
) -> BatchProgress:
    """Store uploaded files and have them scored. One file is held in memory at a time.

    Args:
        installation: where to.
        reader: the account that uploads.
        uploads: pictures and ZIP archives of pictures; read as they are needed.
        details: what the sender says of all of them.
        on_item: called after each file that is stored, recognised or refused.

    Returns:
        The batch. A file that cannot be used is in it, refused with its reason; the others go on.

    Raises:
        InputError: the details cannot be used; nothing is stored.
    """
    details = check_details(details)
    with installation.database.transaction() as session:
        batch_id = batches.create_batch(session, reader.id, now())
    try:
        for count, arrival in enumerate(arrivals(uploads, installation.settings.upload), start=1):
            item = _take_in(installation, reader, batch_id, arrival, details)
            if on_item is not None:
                on_item(item)
            if count % _FILES_BETWEEN_HINTS == 0:
                installation.queue.wake()
        with installation.database.transaction() as session:
            batches.finish_batch(session, batch_id, now())
    finally:
        installation.queue.wake()
    return batch_progress(installation, batch_id)


def batch_progress(installation: Installation, batch_id: int) -> BatchProgress:
    """How far a batch is."""
    with installation.database.reading() as session:
        return batches.progress(session, batch_id, now())


def recent_batches(
    installation: Installation, reader: Reader, limit: int = 5
) -> list[BatchProgress]:
    """A reader's own batches, the newest first."""
    with installation.database.reading() as session:
        at = now()
        return [
            batches.progress(session, batch_id, at)
            for batch_id in batches.recent(session, reader.id, limit)
        ]


def batch_items(installation: Installation, reader: Reader, batch_id: int) -> list[BatchItem]:
    """The files of a batch, for its uploader: their names may say who the patient is.

    Raises:
        RuleError: somebody else uploaded it.
    """
    with installation.database.reading() as session:
        if batches.owner(session, batch_id) != reader.id:
            raise RuleError("Only the reader who sent an upload may see the names of its files.")
        return batches.items(session, batch_id)


def retry_failed(installation: Installation, reader: Reader, case_id: int) -> int:
    """Have the failed scans of a case scored once more.

    Returns:
        How many there were.
    """
    with installation.database.transaction() as session:
        scans = images.scans_of_study(session, case_id)
        # In the order of their numbers, then the cases in theirs: so lock all transactions.
        failed = sorted(scan.image_id for scan in scans if scan.state is ScoringState.FAILED)
        for image_id in failed:
            scoring.requeue_failed(session, image_id)
        at = now()
        # Other cases may hold the same pictures.
        for study_id in sorted({s for i in failed for s in images.studies_of_image(session, i)}):
            rerank(session, installation.settings, study_id, at)
        if failed:
            scans_failed = "1 failed scan" if len(failed) == 1 else f"{len(failed)} failed scans"
            text = f"{scans_failed} sent to the model again"
            audit.log_action(
                session, action="retry", text=text, now=at, user_id=reader.id, study_id=case_id
            )
    if failed:
        installation.queue.wake()
    return len(failed)


def retry_batch(installation: Installation, reader: Reader, batch_id: int) -> int:
    """Have the failed scans of the cases of a batch scored once more.

    Returns:
        How many there were.

    Raises:
        RuleError: somebody else uploaded it.
    """
    items = batch_items(installation, reader, batch_id)
    cases = sorted({item.case_id for item in items if item.case_id is not None})
    return sum(retry_failed(installation, reader, case_id) for case_id in cases)


def _take_in(
    installation: Installation,
    reader: Reader,
    batch_id: int,
    arrival: Arrival,
    details: StudyDetails,
) -> BatchItem:
    """Store one file, or list it with the reason why not."""
    name = _clean_name(arrival.name)
    problem = arrival.problem
    if arrival.data is not None:
        try:
            data = without_identity(arrival.data)
            scan = decode(data)
            key = installation.files.put(data)
            with installation.database.transaction() as session:
                intake = Intake(session, installation.settings, reader, batch_id, details)
                return intake.link(name, key, scan)
        except InputError as error:
            problem = str(error)
        except StoreError as error:
            log.exception("A file of upload %d could not be stored", batch_id)
            problem = f"The file could not be stored; please send it again. {error}"
        except Exception:
            # Without the name: it may say who the patient is.
            log.exception("A file of upload %d could not be stored", batch_id)
            problem = FAULT
    with installation.database.transaction() as session:
        batches.add_item(session, batch_id, name, ItemOutcome.REJECTED, problem, None)
    return BatchItem(name, ItemOutcome.REJECTED, problem, None)


def _clean_name(name: str) -> str:
    """A file's name as it is listed; a long one keeps its beginning and its end."""
    line = one_line(name) or "(without a name)"
    if len(line) <= _LONGEST_NAME:
        return line
    half = (_LONGEST_NAME - 1) // 2
    return f"{line[:half]}…{line[-half:]}"
