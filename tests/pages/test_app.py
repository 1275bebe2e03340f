"""The application around the pages: configuration, disclaimer, gate and accounts."""

import os
import tomllib

import pytest
from streamlit.testing.v1 import AppTest

from core import config
from core.services.readers import add_reader, readers
from tests.pages.harness import ROOT, new_app


def gated():
    import streamlit as st

    from pages.components.installation import shared_installation
    from pages.components.reader import reader_gate

    reader_gate(shared_installation())
    st.title("Inside")


@pytest.fixture
def app(own_installation):
    return AppTest.from_function(gated, default_timeout=60)


def test_the_disclaimer_stands_there_before_anything_else(own_installation):
    # AppTest runs the application once; a second run loses the way that st.navigation went.
    app = new_app().run()
    assert not app.exception
    assert "Research and demonstration use, not a medical device." in app.warning[0].value


def test_true_and_false_among_the_secrets_are_settings_too(own_installation, monkeypatch):
    # As texts and numbers do, they go before the environment.
    monkeypatch.setenv("NEUROTRIAGE_KEEP_ORIGINALS", "false")
    monkeypatch.setenv("NEUROTRIAGE_SECOND_READER_FOR_GLIOMA", "true")
    app = new_app()
    app.secrets["NEUROTRIAGE_KEEP_ORIGINALS"] = True
    app.secrets["NEUROTRIAGE_SECOND_READER_FOR_GLIOMA"] = False
    app.secrets["OTHER_FLAG"] = True
    assert not app.run().exception
    # As at the start of the program, when the settings are read first.
    config.settings.cache_clear()
    assert config.settings().keep_originals is True
    assert config.settings().second_reader_for_glioma is False
    assert "OTHER_FLAG" not in os.environ


@pytest.mark.parametrize("page", ["worklist", "upload", "case", "model_card"])
def test_secrets_are_settings_also_where_a_server_shows_a_page_of_its_own_first(
    page, own_installation, monkeypatch
):
    """Before the front door has run once, Streamlit takes each file of ``pages/`` for a page."""
    monkeypatch.setenv("NEUROTRIAGE_KEEP_ORIGINALS", "false")
    config.settings.cache_clear()
    app = new_app(script=ROOT / "pages" / f"{page}.py")
    app.secrets["NEUROTRIAGE_KEEP_ORIGINALS"] = True
    app.run()
    assert config.settings().keep_originals is True


def test_changed_sources_are_not_loaded_into_a_running_server():
    written = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
    assert written["server"]["fileWatcherType"] == "none"


def test_nobody_passes_without_an_account(app):
    app.run()
    assert [title.value for title in app.title] == ["Who is reading?"]
    app.button[0].click().run()
    assert "Please choose an account" in app.error[0].value
    assert [title.value for title in app.title] == ["Who is reading?"]


def test_a_known_account_is_chosen_and_marked_unverified(app, own_installation):
    known = add_reader(own_installation, "Dr *Known*")
    app.run()
    app.selectbox[0].select("Dr *Known*")
    app.button[0].click().run()
    assert not app.exception
    assert app.session_state["reader"] == known
    assert [title.value for title in app.title] == ["Inside"]
    said = " ".join(element.value for element in app.sidebar.markdown)
    assert r"Dr \*Known\*" in said
    assert "unverified" in said


def test_who_types_a_name_is_not_disturbed_by_another_new_account(app, own_installation):
    """The browser keeps what is being typed only in an input that stays the same one."""
    known = add_reader(own_installation, "Ada")
    app.session_state["reader"] = known
    app.run()
    [before] = app.sidebar.selectbox
    add_reader(own_installation, "Bo")
    app.run()
    [after] = app.sidebar.selectbox
    assert after.options == ["Ada", "Bo"]
    assert after.proto.id == before.proto.id


def test_a_store_that_cannot_be_opened_is_said(app, own_installation, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NEUROTRIAGE_STORAGE", str(tmp_path / "file" / "below"))
    config.settings.cache_clear()
    app.run()
    assert not app.exception
    assert "The store cannot be opened" in app.error[0].value
    assert readers(own_installation) == []
