"""Images are kept once, and show what the newest model says of them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from core.errors import InputError
from core.store import images, scoring
from core.store.tables import ImageRow
from core.types import Lesion, ScoringState, TumourClass
from tests.core.store.made_up import NOW, add_case, add_image, finding, link, score


def _again(session, image_id, queue_rank):
    key = session.get_one(ImageRow, image_id).content_key
    [found] = images.find_or_create_images(
        session, content_key=key, source_format="PNG", height=120, width=100, spacing=None,
        queue_rank=queue_rank, now=NOW + 5,
    )  # fmt: skip
    return found


def _rank(session, image_id):
    return session.scalar(select(ImageRow.queue_rank).where(ImageRow.id == image_id))


def test_the_same_content_is_the_same_image(installation):
    with installation.database.transaction() as session:
        image_id = add_image(session)
        assert _again(session, image_id, 0) == (image_id, False)
        assert scoring.waiting_count(session) == 1


def test_a_known_image_only_moves_forward_and_only_while_it_waits(installation):
    with installation.database.transaction() as session:
        image_id = add_image(session, queue_rank=5)
        _again(session, image_id, 3)
        assert _rank(session, image_id) == 5
        _again(session, image_id, 9)
        assert _rank(session, image_id) == 9
        score(session, image_id, finding())
        _again(session, image_id, 99)
        assert _rank(session, image_id) == 9


def test_who_links_an_image_and_who_scores_it_come_one_after_the_other(installation):
    """Else a case that takes a known image would never learn of the score that comes meanwhile."""
    with installation.database.transaction() as session:
        image_id = add_image(session)

    def score_meanwhile() -> list[int]:
        with installation.database.transaction() as session:
            score(session, image_id, finding())
            return images.studies_of_image(session, image_id)

    with ThreadPoolExecutor(1) as pool:
        with installation.database.transaction() as session:
            scoring.claim(
                session, owner="worker", limit=1, attempts_allowed=3, until=NOW + 60, now=NOW
            )
        with installation.database.transaction() as session:
            _again(session, image_id, 0)
            scored = pool.submit(score_meanwhile)
            with pytest.raises(TimeoutError):
                scored.result(0.5)
            study_id = add_case(session)
            link(session, study_id, image_id, NOW)
        assert scored.result(30) == [study_id]


def test_an_image_is_linked_to_a_case_once(installation):
    with installation.database.transaction() as session:
        first, second, image_id = add_case(session), add_case(session), add_image(session)
        scan_id, created = link(session, second, image_id, NOW)
        assert created
        assert link(session, second, image_id, NOW + 1) == (scan_id, False)
        link(session, first, image_id, NOW)
        assert images.studies_of_image(session, image_id) == [first, second]
        assert images.studies_of_image(session, 999) == []


def test_scans_come_in_the_order_of_their_receipt_with_the_newest_analysis(installation):
    newest = finding(
        TumourClass.MENINGIOMA, 0.7, model_version="model-2", suspected=False,
        lesion=Lesion(10, 4.5, 0.02, 3.2, 2.1),
        probabilities={TumourClass.MENINGIOMA: 0.7, TumourClass.GLIOMA: 0.3},
    )  # fmt: skip
    with installation.database.transaction() as session:
        study_id, later, earlier = add_case(session), add_image(session), add_image(session)
        first, _ = link(session, study_id, earlier, NOW)
        second, _ = link(session, study_id, later, NOW + 1)
        score(session, earlier, finding())
        session.get_one(ImageRow, earlier).state = ScoringState.QUEUED  # a new model looks again
        session.flush()
        score(session, earlier, newest, NOW + 9)
    with installation.database.reading() as session:
        scans = images.scans_of_study(session, study_id)
        assert images.get_scan(session, first) == scans[0]
    assert [(scan.id, scan.image_id) for scan in scans] == [(first, earlier), (second, later)]
    assert (scans[0].state, scans[1].state) == (ScoringState.SCORED, ScoringState.QUEUED)
    assert scans[0].analysis.finding == newest
    assert scans[0].analysis.created_at == datetime.fromtimestamp(NOW + 9, UTC)
    assert scans[0].analysis.heat_map_keys == {TumourClass.GLIOMA: "b" * 64}
    assert scans[1].analysis is None
    assert (scans[0].height, scans[0].width, scans[0].spacing_mm) == (120, 100, (0.5, 0.4))
    assert scans[1].received_at == datetime.fromtimestamp(NOW + 1, UTC)


@pytest.mark.parametrize("number", [0, 999, 2**63])
def test_a_scan_that_does_not_exist_is_said(installation, number):
    with (
        pytest.raises(InputError, match=f"no scan with the number {number}"),
        installation.database.reading() as session,
    ):
        images.get_scan(session, number)
