"""The uploader, what of its files is gone, and how the memory they take is given back.

Streamlit keeps uploaded files in memory until the session ends: neither a new key nor another page
frees them. And after a lost connection the browser goes on showing files that a new session does
not have; Streamlit leaves those out without a word.
"""

import secrets

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core import config
from pages.components.held_files import forget_refused, show_refused
from pages.components.text import escaped

_KEY, _LOST, _NUMBER = "upload-files", "lost-files", "upload-number"
_NAMES_SHOWN = 10


def note_lost_files() -> None:
    """Remember which files the browser shows although this session has just begun.

    They were uploaded to an earlier one, whose server has ended or given it up, and their bytes are
    gone. Call it before anything can stop the session's first run: only then are the names there.
    """
    if _LOST in st.session_state:
        return
    context = get_script_run_ctx()
    states = context.session_state.get_widget_states() if context else []
    st.session_state[_LOST] = [
        info.name
        for state in states
        if _KEY in state.id
        for info in state.file_uploader_state_value.uploaded_file_info
    ]


def chosen_files(number: int, most: int) -> list[UploadedFile]:
    """The files to send; empty, with a message, where they are too many.

    Args:
        number: of the upload this page is at; the next one begins with an empty uploader.
        most: files that can be sent at once.
    """
    key = f"{_KEY}-{number}"
    if key not in st.session_state:
        forget_orphans()
    # Without a list of types: whatever is chosen is sent, and listed with the reason where it is
    # refused, instead of being dropped by the browser.
    files = st.file_uploader(
        "Scans: DICOM, NIfTI, JPEG, PNG, TIFF, BMP or WebP, or ZIP archives of them; up to "
        f"{most} files at once{most_together()}",
        accept_multiple_files=True,
        key=key,
        max_upload_size=most_megabytes(),
        help="For more files, or a whole folder, put them into one ZIP archive.",
    )
    show_refused()
    _say_what_is_lost()
    if len(files) > most:
        st.error(
            f"{len(files)} files were chosen; at most {most} can be sent at once. Please clear "
            "the list, put the files into one ZIP archive and choose that.",
            icon=":material/folder_zip:",
        )
        st.button("Clear the list", on_click=next_upload, key="clear-too-many")
        return []
    return files


def most_megabytes() -> int | None:
    """Size of a file that the browser sends; None for the server's own limit."""
    demo = config.settings().demo
    return demo.megabytes if demo.active else None


def most_together() -> str:
    """After a number of files: how much they may be together, where that is bounded."""
    demo = config.settings().demo
    return f", together {demo.held_megabytes} MB" if demo.active else ""


def next_upload() -> None:
    """Begin with an empty uploader and empty details."""
    st.session_state[_LOST] = []
    st.session_state[_NUMBER] = upload_number() + 1


def upload_number() -> int:
    """Which upload this page is at; a session begins where no earlier one of the browser was."""
    number: int = st.session_state.setdefault(_NUMBER, secrets.randbelow(10**9))
    return number


def forget_orphans() -> None:
    """Free what uploaders hold that are no more: this one has just appeared and has nothing yet."""
    context = get_script_run_ctx()
    if context and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_session_files(context.session_id)
    forget_refused()


def _say_what_is_lost() -> None:
    lost: list[str] = st.session_state.get(_LOST, [])
    if not lost:
        return
    shown = ", ".join(escaped(name) for name in lost[:_NAMES_SHOWN])
    rest = len(lost) - _NAMES_SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    st.warning(
        f"**The connection was lost, and with it the files chosen before: {shown}{more}.** "
        "Please choose them again. What was stored before is recognised and not scored twice.",
        icon=":material/cloud_off:",
    )
