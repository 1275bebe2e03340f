"""Fixtures of the tests of the pages."""

import pytest
import streamlit as st

from core import config
from core.services.installation import Installation, open_installation
from tests.pages.serving import CHROMIUM, FLAGS


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def own_installation(tmp_path, monkeypatch) -> Installation:
    """The installation that pages run by AppTest open in this process: new, and without a worker.

    Tests score by themselves: ``score_waiting(own_installation, FakeEngine())``.
    """
    monkeypatch.setenv("NEUROTRIAGE_STORAGE", str(tmp_path / "storage"))
    monkeypatch.setenv("NEUROTRIAGE_WORKER", "external")
    for name in ("NEUROTRIAGE_DATABASE_URL", "NEUROTRIAGE_QUEUE_URL"):
        monkeypatch.delenv(name, raising=False)
    config.settings.cache_clear()
    st.cache_resource.clear()
    opened = open_installation()
    yield opened
    opened.database.close()
    config.settings.cache_clear()
    st.cache_resource.clear()
