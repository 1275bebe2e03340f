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
