"""A visitor's workspace on the pages: how its end is announced, told and followed."""

import json

import pytest
import streamlit as st
from streamlit import config as streamlit_config
from streamlit.testing.v1 import AppTest

from core import config
from core.services import analyse, review_presence
from core.services import worklist as worklist_service
from core.services.samples import samples
from core.services.submit import Upload, submit
from core.services.worklist import worklist_page
from core.services.workspaces import Workspaces
from core.types import StudyDetails, WorklistQuery
from pages.components import case_header, visit
from tests.fakes import FakeEngine, scan_png
from tests.pages.harness import components, new_app, shown

DELETED = "Your earlier workspace was deleted"


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def start(own_installation, monkeypatch, clock):
    """Start the server: once more, and its workspaces are gone."""
    monkeypatch.setenv("NEUROTRIAGE_DEMO__MODE", "on")
    monkeypatch.setenv("NEUROTRIAGE_DEMO__WORKSPACES", "3")
    usual = streamlit_config.get_option("server.maxUploadSize")
    config.settings.cache_clear()
    few = tuple(one for one in samples() if one.kind == "PNG")[:2]
    monkeypatch.setattr("core.services.samples.samples", lambda: few)
    monkeypatch.setattr("pages.components.samples.samples", lambda: few)
    started = []

    def again():
        for one in started[-1:]:
            one.close()
        started.append(Workspaces(config.settings(), FakeEngine, clock=clock))
        monkeypatch.setattr(visit, "_workspaces", lambda: started[-1])
        return started[-1]

    again()
    yield again
    started[-1].close()
    streamlit_config.set_option("server.maxUploadSize", usual)


@pytest.fixture
def cookie(start, monkeypatch):
    """What the browser brings with a new session."""
    brought = {}
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: brought))
    return brought


def opened():
    """The front door with the worklist, in a new session."""
    return shown(new_app().run())


def kept_cookie(app):
    """What the page has the browser keep."""
    [cookie] = components(app, "workspace_cookie")
    return json.loads(cookie.json)


def notes(app):
    return [one.value for one in app.info if DELETED in one.value]


def own(app):
    return visit._workspaces().find(app.session_state["workspace"])


def cases(app):
    return worklist_page(own(app).installation, WorklistQuery()).rows


def test_the_page_says_how_long_the_workspace_lives_and_warns_before_its_end(cookie, clock):
    app = opened()
    assert any("with everything in it in 60 minutes" in one.value for one in app.caption)
    assert not notes(app)
    cookie["neurotriage_workspace"] = app.session_state["workspace"]
    for seconds, said in ((55 * 60 + 1, "in 4 minutes"), (4 * 60, "in less than a minute")):
        clock.now += seconds
        assert any(f"is deleted {said}" in one.value for one in opened().warning)


@pytest.mark.parametrize(("before", "after"), [(200, 25), (10, 10)])
def test_the_server_refuses_files_larger_than_visitors_may_send(cookie, before, after):
    for _ in range(2):
        # Also after Streamlit has read its configuration anew.
        streamlit_config.set_option("server.maxUploadSize", before)
        opened()
        assert streamlit_config.get_option("server.maxUploadSize") == after


def test_the_banner_looks_by_itself_and_begins_anew_once_the_workspace_is_gone(start, clock):
    def page():
        import streamlit as st

        from pages.components import visit

        if "again" in st.session_state:
            st.write("the whole page again")
        else:
            st.session_state["again"] = True
            visit._show_time_left()
            st.write("never")

    app = AppTest.from_function(page, default_timeout=60)
    app.session_state["workspace"] = visit._workspaces().enter(None).token
    clock.now += 3601
    assert [one.value for one in shown(app.run()).markdown] == ["the whole page again"]


def end_before(monkeypatch, clock, where, name):
    """The workspace ends while the page is open, and this is the first to notice."""
    real, calls = getattr(where, name), []

    def ended(*args, **kwargs):
        calls.append(1)
        if len(calls) == 1:
            clock.now += 3601
            visit._workspaces().sweep()
        return real(*args, **kwargs)

    monkeypatch.setattr(where, name, ended)


def test_the_worklist_of_a_workspace_that_is_gone_shows_no_error(cookie, clock, monkeypatch):
    app = opened()
    first = app.session_state["workspace"]
    end_before(monkeypatch, clock, worklist_service, "worklist_page")
    app = shown(app.run())
    assert not app.error
    assert len(notes(app)) == 1
    assert app.session_state["workspace"] != first


def test_the_case_of_a_workspace_that_is_gone_shows_no_error(cookie, clock, monkeypatch):
    workspace = visit._workspaces().enter(None)
    cookie["neurotriage_workspace"] = workspace.token
    submit(workspace.installation, workspace.reader, [Upload("a.png", scan_png())], StudyDetails())
    app = opened()
    app.query_params["case"] = "1"
    # The page alone: the harness leaves out what stands around it.
    app = shown(app.switch_page("pages/case.py").run())
    assert app.session_state["workspace"] == workspace.token
    assert case_header.present is review_presence.present
    end_before(monkeypatch, clock, case_header, "present")
    app = shown(app.run())
    assert not app.error
    assert app.session_state["workspace"] != workspace.token
    assert len(notes(app)) == 1


def test_a_reload_finds_the_workspace_again_without_a_note(cookie):
    app = opened()
    cookie["neurotriage_workspace"] = kept_cookie(app)["token"]
    again = opened()
    assert again.session_state["workspace"] == app.session_state["workspace"]
    assert not notes(again)


@pytest.mark.parametrize("end", ["expiry", "restart"])
def test_who_comes_back_too_late_is_told(end, cookie, start, clock):
    kept = kept_cookie(opened())
    # The browser still has it when the workspace is gone.
    assert kept["seconds"] > 2 * 3600
    cookie["neurotriage_workspace"] = kept["token"]
    if end == "expiry":
        clock.now += 3700
    else:
        start()
    app = opened()
    assert len(notes(app)) == 1
    # Said once.
    assert "workspace_expired" not in app.session_state
    assert not cases(app)


@pytest.mark.parametrize("page", ["upload", "worklist"])
def test_who_comes_back_to_another_page_after_a_restart_is_told_there(page, cookie, start):
    """A new server sends its first visitor to the front door, and from there to the page."""
    app = opened()
    [button] = [one for one in app.button if one.key == "samples_load"]
    shown(button.click().run())
    cookie["neurotriage_workspace"] = f"{app.session_state['workspace']}-samples"
    start()
    app = new_app()
    app.session_state["wanted_page"] = page, {}
    shown(app.run())
    titles = {"upload": "Upload scans", "worklist": "Worklist"}
    assert [one.value for one in app.title] == [titles[page]]
    assert len(notes(app)) == 1
    assert "loaded again" in notes(app)[0]
    assert len(cases(app)) == 2
    assert "wanted_page" not in app.session_state


@pytest.mark.parametrize("end", ["expiry", "restart", "open page"])
def test_the_samples_come_back(end, cookie, start, clock):
    app = opened()
    [button] = [one for one in app.button if one.key == "samples_load"]
    shown(button.click().run())
    cookie["neurotriage_workspace"] = app.session_state["workspace"]
    app = opened()
    kept = kept_cookie(app)["token"]
    assert kept == f"{app.session_state['workspace']}-samples"
    cookie["neurotriage_workspace"] = kept
    clock.now += 0 if end == "restart" else 3700
    if end == "restart":
        start()
    app = shown(app.run()) if end == "open page" else opened()
    assert [one.split(". ")[-1] for one in notes(app)] == ["The sample scans were loaded again."]
    assert len(cases(app)) == 2
    assert kept_cookie(app)["token"] == f"{app.session_state['workspace']}-samples"


def test_samples_that_were_not_loaded_do_not_come_back(cookie, start):
    cookie["neurotriage_workspace"] = kept_cookie(opened())["token"]
    start()
    assert not cases(opened())


def test_what_a_quick_look_kept_goes_with_the_workspace(start, clock, monkeypatch):
    monkeypatch.setattr(analyse.Engine, "load", lambda *_, **__: FakeEngine())
    freed = []
    monkeypatch.setattr("pages.components.uploads.forget_orphans", lambda: freed.append(1))
    app = opened().switch_page("pages/analyse.py").run()
    app.file_uploader[0].upload("one.png", scan_png(), "image/png")
    shown(app.run())
    assert app.session_state["results"]
    uploader, before = app.file_uploader[0].id, len(freed)
    clock.now += 61 * 60
    shown(app.run())
    assert "results" not in app.session_state
    assert app.file_uploader[0].id != uploader
    assert len(freed) > before
