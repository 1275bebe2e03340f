"""How many bytes of uploaded files the demonstration holds for one visitor, and for all of them.

Streamlit keeps every uploaded file in memory until its session ends, which is up to two minutes
after the tab was closed, and bounds the size of each one only: no setting and no public hook bounds
their sum. All of them go through the one ``add_file`` of the server's file manager, so that is what
is replaced here. Only what has arrived is counted, not what is on its way.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import streamlit as st
from starlette.exceptions import HTTPException
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from core import config
from core.config import DemoRules
from pages.components.text import escaped

log = logging.getLogger(__name__)

_MEGABYTE = 1_000_000
_NAMES_SHOWN, _SESSIONS_NOTED, _LOOK_SECONDS = 10, 100, 3
_UNKNOWN = (
    "This version of Streamlit keeps uploaded files in another way than the one in "
    "requirements.txt: how much memory they take in the demonstration is not bounded."
)


class HeldFiles:
    """Takes the place of the file manager's ``add_file`` and refuses what would be too much.

    Half of what all may hold is divided among the places of the demonstration: so much every
    visitor can send, whatever the others do. The other half is for who comes first.

    Args:
        manager: of the server.
        demo: the limits.
    """

    def __init__(self, manager: MemoryUploadedFileManager, demo: DemoRules) -> None:
        self._storage = manager.file_storage
        self._add: Callable[[str, UploadedFileRec], None] = manager.add_file
        self._each = demo.held_megabytes * _MEGABYTE
        self._common = demo.held_megabytes_of_all * _MEGABYTE // 2
        self._share = self._common // demo.workspaces
        self._lock = threading.Lock()
        # Until the session begins with a new uploader: names, and the reason for the last one.
        self._refused: dict[str, tuple[list[str], str]] = {}

    def add_file(self, session_id: str, file: UploadedFileRec) -> None:
        """Keep the file.

        Raises:
            HTTPException: too much is held already; the server answers the browser with it.
        """
        with self._lock:
            problem = self._problem(session_id, file)
            if problem is None:
                self._add(session_id, file)
            self._note(session_id, file.name, problem)
        if problem is None:
            return
        raise HTTPException(413, problem)

    def refused(self, session_id: str) -> tuple[list[str], str] | None:
        """The names of what was refused last, and why; None where nothing was."""
        with self._lock:
            return self._refused.get(session_id)

    def forget(self, session_id: str) -> None:
        """Say no more of what was refused."""
        with self._lock:
            self._refused.pop(session_id, None)

    def _note(self, session_id: str, name: str, problem: str | None) -> None:
        names, before = self._refused.pop(session_id, ([], ""))
        names = [one for one in names if one != name]
        if problem is not None:
            names = [*names, name][-_NAMES_SHOWN:]
        if names:
            self._refused[session_id] = names, problem or before
        # Sessions end without a word; the oldest notes are theirs.
        for one in list(self._refused)[:-_SESSIONS_NOTED]:
            del self._refused[one]

    def _problem(self, session_id: str, file: UploadedFileRec) -> str | None:
        held = {name: _size(files) for name, files in list(self._storage.items())}
        # Sent again, a file takes its own place.
        known = self._storage.get(session_id, {}).get(file.file_id)
        own = held.get(session_id, 0) + len(file.data) - (len(known.data) if known else 0)
        held[session_id] = own
        if own > self._each:
            return (
                f"A visitor of the demonstration can have {self._each // _MEGABYTE} MB of files "
                "in the uploader at once. Please send the others first, or choose fewer or smaller "
                "ones."
            )
        beyond = sum(max(0, size - self._share) for size in held.values())
        # A visitor may have several sessions: their shares alone would not bound the sum.
        too_much = sum(held.values()) > 2 * self._common
        if too_much or (own > self._share and beyond > self._common):
            return (
                "At the moment the visitors of the demonstration hold as many files as it has "
                "memory for. Please try again in a few minutes, or with smaller files."
            )
        return None


def bound_held_files() -> None:
    """Have the server refuse what would be too much; once is enough, more often does no harm."""
    context = get_script_run_ctx()
    manager = context.uploaded_file_mgr if context else None
    if manager is None or _bounds_of(manager):
        return
    storage = getattr(manager, "file_storage", None)
    if isinstance(manager, MemoryUploadedFileManager) and isinstance(storage, dict):
        # Of the object, not of its class: each server of this process has a manager of its own.
        bounds = HeldFiles(manager, config.settings().demo)
        setattr(manager, "add_file", bounds.add_file)  # noqa: B010
    else:
        _say_unknown()


def show_refused() -> None:
    """Say which files were refused: the uploader itself shows no more than the number 413."""
    if config.settings().demo.active:
        _show_refused()


# A refused file alone makes no new run of the page.
@st.fragment(run_every=_LOOK_SECONDS)
def _show_refused() -> None:
    context = get_script_run_ctx()
    bounds = _bounds_of(context.uploaded_file_mgr) if context else None
    if context is None or bounds is None:
        return
    refused = bounds.refused(context.session_id)
    if refused is None:
        return
    names, problem = refused
    shown = ", ".join(escaped(name) for name in names)
    st.error(f"**Not taken: {shown}.** {problem}", icon=":material/sd_card_alert:")


def forget_refused() -> None:
    """Say no more of what was refused to this session."""
    context = get_script_run_ctx()
    bounds = _bounds_of(context.uploaded_file_mgr) if context else None
    if context is not None and bounds is not None:
        bounds.forget(context.session_id)


def _bounds_of(manager: object) -> HeldFiles | None:
    bounds = getattr(getattr(manager, "add_file", None), "__self__", None)
    return bounds if isinstance(bounds, HeldFiles) else None


@st.cache_resource(show_spinner=False)
def _say_unknown() -> None:
    log.error(_UNKNOWN)


def _size(files: dict[str, UploadedFileRec]) -> int:
    return sum(len(file.data) for file in list(files.values()))
