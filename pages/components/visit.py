"""A visitor of the demonstration: the private workspace, kept over reloads until it is deleted."""

from __future__ import annotations

import logging
from pathlib import Path

import streamlit as st
from streamlit import config as streamlit_config

from core import config
from core.errors import InputError, NeuroTriageError
from core.services.samples import load_samples
from core.services.workspaces import Workspace, Workspaces, WorkspacesFullError
from pages.components.engine import shared_engine
from pages.components.held_files import bound_held_files
from pages.components.memory import return_at_once

log = logging.getLogger(__name__)

_COOKIE = "neurotriage_workspace"
# The browser keeps the key longer than the server keeps the workspace: so a visitor who comes back
# too late is told, and has the samples again.
_COOKIE_SECONDS = 24 * 3600
_SAMPLES_MARK = "-samples"
_TOKEN, _READER = "workspace", "reader"
_EXPIRED, _HAD_SAMPLES = "workspace_expired", "workspace_had_samples"
# What belongs to the browser's session and not to the workspace that is gone.
_KEPT = frozenset({"lost-files", "wanted_page"})
_LOOK_SECONDS, _WARN_MINUTES = 30, 5
_UPLOAD_SIZE = "server.maxUploadSize"
_keep = st.components.v2.component(
    "workspace_cookie",
    js=(Path(__file__).parent / "workspace_cookie" / "workspace_cookie.js").read_text("utf-8"),
)


@st.cache_resource(show_spinner="Preparing the demonstration …")
def _workspaces() -> Workspaces:
    return_at_once()  # What such a demonstration runs on has little memory.
    # Small pictures of what was deleted would stay in the caches of the pages otherwise.
    workspaces = Workspaces(config.settings(), shared_engine, on_delete=st.cache_data.clear)
    workspaces.keep_sweeping()
    return workspaces


def _bound_uploads() -> None:
    """Have the server refuse larger files, and more of them, than visitors may send."""
    # At every run: Streamlit forgets it when one of its configuration files changes.
    most = config.settings().demo.megabytes
    if streamlit_config.get_option(_UPLOAD_SIZE) > most:
        streamlit_config.set_option(_UPLOAD_SIZE, most)
    bound_held_files()


def own_workspace() -> Workspace:
    """The workspace of this session's visitor; where all are taken, a message instead of the page.

    A session that comes with the cookie of an earlier one goes on where that one was.
    """
    _bound_uploads()
    before = st.session_state.get(_TOKEN)
    remembered, marked = _cookie()
    token = before or remembered
    try:
        workspace = _workspaces().enter(token)
    except WorkspacesFullError as error:
        st.title("The demonstration is full")
        st.info(str(error), icon=":material/group:")
        st.stop()
    if before != workspace.token:
        if token is not None and token != workspace.token:
            _begin_anew(had_samples=marked if before is None else None)
        st.session_state[_TOKEN] = workspace.token
    return workspace


def show_visit(passing: bool = False) -> None:
    """Say what the demonstration keeps and for how long, and have the browser find it again.

    The visitor reads under an account of the workspace without having to choose one.

    Args:
        passing: whether this run leads to another page, so that nobody sees what it says.
    """
    if not config.settings().demo.active:
        return
    workspace = own_workspace()
    # Here and not with the workspace: a page knows by the reader that its visitor came by the front
    # door, past the disclaimer.
    st.session_state.setdefault(_READER, workspace.reader)
    if passing:
        return
    if st.session_state.get(_EXPIRED):
        text = "Your earlier workspace was deleted with everything in it. You have a new one."
        if st.session_state.get(_HAD_SAMPLES) and _samples_again(workspace):
            text += " The sample scans were loaded again."
        # Not before: Streamlit may end this run while the samples are stored.
        del st.session_state[_EXPIRED]
        st.info(text, icon=":material/auto_delete:")
    st.session_state[_HAD_SAMPLES] = workspace.has_samples
    mark = _SAMPLES_MARK if workspace.has_samples else ""
    _keep(
        key="workspace_cookie",
        data={"name": _COOKIE, "token": workspace.token + mark, "seconds": _COOKIE_SECONDS},
        height=1,
    )
    _show_time_left()


def follow_workspace() -> None:
    """Run the page anew where its workspace is gone: a new one opens, and the page says so.

    For the parts of pages that refresh by themselves, once they cannot read the store.
    """
    if config.settings().demo.active and _workspaces().find(st.session_state.get(_TOKEN)) is None:
        st.rerun(scope="app")


def remember_samples() -> None:
    """Note that this visitor has loaded the samples: they come back if the workspace is lost."""
    if config.settings().demo.active:
        own_workspace().has_samples = True


def room_problem() -> str | None:
    """Why this visitor cannot store more, in words; None where there is room."""
    if not config.settings().demo.active:
        return None
    try:
        own_workspace().room.check()
    except InputError as error:
        return str(error)
    return None


@st.fragment(run_every=_LOOK_SECONDS)
def _show_time_left() -> None:
    workspace = _workspaces().find(st.session_state.get(_TOKEN))
    if workspace is None:
        st.rerun(scope="app")
    minutes = _workspaces().minutes_left(workspace)
    if minutes >= _WARN_MINUTES:
        st.caption(
            f":material/lock: Demonstration: only you see this workspace. It is deleted with "
            f"everything in it in {minutes} minutes, sooner if you are away while others wait for "
            "a place or when the server restarts. Do not upload scans of real patients."
        )
        return
    when = "in less than a minute"
    if minutes:
        when = f"in {minutes} minute{'s' if minutes > 1 else ''}"
    st.warning(
        f"This workspace of the demonstration is deleted {when}, with everything in it. Please "
        "download now what you want to keep.",
        icon=":material/auto_delete:",
    )


def _begin_anew(had_samples: bool | None) -> None:
    """Forget what this session knew of the workspace that is gone, and have the next page say so.

    Args:
        had_samples: as the cookie says; None to go by what the session knows.
    """
    if had_samples is None:
        had_samples = bool(st.session_state.get(_HAD_SAMPLES))
        # Cases that the session has open, and what was typed for them, are gone.
        for name in set(st.session_state) - _KEPT:
            del st.session_state[name]
    st.session_state[_EXPIRED] = True
    st.session_state[_HAD_SAMPLES] = had_samples


def _samples_again(workspace: Workspace) -> bool:
    try:
        with st.spinner("Storing the sample scans …"):
            load_samples(workspace.installation, workspace.reader)
            workspace.has_samples = True
    except NeuroTriageError as error:
        log.warning("The samples were not loaded again: %s", error)
        return False
    return True


def _cookie() -> tuple[str | None, bool]:
    """The key that the browser brought, and whether its workspace had the samples."""
    value = st.context.cookies.get(_COOKIE) or ""
    return value.removesuffix(_SAMPLES_MARK) or None, value.endswith(_SAMPLES_MARK)
