"""Transactions: all or nothing, one writer after the other, readers undisturbed."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from core.errors import StoreError
from core.store import database as database_module
from core.store import studies, users
from core.store.locking import changing
from core.store.tables import ScanRow, UserRow
from tests.core.store.made_up import add_case, add_reader
from tests.installations import make_installation


def _count(session) -> int:
    return len(users.list_users(session))


def test_an_error_undoes_everything_of_its_transaction(installation):
    def fail() -> None:
        with installation.database.transaction() as session:
            add_reader(session, "Ada")
            add_case(session, "P1")
            raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        fail()
    with installation.database.reading() as session:
        assert _count(session) == 0
        assert session.execute(text("SELECT count(*) FROM counters")).scalar_one() == 0


def test_reading_cannot_write_and_writing_still_can_afterwards(installation):
    for number in range(3):
        with (
            pytest.raises((StoreError, DBAPIError), match=r"read-?only"),
            installation.database.reading() as session,
        ):
            add_reader(session, "Never")
        with installation.database.transaction() as session:
            add_reader(session, f"Reader {number}")
    with installation.database.reading() as session:
        assert _count(session) == 3


def test_a_reader_sees_one_state_from_beginning_to_end(installation):
    with installation.database.reading() as session:
        assert _count(session) == 0
        with installation.database.transaction() as other:
            add_reader(other, "Ada")
        assert _count(session) == 0
    with installation.database.reading() as session:
        assert _count(session) == 1


def test_a_row_must_point_to_one_that_exists(installation):
    with pytest.raises(IntegrityError), installation.database.transaction() as session:
        session.add(ScanRow(study_id=123, image_id=456, received_at=0))


def test_no_change_is_lost_among_many_writers(installation):
    with installation.database.transaction() as session:
        study_id = add_case(session)

    def write(_: int) -> None:
        for _ in range(10):
            with installation.database.transaction() as session:
                with changing(session, study_id) as study:
                    study.scan_count += 1
                session.flush()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    with installation.database.reading() as session:
        assert studies.get_case(session, study_id, 0, 0, 0.75).scan_count == 60
        assert studies.study_version(session, study_id) == 61


def test_the_same_account_made_by_several_at_once_is_one(installation):
    together = threading.Barrier(6)

    def sign_in(_: int) -> int:
        together.wait(30)
        with installation.database.transaction() as session:
            return add_reader(session, "Ada").id

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(sign_in, range(6)))) == 1


def test_sqlite_loses_nothing_and_lets_readers_read(tmp_path):
    installation = make_installation(tmp_path)
    for way in (installation.database.reading, installation.database.transaction):
        with way() as session:
            found = {
                name: session.execute(text(f"PRAGMA {name}")).scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
        full = 2
        assert found == {
            "journal_mode": "wal", "synchronous": full, "foreign_keys": 1, "busy_timeout": 30_000,
        }  # fmt: skip


def test_a_database_that_stays_locked_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(database_module, "_WAIT_SECONDS", 0.05)
    installation = make_installation(tmp_path)

    def write_while_locked() -> None:
        with installation.database.transaction() as session:
            add_reader(session, "Bob")

    with installation.database.transaction() as session:
        session.execute(select(UserRow))  # the lock is taken with the first statement
        with pytest.raises(StoreError, match="Nothing was saved; please try again"):
            write_while_locked()
        add_reader(session, "Ada")
    with installation.database.reading() as session:
        assert [reader.name for reader in users.list_users(session)] == ["Ada"]
