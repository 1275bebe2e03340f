"""The migrations make the tables of the program, on both databases, once, and guard the past."""

import multiprocessing
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError

from core.errors import StoreError
from core.services.installation import Installation
from core.store import audit, batches, images, reviews
from core.store.tables import AnalysisRow, AuditRow, Base, DecisionRow, NoteRow
from core.types import CaseStatus, TumourClass
from tests.core.store.made_up import NOW, add_case, add_image, add_reader, finding, score
from tests.installations import make_installation

APPEND_ONLY = [AnalysisRow, AuditRow, DecisionRow, NoteRow]


def test_the_migrated_tables_are_those_of_the_model(installation):
    with installation.database.reading() as session:
        context = MigrationContext.configure(session.connection())
        assert compare_metadata(context, Base.metadata) == []


def test_a_table_that_differs_is_noticed(installation):
    """The comparison above can fail."""
    with installation.database.transaction() as session:
        session.execute(text("DROP TABLE marks"))
        session.execute(text("DROP INDEX ix_scans_received_at"))
    with installation.database.reading() as session:
        context = MigrationContext.configure(session.connection())
        assert len(compare_metadata(context, Base.metadata)) == 2


OLD_ROWS = (
    "INSERT INTO users (subject, name, verified, created_at) VALUES ('local:Ada', 'Ada', false, 0)",
    "INSERT INTO studies (study_key, requested, received_at, due_at, status, open, flagged, "
    "version, round, score, rank_key, band, reasons, scan_count, scored_count, failed_count) "
    "VALUES ('image:a', 'routine', 0, 60, 'new', true, false, 1, 1, 5, 5, 'routine', '[]', "
    "2, 1, 0)",
    "INSERT INTO images (content_key, source_format, height, width, spacing_row_mm, "
    "spacing_column_mm, received_at, state, attempts, queue_rank) "
    "VALUES ('a', 'PNG', 120, 100, 0.5, 0.4, 0, 'scored', 1, 0), "
    "('b', 'PNG', 120, 100, NULL, NULL, 0, 'queued', 0, 0)",
    "INSERT INTO scans (study_id, image_id, received_at) VALUES (1, 1, 7), (1, 2, 8)",
    "INSERT INTO analyses (image_id, model_version, probabilities, predicted, "
    "tumour_probability, suspected, decision_threshold, ood_score, in_distribution, kind, "
    "mask_key, heat_map_keys, thumbnail_key, elapsed_ms, created_at) VALUES "
    """(1, 'model-1', '{"glioma": 1.0, "meningioma": 0.0, "no_tumor": 0.0, "pituitary": 0.0}', """
    "'glioma', 1, true, 0.4, 0, true, 'gray', 'm', '{}', 't', 1, 9)",
    "INSERT INTO batches (user_id, created_at) VALUES (1, 0)",
    "INSERT INTO batch_items (batch_id, name, outcome, scan_id) VALUES (1, 'a.png', 'received', 1)",
)


def _fill_as_of_0001(installation: Installation) -> None:
    """Take the tables back to those of the first version, with a case in them."""
    with installation.database.transaction() as session:
        connection = session.connection()
        names = {row[0] for row in connection.execute(text(_TABLES[connection.dialect.name]))}
        if connection.dialect.name == "sqlite":
            connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        for name in names:
            cascade = " CASCADE" if connection.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP TABLE {name}{cascade}"))
        if connection.dialect.name == "postgresql":
            connection.execute(text("DROP FUNCTION refuse_change"))
        config = Config()
        config.set_main_option("script_location", "core.store:migrations")
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in OLD_ROWS:
            connection.exec_driver_sql(statement)


_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}


def test_a_database_of_the_first_version_comes_through(installation, back_end, tmp_path):
    _fill_as_of_0001(installation)
    installation.database.close()
    again = make_installation(tmp_path, **back_end)
    with again.database.reading() as session:
        context = MigrationContext.configure(session.connection())
        assert compare_metadata(context, Base.metadata) == []
        scans = images.scans_of_study(session, 1)
        assert [item.case_id for item in batches.items(session, 1)] == [1]
        triggers = session.execute(text(_TRIGGERS[session.get_bind().dialect.name])).scalar_one()
    assert [(scan.id, scan.image_id, scan.content_key, scan.frame) for scan in scans] == [
        (1, 1, "a", 0),
        (2, 2, "b", 0),
    ]
    assert [scan.spacing_mm for scan in scans] == [(0.5, 0.4), None]
    assert scans[0].analysis.finding.predicted is TumourClass.GLIOMA
    assert {(scan.series_id, scan.place, scan.instance_uid) for scan in scans} == {(None,) * 3}
    assert triggers >= len(APPEND_ONLY)
    with again.database.transaction() as session:
        # A second frame of a known file has room, the same frame again has none.
        found = images.find_or_create_images(
            session, content_key="a", frames=2, source_format="PNG", height=1, width=1,
            spacing=None, queue_rank=0, now=NOW,
        )  # fmt: skip
        assert found[0] == (1, False)
        assert found[1][1]
    with (
        pytest.raises(DBAPIError, match=r"(?i)foreign key"),
        again.database.transaction() as session,
    ):
        session.execute(text("INSERT INTO scans (study_id, image_id, received_at) VALUES (1,99,0)"))
    again.database.close()


_TRIGGERS = {
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal",
}


def test_rows_that_name_nothing_stop_the_change_of_tables(tmp_path):
    installation = make_installation(tmp_path)
    _fill_as_of_0001(installation)
    installation.database.close()
    file = tmp_path / "storage" / "neurotriage.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO scans (study_id, image_id, received_at) VALUES (1, 99, 0)")
    with pytest.raises(StoreError, match=r"A row of the table scans names a row of images"):
        make_installation(tmp_path)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)


@pytest.fixture
def with_a_past(installation: Installation) -> Installation:
    """One row in each table that is only added to."""
    with installation.database.transaction() as session:
        study_id, reader = add_case(session), add_reader(session, "Ada")
        score(session, add_image(session), finding())
        reviews.add_note(session, study_id=study_id, reader_id=reader.id, text="Seen.", now=NOW)
        audit.log_action(session, action="note", text="Wrote a note.", now=NOW, study_id=study_id)
        reviews.add_decision(
            session, study_id=study_id, reader_id=reader.id, finding=TumourClass.GLIOMA,
            urgency=None, mask_wrong=False, asks_second=False, status_after=CaseStatus.REPORTED,
            expected_version=2, now=NOW,
        )  # fmt: skip
    return installation


@pytest.mark.parametrize("table", APPEND_ONLY, ids=lambda table: table.__tablename__)
def test_what_was_recorded_is_neither_changed_nor_deleted(with_a_past, table):
    for statement in (update(table).values(id=999), delete(table)):
        with (
            pytest.raises(DBAPIError, match="append-only"),
            with_a_past.database.transaction() as session,
        ):
            session.execute(statement)
    with with_a_past.database.reading() as session:
        assert session.query(table).count() == 1


@pytest.mark.server
@pytest.mark.parametrize("table", APPEND_ONLY, ids=lambda table: table.__tablename__)
def test_what_was_recorded_is_not_truncated(tmp_path, server_settings, table):
    installation = make_installation(tmp_path, **server_settings)
    with (
        pytest.raises(DBAPIError, match="append-only"),
        installation.database.transaction() as session,
    ):
        session.execute(text(f"TRUNCATE {table.__tablename__}"))
    installation.database.close()


def test_a_database_is_opened_again_as_it_was(installation, back_end, tmp_path):
    with installation.database.transaction() as session:
        study_id = add_case(session, "P1")
    again = make_installation(tmp_path, **back_end)
    with again.database.reading() as session:
        assert session.execute(text("SELECT id FROM studies")).scalar_one() == study_id
    again.database.close()


def test_tables_of_a_newer_program_are_refused_and_left_alone(installation, back_end, tmp_path):
    with installation.database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"version 9999.*newer NeuroTriage.*Start the newer"):
        make_installation(tmp_path, **back_end)
    with installation.database.reading() as session:
        found = session.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        assert found == "9999"


def _open_and_add(folder: Path, settings: dict[str, str], start, answers) -> None:
    try:
        start.wait(180)
        installation = make_installation(folder, **settings)
        with installation.database.transaction() as session:
            add_reader(session, f"reader of {multiprocessing.current_process().name}")
        answers.put("done")
    except Exception as error:
        answers.put(repr(error))


def test_processes_that_start_at_once_make_the_tables_once(back_end, tmp_path):
    spawn = multiprocessing.get_context("spawn")
    start, answers = spawn.Barrier(5), spawn.Queue()
    starters = [
        spawn.Process(target=_open_and_add, args=(tmp_path, back_end, start, answers))
        for _ in range(5)
    ]
    for starter in starters:
        starter.start()
    assert [answers.get(timeout=180) for _ in starters] == ["done"] * 5
    for starter in starters:
        starter.join(30)
    installation = make_installation(tmp_path, **back_end)
    with installation.database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM users")).scalar_one() == 5
    installation.database.close()


def test_a_file_that_is_no_database_is_said_and_left_alone(tmp_path):
    file = tmp_path / "storage" / "neurotriage.db"
    file.parent.mkdir()
    file.write_bytes(b"This is somebody's text, not a database. " * 100)
    with pytest.raises(StoreError, match=r"neurotriage\.db cannot be opened"):
        make_installation(tmp_path)
    assert file.read_bytes().startswith(b"This is somebody's text")


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "storage").write_text("a file stands where the folder should be")
    with pytest.raises(StoreError, match="NEUROTRIAGE_STORAGE"):
        make_installation(tmp_path)


def test_a_folder_may_have_any_name(tmp_path):
    installation = make_installation(tmp_path / "50 % & café?x=1#y")
    with installation.database.transaction() as session:
        add_reader(session, "Ada")
    assert (tmp_path / "50 % & café?x=1#y" / "storage" / "neurotriage.db").stat().st_size > 0


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("postgresql://ann:secret@127.0.0.1:1/triage", "127.0.0.1:1/triage cannot be opened"),
        ("postgres://ann:secret@127.0.0.1:1/triage", "cannot be opened"),
        ("mysql://ann:secret@host/triage", "kind mysql cannot be used"),
        ("sqlite://", "cannot be used"),
        ("ann:secret@host", "not an address"),
        ("postgresql://ann:secret@host:port/triage", "not an address"),
    ],
)
def test_an_address_that_leads_nowhere_is_said_without_its_password(tmp_path, address, says):
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match=says) as caught:
        make_installation(tmp_path, database_url=address)
    assert "secret" not in str(caught.value)
