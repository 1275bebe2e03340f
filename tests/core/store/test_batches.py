"""An upload knows its files and how far the model is with them."""

from datetime import UTC, datetime

import pytest

from core.errors import InputError
from core.store import batches, images, scoring
from core.types import BatchItem, BatchProgress, ItemOutcome
from tests.core.store.made_up import NOW, add_case, add_image, add_reader, finding, link, score


def _batch(session, now=NOW):
    return batches.create_batch(session, add_reader(session, "Ada").id, now)


def _receive(session, batch_id, outcome=ItemOutcome.RECEIVED, image_id=None, rank=0.0):
    """A file with a case and an image of its own, or with an image that is known."""
    image_id = image_id or add_image(session, queue_rank=rank)
    study_id = add_case(session)
    scan_id, _ = link(session, study_id, image_id, NOW)
    batches.add_item(session, batch_id, "file.png", outcome, None, scan_id)
    return image_id, study_id


def test_files_are_listed_in_their_order_with_what_became_of_them(installation):
    with installation.database.transaction() as session:
        batch_id = _batch(session)
        _, study_id = _receive(session, batch_id)
        batches.add_item(session, batch_id, "b.txt", ItemOutcome.REJECTED, "No picture.", None)
        batches.add_item(session, _batch(session), "other.png", ItemOutcome.REJECTED, "x", None)
    with installation.database.reading() as session:
        assert batches.items(session, batch_id) == [
            BatchItem("file.png", ItemOutcome.RECEIVED, None, study_id),
            BatchItem("b.txt", ItemOutcome.REJECTED, "No picture.", None),
        ]


def test_a_name_of_any_length_and_kind_is_kept(installation):
    with installation.database.transaction() as session:
        batch_id = _batch(session)
        for name in ("x" * 1000, "a\x00b\udc80.png", "Ünï <b>.png"):
            batches.add_item(session, batch_id, name, ItemOutcome.REJECTED, "\x00?", None)
        found = [item.name for item in batches.items(session, batch_id)]
    assert found == ["x" * 400, "ab?.png", "Ünï <b>.png"]


def test_an_empty_upload_is_done(installation):
    with installation.database.transaction() as session:
        batch_id = _batch(session)
        found = batches.progress(session, batch_id, NOW + 5)
    at = datetime.fromtimestamp(NOW, UTC)
    assert found == BatchProgress(batch_id, at, False, *[0] * 7, seconds_left=0.0)


def test_progress_counts_files_by_outcome_and_images_by_state(installation):
    with installation.database.transaction() as session:
        batch_id = _batch(session)
        done, _ = _receive(session, batch_id)
        failed, _ = _receive(session, batch_id)
        waiting, _ = _receive(session, batch_id)
        _receive(session, batch_id, ItemOutcome.LINKED, waiting)  # the same picture twice
        batches.add_item(session, batch_id, "b.txt", ItemOutcome.REJECTED, "No picture.", None)
        assert batches.progress(session, batch_id, NOW + 5).seconds_left is None
        score(session, done, finding(), NOW + 4)
        scoring.fail(session, failed, "worker", "Broken.")
        found = batches.progress(session, batch_id, NOW + 5)
    assert (found.files, found.received, found.linked, found.rejected) == (5, 3, 1, 1)
    assert (found.scored, found.failed, found.waiting) == (1, 1, 1)
    assert found.seconds_left == 5  # one in five seconds, one to go


def test_all_images_of_a_file_count(installation):
    with installation.database.transaction() as session:
        batch_id = _batch(session)
        found = images.find_or_create_images(
            session, content_key="f" * 64, frames=3, source_format="NIfTI", height=2, width=2,
            spacing=None, queue_rank=0, now=NOW,
        )  # fmt: skip
        new = [images.NewScan(image_id) for image_id, _ in found]
        scans = images.link_scans(session, add_case(session), new, NOW)
        batches.add_item(session, batch_id, "File 1", ItemOutcome.RECEIVED, None, scans[0][0])
        score(session, found[1][0], finding())
        progress = batches.progress(session, batch_id, NOW)
    assert (progress.files, progress.scored, progress.waiting) == (1, 1, 2)


def test_time_left_counts_what_goes_first_and_not_what_comes_after(installation):
    with installation.database.transaction() as session:
        urgent, routine = _batch(session), _batch(session)
        for _ in range(4):
            _receive(session, urgent, rank=10)
        for _ in range(8):
            _receive(session, routine, rank=1)
        done = [_receive(session, urgent, rank=20)[0] for _ in range(2)]
        for image_id in done:
            score(session, image_id, finding(), NOW + 3)
        assert batches.progress(session, urgent, NOW + 4).seconds_left == 4 * 2
        assert batches.progress(session, routine, NOW + 4).seconds_left == 12 * 2


def test_a_finished_upload_has_no_time_left(installation):
    with installation.database.transaction() as session:
        batch_id = _batch(session)
        score(session, _receive(session, batch_id)[0], finding())
        _receive(session, _batch(session))  # somebody else's still waits
        found = batches.progress(session, batch_id, NOW + 5)
    assert (found.scored, found.waiting, found.seconds_left) == (1, 0, 0)


def test_uploads_belong_to_an_account_and_come_newest_first(installation):
    with installation.database.transaction() as session:
        ada, bob = add_reader(session, "Ada"), add_reader(session, "Bob")
        old = batches.create_batch(session, ada.id, NOW)
        new = batches.create_batch(session, ada.id, NOW + 9)
        other = batches.create_batch(session, bob.id, NOW + 5)
        assert batches.recent(session, ada.id, 5) == [new, old]
        assert batches.recent(session, ada.id, 1) == [new]
        assert batches.owner(session, other) == bob.id


@pytest.mark.parametrize("number", [0, 999, 2**63])
def test_an_upload_that_does_not_exist_is_said(installation, number):
    with installation.database.reading() as session:
        for ask in (lambda: batches.owner(session, number),
                    lambda: batches.progress(session, number, NOW)):  # fmt: skip
            with pytest.raises(InputError, match=f"no upload with the number {number}"):
                ask()
