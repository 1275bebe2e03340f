"""The way to the database: SQLite in the storage folder, or PostgreSQL, by one address.

Nothing that was committed may be lost, not even when the power fails, so SQLite runs with
``synchronous=FULL`` (with NORMAL the last commits before a power cut may vanish in WAL mode).
Transactions that write take SQLite's only write lock at their start, so that none fails half-way
because another process wrote in between.

What is stored may say who a patient is, so errors, which end in the log, do not repeat it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from core.errors import StoreError
from core.store.counters import write_changes
from core.store.schema import migrate

# How long a transaction waits for another one before it gives up.
_WAIT_SECONDS = 30
_READING = "neurotriage_reading"
_POSTGRESQL = "postgresql+psycopg"


class Database:
    """A database whose tables are those of this program. Threads may share one."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._closed: str | None = None
        if engine.dialect.name == "sqlite":
            self._reading = engine.execution_options(**{_READING: True})
        else:
            # Several statements of one reader see one state, as they do in SQLite.
            self._reading = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @classmethod
    def open(cls, url: str | URL) -> Database:
        """Connect, and bring the tables up to date; several processes may do so at once.

        Args:
            url: ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/DATABASE``.

        Raises:
            StoreError: the address is not understood, the database cannot be reached or read, or
                a newer version of this program has changed its tables.
        """
        address = _address(url)
        shown = address.render_as_string(hide_password=True)
        try:
            engine = _sqlite(address) if address.drivername == "sqlite" else _postgresql(address)
        except ModuleNotFoundError as error:
            raise StoreError(
                f"The database {shown} needs the package {error.name}, which is not installed. "
                "Install requirements-server.txt."
            ) from error
        try:
            if address.drivername == "sqlite":
                _switch_to_wal(engine)
            migrate(engine)
        except (DatabaseError, InterfaceError, sqlite3.Error) as error:
            engine.dispose()
            raise StoreError(
                f"The database {shown} cannot be opened ({getattr(error, 'orig', error)}). Check "
                "NEUROTRIAGE_DATABASE_URL and NEUROTRIAGE_STORAGE, that the server runs, and that "
                "the folder may be written to."
            ) from error
        except StoreError:
            engine.dispose()
            raise
        return cls(engine)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that writes: committed at the end of the block, rolled back by any error.

        Raises:
            StoreError: the database cannot be reached, stays locked or is closed. Nothing was
                written.
        """
        self._check_open()
        session = Session(self._writing, expire_on_commit=False)
        with _store_errors(), session, session.begin():
            yield session
            session.flush()
            write_changes(session)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads, and sees one state from beginning to end.

        Raises:
            StoreError: the database cannot be reached, or is closed.
        """
        self._check_open()
        with _store_errors(), Session(self._reading, expire_on_commit=False) as session:
            yield session

    def close(self, why: str | None = None) -> None:
        """Give all connections back.

        Args:
            why: makes it final, in words for whoever comes too late: SQLite would make a new, empty
                file where the database was deleted.
        """
        self._closed = why
        self._writing.dispose()

    def _check_open(self) -> None:
        if self._closed is not None:
            raise StoreError(self._closed)


def _address(url: str | URL) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        # The text may hold a password, so it is not repeated.
        raise StoreError(
            "NEUROTRIAGE_DATABASE_URL is not an address of a database. Expected "
            "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, or nothing for SQLite."
        ) from error
    if address.drivername in {"postgresql", "postgres", _POSTGRESQL}:
        return address.set(drivername=_POSTGRESQL)
    if address.drivername == "sqlite" and address.database not in {None, "", ":memory:"}:
        return address
    raise StoreError(
        f"A database of the kind {address.drivername} cannot be used. Expected "
        "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, or nothing for SQLite in the storage."
    )


def _postgresql(address: URL) -> Engine:
    return create_engine(
        address,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 10},
        hide_parameters=True,
    )


def _sqlite(address: URL) -> Engine:
    engine = create_engine(address, connect_args={"timeout": _WAIT_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own, late BEGIN is switched off: _begin_sqlite says when and how.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql(f"PRAGMA query_only = {'ON' if reading else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _switch_to_wal(engine: Engine) -> None:
    """Readers and the writer do not wait for each other. The file remembers it.

    The switch fails at once, without the usual waiting, while another process does the same.
    """
    give_up = time.monotonic() + _WAIT_SECONDS
    while True:
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
        finally:
            connection.close()
        time.sleep(0.02)


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise StoreError(
            "The database cannot be reached or is too busy. Nothing was saved; please try again. "
            f"({getattr(error, 'orig', None) or error})"
        ) from error
