"""Which case a study's files belong to, where several transactions ask at once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import select, text

from core.store import audit, studies
from core.store.study_keys import key_of_study
from core.store.tables import StudyRow
from core.types import StudyDetails
from tests.core.store.made_up import NOW, RATE, priority

STUDY = "2.25.1"
SECONDS = 20
SERVER = pytest.param("postgresql", marks=pytest.mark.server)


@pytest.fixture
def nameless(installation):
    """A case whose files name no patient."""
    with installation.database.transaction() as session:
        key, others = key_of_study(session, STUDY, None)
        assert others == ()
        return studies.find_or_create_study(
            session, study_key=key, details=StudyDetails(), priority=priority(),
            rate_per_second=RATE, now=NOW,
        )[0]  # fmt: skip


def test_the_first_patient_who_is_named_has_the_case(installation, nameless):
    with installation.database.transaction() as session:
        key, others = key_of_study(session, STUDY, "mine")
        assert others == ()
        assert session.scalar(select(StudyRow.study_key).where(StudyRow.id == nameless)) == key
        assert key_of_study(session, STUDY, None) == (key, ())
        other, cases = key_of_study(session, STUDY, "other")
    assert other != key and cases == (nameless,)


# SQLite lets one transaction write at a time.
@pytest.mark.parametrize("back_end", [SERVER], indirect=True)
def test_who_names_a_patient_too_late_holds_nothing_of_the_case(installation, nameless):
    """Its lock and the wait of a third transaction for it were a deadlock."""
    database = installation.database
    with ThreadPoolExecutor(1) as pool, ExitStack() as late_transaction:
        with database.transaction() as first:
            key_of_study(first, STUDY, "mine")
            late = late_transaction.enter_context(database.transaction())
            asked = late.scalar(select(text("pg_backend_pid()")))
            told = pool.submit(key_of_study, late, STUDY, "other")
            _wait_until_waiting(first, asked)
        _, cases = told.result(SECONDS)
        assert cases == (nameless,)
        with database.transaction() as third:
            third.execute(text(f"SET LOCAL lock_timeout = '{SECONDS}s'"))
            audit.log_action(third, action="upload", text="Noted", now=NOW, study_id=nameless)


def _wait_until_waiting(session, process):
    """Return when a process of the server waits for a lock; fail if it does not."""
    waits = text("SELECT cardinality(pg_blocking_pids(:process)) > 0 FROM pg_sleep(0.05)")
    for _ in range(20 * SECONDS):
        if session.scalar(waits, {"process": process}):
            return
    pytest.fail("nobody waited")


def made(session, patient, number=None):
    """The key for a file, and the other cases; its case is made where it is not there."""
    key, others = key_of_study(session, STUDY, patient, number)
    studies.find_or_create_study(
        session, study_key=key, details=StudyDetails(), priority=priority(),
        rate_per_second=RATE, now=NOW,
    )  # fmt: skip
    return key, others


def test_a_number_without_its_issuer_is_that_of_the_only_one_there_is(installation):
    with installation.database.transaction() as session:
        plain, _ = made(session, "7", "7")
        north, others = made(session, "7 of North", "7")
        assert others == () and north != plain
        assert made(session, "7", "7") == made(session, None) == (north, ())
        # Another issuer is another patient; then nobody knows whose the number alone is.
        south, others = made(session, "7 of South", "7")
        assert len(others) == 1 and south != north
        assert len(made(session, "7", "7")[1]) == 2
        assert made(session, "7 of North", "7") == (north, ())
        assert len(made(session, "7 of East", "7")[1]) == 3
        # So they are called in files that were sent back after their identity was removed.
        assert made(session, "7 of South", "7 of South") == (south, ())
        assert len(made(session, "8", "8")[1]) == 4


def test_a_nameless_case_becomes_that_of_a_number_and_its_issuer(installation, nameless):
    with installation.database.transaction() as session:
        key, others = made(session, "7 of North", "7")
        assert others == ()
        assert session.scalar(select(StudyRow.study_key).where(StudyRow.id == nameless)) == key
        assert made(session, "7", "7") == (key, ())


def test_cases_from_before_numbers_were_kept_are_found(installation):
    with installation.database.transaction() as session:
        before, _ = made(session, "7 of North")
        assert made(session, "7 of North", "7") == (before, ())
        assert made(session, "7 of South", "7")[1] != ()
