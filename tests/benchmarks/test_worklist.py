"""The benchmark of the worklist fills a store like the application and asks real things."""

import pytest
import typer
from sqlalchemy import func, select
from typer.testing import CliRunner

from benchmarks import worklist
from core.config import settings
from core.store.counters import counters
from core.store.database import Database
from core.store.tables import ImageRow, ScanRow, StudyRow
from core.types import CaseStatus

SIZE = 3000


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('filled')}/x.db")
    worklist.fill(database, SIZE)
    return database


def test_every_case_has_an_image_and_is_counted(filled):
    with filled.reading() as session:
        for table in (StudyRow, ImageRow, ScanRow):
            assert session.scalar(select(func.count()).select_from(table)) == SIZE
        found = counters(session, worklist._NOW)
        open_cases = session.scalar(select(func.count()).where(StudyRow.open.is_(True)))
    assert found.waiting == open_cases == SIZE - found.by_status[CaseStatus.REPORTED]
    assert found.images_to_score == 1


def test_every_task_finds_something(filled):
    for name, task in worklist.tasks().items():
        with filled.reading() as session:
            found = task(session)
        assert getattr(found, "rows", found), name


def test_the_indices_are_there_again(filled):
    with filled.reading() as session:
        names = session.execute(
            select(func.count()).select_from(func.pragma_index_list("studies").table_valued("name"))
        ).scalar_one()
    assert names == len(StudyRow.__table__.indexes) + 1  # and the unique key


def test_a_database_that_is_in_use_is_not_filled(filled):
    with pytest.raises(typer.BadParameter, match="not empty"):
        worklist.fill(filled, 10)


def test_the_figures_of_both_sizes_are_told(monkeypatch):
    monkeypatch.setattr(settings(), "database_url", type(settings().database_url)(""))
    monkeypatch.setattr(worklist, "ROUNDS", 2)
    app = typer.Typer()
    app.command()(worklist.main)
    result = CliRunner().invoke(app, ["--largest", "1500"])
    assert result.exit_code == 0, result.output
    assert "1,000 cases" in result.output
    assert "1,500 cases" in result.output
    for name in worklist.tasks():
        assert name in result.output
