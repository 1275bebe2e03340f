"""Uploads: each file is stored, becomes a scan of a case, and waits for the model.

A file counts as received once its bytes lie in the file store and its rows in the database, in that
order. A program killed in between leaves a file without a row, which does no harm; a row without a
file cannot arise. The same upload sent again is recognised by the content of its pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from core.errors import RuleError
from core.services.arrivals import Upload, arrivals
from core.services.batch import Batch
from core.services.details import check_details
from core.services.installation import Installation, now
from core.services.intake import Intake
from core.services.ranking import rerank
from core.services.receipt import take_file
from core.store import audit, batches, images, scoring
from core.types import BatchItem, BatchProgress, Reader, ScoringState, StudyDetails

__all__ = [
    "Upload",
    "batch_items",
    "batch_progress",
    "check_details",
    "receive",
    "recent_batches",
    "retry_batch",
    "retry_failed",
    "submit",
]

# Often enough that scoring starts while the rest is still being stored.
_FILES_BETWEEN_HINTS = 50


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
        uploads: pictures, DICOM and NIfTI files, and ZIP archives of them; read as they are
            needed.
        details: what the sender says of all of them.
        on_item: called after each file that is stored, recognised or refused, with the file's own
            name. Names may say who the patient is and are stored nowhere.

    Returns:
        The batch. A file that cannot be used is in it, refused with its reason; the others go on.

    Raises:
        InputError: the details cannot be used; nothing is stored.
    """
    details = check_details(details)
    with installation.database.transaction() as session:
        batch_id = batches.create_batch(session, reader.id, now())
    batch = Batch(installation, reader, details, batch_id)
    try:
        for count, arrival in enumerate(arrivals(uploads, installation.settings.upload), start=1):
            item = batch.take_in(arrival, count)
            if item is not None and on_item is not None:
                on_item(item)
            if count % _FILES_BETWEEN_HINTS == 0:
                installation.queue.wake()
        last = batch.finish()
        if last is not None and on_item is not None:
            on_item(last)
    finally:
        installation.queue.wake()
    return batch_progress(installation, batch_id)


def receive(
    installation: Installation, reader: Reader, data: bytes, *, keep_uids: bool
) -> BatchItem:
    """Store one DICOM object that came over the network, and have it scored.

    Objects may come in several threads and processes at once.

    Args:
        installation: where to.
        reader: the account that stands for the network in the history of cases.
        data: the object as a file.
        keep_uids: whether its UIDs stay, so that results can be filed beside it.

    Returns:
        What became of it, without a name. Its file and rows are stored for good by then.

    Raises:
        InputError: it cannot be used; the text says why.
        StoreError: it could not be stored; the sender should send it again later.
    """
    file = take_file(installation, data, keep_uids=keep_uids)
    with installation.database.transaction() as session:
        item = Intake(session, installation, reader, StudyDetails()).link("", "", file)
    installation.queue.wake()
    return item


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
    """The files of a batch, for its uploader, by their numbers instead of their names.

    Raises:
        RuleError: somebody else uploaded it.
    """
    with installation.database.reading() as session:
        if batches.owner(session, batch_id) != reader.id:
            raise RuleError("Only the reader who sent an upload may see the list of its files.")
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
