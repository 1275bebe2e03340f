"""Brings a database's tables up to date, by the steps in ``migrations/versions``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from core.errors import StoreError

# Any number that other programs on the same PostgreSQL server are unlikely to lock.
_LOCK = 7_236_881_505


def migrate(engine: Engine) -> None:
    """Apply the steps that are missing, all or none of them.

    Processes that start together do so one after the other: the writing transaction locks out
    the others in SQLite, an advisory lock in PostgreSQL.

    Raises:
        StoreError: the tables are those of a newer version of this program.
    """
    config = Config()
    config.set_main_option("script_location", "core.store:migrations")
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    with _connection(engine) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = MigrationContext.configure(connection).get_current_revision()
        if found == script.get_current_head():
            return
        known = {step.revision for step in script.walk_revisions()}
        if found is not None and found not in known:
            raise StoreError(
                f"The database has the tables of version {found}, made by a newer NeuroTriage; "
                f"this program knows them up to version {script.get_current_head()}. Start the "
                "newer program, or restore the backup made before it was installed. Nothing was "
                "changed."
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if connection.dialect.name == "sqlite":
            _check_references(connection)


@contextmanager
def _connection(engine: Engine) -> Iterator[Connection]:
    """A connection for changing tables.

    SQLite changes a table by writing it anew and dropping the old one, which its foreign keys
    would take for the deletion of all rows: they are off meanwhile, and checked before the end.
    """
    with engine.connect() as connection:
        if connection.dialect.name != "sqlite":
            yield connection
            return
        # Below SQLAlchemy, which would begin a transaction first, and within one it has no effect.
        driver = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys = OFF")
        try:
            yield connection
        finally:
            driver.execute("PRAGMA foreign_keys = ON")


def _check_references(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise StoreError(
            f"A row of the table {broken[0]} names a row of {broken[2]} that does not exist; the "
            "tables were left as they were. Restore the database from a backup."
        )
