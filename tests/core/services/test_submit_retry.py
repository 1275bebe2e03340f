"""Uploaded scans that failed are tried again: those of a case, and those of a batch."""

import pytest

from core.services.installation import now
from core.services.ranking import rerank
from core.services.scoring import score_waiting
from core.services.submit import batch_progress, recent_batches, retry_batch, retry_failed
from core.store import scoring
from core.types import CaseStatus, StudyDetails, TumourClass
from tests.core.services.sent_series import DAY, OF_P1, entries_of
from tests.fakes import FakeEngine, scan_png


@pytest.fixture
def failed(installation, send_pictures):
    """A case whose two scans have failed, and one that shares a picture with it."""
    items = send_pictures(scan_png(60), scan_png(61), details=OF_P1)
    [shared] = send_pictures(scan_png(61), details=StudyDetails("P-2", DAY))
    with installation.database.transaction() as session:
        at = now()
        claimed = scoring.claim(
            session, owner="test", limit=9, attempts_allowed=3, until=at + 60, now=at
        )
        for image in claimed:
            assert scoring.fail(session, image.id, "test", "no analysis")
        for case_id in (items[0].case_id, shared.case_id):
            rerank(session, installation.settings, case_id, at)
    return items[0].case_id, shared.case_id


def test_failed_scans_are_tried_again_in_all_their_cases(installation, reader, failed, case):
    first, shared = failed
    assert case(first).status is case(shared).status is CaseStatus.FAILED
    assert retry_failed(installation, reader, first) == 2
    assert (case(first).failed_count, case(shared).failed_count) == (0, 0)
    assert case(shared).status is CaseStatus.NEW
    assert entries_of(installation, first)[-1].action == "retry"
    assert score_waiting(installation, FakeEngine()) == 2
    assert case(first).predicted is TumourClass.GLIOMA
    assert retry_failed(installation, reader, first) == 0
    assert entries_of(installation, first)[-1].action != "retry"


def test_all_failed_scans_of_a_batch_are_tried_again(installation, reader, failed):
    newest, oldest = recent_batches(installation, reader)
    assert (oldest.failed, newest.failed) == (2, 1)
    assert retry_batch(installation, reader, oldest.batch_id) == 2
    assert batch_progress(installation, oldest.batch_id).waiting == 2
