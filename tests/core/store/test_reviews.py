"""Decisions and notes are added, never lost, and never made on an old version."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from core.errors import ConflictError, InputError
from core.store import reviews, studies
from core.store.counters import counters
from core.types import CaseStatus, RequestedPriority, TumourClass
from tests.core.store.made_up import AMBER, NOW, RATE, add_case, add_reader, finding


def _decide(session, study_id, reader_id, version, **changes):
    given = {
        "finding": TumourClass.MENINGIOMA,
        "urgency": None,
        "mask_wrong": False,
        "asks_second": False,
        "status_after": CaseStatus.REPORTED,
        "now": NOW,
        **changes,
    }
    return reviews.add_decision(
        session, study_id=study_id, reader_id=reader_id, expected_version=version, **given
    )


def test_a_decision_is_kept_as_it_was_made_and_moves_the_case(installation):
    with installation.database.transaction() as session:
        study_id, ada = add_case(session, seen=finding()), add_reader(session, "Ada")
        made = _decide(
            session, study_id, ada.id, 2, urgency=RequestedPriority.EMERGENCY, mask_wrong=True,
            asks_second=True, status_after=CaseStatus.NEEDS_SECOND_READER, now=NOW + 5,
        )  # fmt: skip
    with installation.database.reading() as session:
        assert reviews.decisions(session, study_id) == [made]
        case = studies.get_case(session, study_id, NOW, RATE, AMBER)
    assert (made.reader, made.finding, made.model_finding, made.model_version) == (
        ada, TumourClass.MENINGIOMA, TumourClass.GLIOMA, "model-1",
    )  # fmt: skip
    assert (made.mask_wrong, made.asks_second, made.urgency) == (
        True, True, RequestedPriority.EMERGENCY,
    )  # fmt: skip
    assert made.decided_at == datetime.fromtimestamp(NOW + 5, UTC)
    assert (case.status, case.urgency, case.version) == (
        CaseStatus.NEEDS_SECOND_READER, RequestedPriority.EMERGENCY, 3,
    )  # fmt: skip


def test_a_decision_without_an_analysis_names_no_model(installation):
    with installation.database.transaction() as session:
        made = _decide(session, add_case(session), add_reader(session, "Ada").id, 1)
    assert (made.model_finding, made.model_version) == (None, None)


def test_a_report_ends_the_waiting(installation):
    with installation.database.transaction() as session:
        study_id = add_case(session)
        _decide(session, study_id, add_reader(session, "Ada").id, 1, now=NOW + 600)
    with installation.database.reading() as session:
        assert counters(session, NOW).waiting == 0
        case = studies.get_case(session, study_id, NOW + 9000, RATE, AMBER)
    assert (case.status, case.waited_minutes) == (CaseStatus.REPORTED, 10)


def test_a_decision_that_leaves_the_urgency_keeps_it(installation):
    with installation.database.transaction() as session:
        study_id, ada = add_case(session), add_reader(session, "Ada")
        _decide(session, study_id, ada.id, 1, urgency=RequestedPriority.URGENT)
        _decide(session, study_id, ada.id, 2)
        case = studies.get_case(session, study_id, NOW, RATE, AMBER)
    assert case.urgency is RequestedPriority.URGENT


def test_of_two_who_decide_at_once_one_is_told(installation):
    with installation.database.transaction() as session:
        study_id = add_case(session)
        readers = [add_reader(session, name).id for name in "ABCDEF"]

    def decide(reader_id: int) -> str:
        try:
            with installation.database.transaction() as session:
                # The status stays as it was: the decision alone is news enough.
                _decide(session, study_id, reader_id, 1, status_after=CaseStatus.NEW)
        except ConflictError as error:
            return str(error)
        return "kept"

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(decide, readers))
    assert answers.count("kept") == 1
    assert sum("Nothing was saved" in answer for answer in answers) == 5
    with installation.database.reading() as session:
        (kept,) = reviews.decisions(session, study_id)
    assert kept.reader.id == readers[answers.index("kept")]


def test_readings_of_an_earlier_round_are_told_apart(installation):
    with installation.database.transaction() as session:
        study_id, ada = add_case(session), add_reader(session, "Ada")
        first = _decide(session, study_id, ada.id, 1)
        studies.reopen(session, study_id, RATE, NOW + 60)
        version = studies.study_version(session, study_id)
        second = _decide(session, study_id, ada.id, version, finding=TumourClass.GLIOMA)
    with installation.database.reading() as session:
        assert reviews.decisions(session, study_id) == [first, second]
        assert reviews.decisions(session, study_id, round=1) == [first]
        assert reviews.decisions(session, study_id, round=2) == [second]


def test_notes_stand_in_their_order_and_are_news_to_other_readers(installation):
    with installation.database.transaction() as session:
        study_id, other = add_case(session), add_case(session)
        ada, bob = add_reader(session, "Ada"), add_reader(session, "Bob")
        notes = [
            reviews.add_note(session, study_id=study_id, reader_id=who.id, text=text, now=NOW)
            for who, text in ((ada, "Operated in 2020.\nSee <b>report</b>."), (bob, "Seen."))
        ]
        reviews.add_note(session, study_id=other, reader_id=ada.id, text="Elsewhere.", now=NOW)
        with pytest.raises(ConflictError):
            _decide(session, study_id, ada.id, 1)
    with installation.database.reading() as session:
        assert reviews.notes(session, study_id) == notes
    assert (notes[0].reader, notes[0].text) == (ada, "Operated in 2020.\nSee <b>report</b>.")


def test_readers_and_cases_must_exist(installation):
    with installation.database.transaction() as session:
        study_id, ada = add_case(session), add_reader(session, "Ada")
        for case, reader in ((study_id, 999), (999, ada.id)):
            with pytest.raises(InputError, match="999"):
                reviews.add_note(session, study_id=case, reader_id=reader, text="x", now=NOW)
            with pytest.raises(InputError, match="999"):
                _decide(session, case, reader, 1)
