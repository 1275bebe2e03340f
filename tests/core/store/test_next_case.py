"""The case that a reader is given next."""

from core.store import reviews, studies
from core.store.worklist import next_case
from core.types import CaseStatus, TumourClass
from tests.core.store.made_up import NOW, RATE, add_case, add_reader, priority


def test_the_next_case_is_the_most_urgent_that_is_free_or_the_readers_own(installation):
    with installation.database.transaction() as session:
        ada, bob = add_reader(session, "Ada"), add_reader(session, "Bob")
        cases = [add_case(session, given=priority(score)) for score in (50, 40, 30, 20, 10)]
        studies.set_assignee(session, cases[0], bob.id)
        studies.set_assignee(session, cases[2], ada.id)
        studies.set_status(session, cases[1], CaseStatus.REPORTED, now=NOW)
    passed: list[int] = []
    with installation.database.reading() as session:
        while (found := next_case(session, exclude=passed, reader_id=ada.id)) is not None:
            passed.append(found)
        assert passed == [cases[2], cases[3], cases[4]]
        assert next_case(session, exclude=(), reader_id=bob.id) == cases[0]


def test_a_case_that_needs_another_reader_is_not_next_for_the_one_who_read_it(installation):
    with installation.database.transaction() as session:
        ada, bob = add_reader(session, "Ada"), add_reader(session, "Bob")
        urgent, other = add_case(session, given=priority(50)), add_case(session)
        reviews.add_decision(
            session, study_id=urgent, reader_id=ada.id, finding=TumourClass.GLIOMA, urgency=None,
            mask_wrong=False, asks_second=False, status_after=CaseStatus.NEEDS_SECOND_READER,
            expected_version=1, now=NOW,
        )  # fmt: skip
    with installation.database.reading() as session:
        assert next_case(session, exclude=(), reader_id=ada.id) == other
        assert next_case(session, exclude=(), reader_id=bob.id) == urgent
    with installation.database.transaction() as session:
        studies.reopen(session, urgent, RATE, NOW)
        assert next_case(session, exclude=(), reader_id=ada.id) == urgent
