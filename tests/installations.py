"""Installations for tests: of their own storage, and of no settings but those given."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from core import config
from core.config import Settings
from core.services.installation import Installation, open_installation
from core.services.scoring import score_waiting
from core.services.submit import Upload, batch_items, submit
from core.types import Reader, StudyDetails
from tests.fakes import FakeEngine


def make_installation(tmp_path: Path, **settings: Any) -> Installation:
    """An installation in a temporary folder: SQLite throughout unless the settings name servers.

    Called again with the same folder it opens the same one, as another process would.
    """
    given = {"storage": tmp_path / "storage", "database_url": "", "queue_url": "", **settings}
    return open_installation(Settings(_env_file=None, **given))


@contextmanager
def installation_of_pages(storage: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """The installation that pages run by AppTest open in this process: new, and without a worker.

    Tests score by themselves: ``score_waiting(installation, FakeEngine())``. What earlier pages
    kept for all sessions is forgotten.
    """
    monkeypatch.setenv("NEUROTRIAGE_STORAGE", str(storage))
    monkeypatch.setenv("NEUROTRIAGE_WORKER", "external")
    for name in ("NEUROTRIAGE_DATABASE_URL", "NEUROTRIAGE_QUEUE_URL"):
        monkeypatch.delenv(name, raising=False)
    _forget_what_is_kept()
    opened = open_installation()
    yield opened
    opened.database.close()
    _forget_what_is_kept()


def send_case(
    installation: Installation,
    reader: Reader,
    *files: bytes,
    details: StudyDetails | None = None,
    score: bool = True,
) -> int:
    """Upload files in one batch, and have the fake engine look at them.

    Args:
        installation: where they go.
        reader: who sends them.
        files: their contents.
        details: of the study; none unless given.
        score: whether they are scored at once.

    Returns:
        The number of the first file's case.
    """
    uploads = [Upload(f"{number}", data) for number, data in enumerate(files)]
    batch = submit(installation, reader, uploads, details or StudyDetails())
    if score:
        score_waiting(installation, FakeEngine())
    return batch_items(installation, reader, batch.batch_id)[0].case_id


def _forget_what_is_kept() -> None:
    config.settings.cache_clear()
    st.cache_resource.clear()
    st.cache_data.clear()
