"""The way of chosen files into the store: in a thread, so that the reader may go elsewhere."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.errors import NeuroTriageError
from core.services.installation import Installation
from core.services.submit import Upload, submit
from core.types import BatchItem, BatchProgress, Reader, StudyDetails
from pages.components.batch_list import counts, remember_names
from pages.components.memory import return_memory
from pages.components.text import escaped
from pages.components.times import day
from pages.components.upload_files import next_upload
from pages.components.visit import room_problem

log = logging.getLogger(__name__)

_SLOT, _RECEIPT = "sending", "receipt"
# A few files are stored so soon that a progress bar would only flicker.
_AT_ONCE_SECONDS = 0.7


class Sending:
    """Files on their way into the store. It goes on whatever becomes of the page.

    It holds the files until they are stored, and where that fails, until they are sent again.
    """

    def __init__(
        self,
        installation: Installation,
        reader: Reader,
        files: list[UploadedFile],
        details: StudyDetails,
    ) -> None:
        self.total = len(files)
        self.handed = 0
        self.dealt_with = 0
        # In this session only: what is stored has neutral names where names may tell who it is.
        self.names: list[str] = []
        self.result: BatchProgress | None = None
        self.problem: str | None = None
        self._work = (installation, reader, details)
        self._files = files
        # Not a daemon: a program that is stopped stores first what it has accepted.
        self._thread = threading.Thread(target=self._run, name="upload")

    def start(self) -> None:
        self._thread.start()

    def again(self) -> Sending:
        """The same once more, not started yet."""
        installation, reader, details = self._work
        return Sending(installation, reader, self._files, details)

    def finished(self, wait: float = 0) -> bool:
        """Whether everything is stored, after at most ``wait`` seconds."""
        self._thread.join(wait)
        return not self._thread.is_alive()

    def _run(self) -> None:
        installation, reader, details = self._work
        try:
            self.result = submit(installation, reader, self._uploads(), details, self._count)
            self._files = []
            return_memory()
        except NeuroTriageError as error:
            self.problem = str(error)
        except Exception:
            log.exception("An upload was not stored to its end")
            self.problem = "A fault in the program stopped it."

    def _uploads(self) -> Iterator[Upload]:
        for file in self._files:
            self.handed += 1
            yield Upload(file.name, file)

    def _count(self, item: BatchItem) -> None:
        self.names.append(item.name)
        self.dealt_with += 1


def sending() -> Sending | None:
    """What is on its way in this session; once it has arrived, its receipt is kept instead."""
    current: Sending | None = st.session_state.get(_SLOT)
    if current is None or not current.finished():
        return current
    del st.session_state[_SLOT]
    st.session_state[_RECEIPT] = current
    if current.result is not None:
        remember_names(current.result.batch_id, current.names)
    return None


def send_button(
    installation: Installation,
    reader: Reader,
    files: list[UploadedFile],
    details: StudyDetails | None,
) -> None:
    """Send what was chosen, with what the fields say at this moment; begin the next upload."""
    count = "1 file" if len(files) == 1 else f"{len(files)} files"
    busy = sending() is not None
    ready = bool(files) and details is not None and not busy
    with st.container(horizontal=True, vertical_alignment="center"):
        sent = st.button(f"Send {count}" if files else "Send", type="primary", disabled=not ready)
        st.caption(_meaning(files, details, busy))
    if sent and (problem := room_problem()):
        st.error(problem, icon=":material/sd_card_alert:")
    elif sent:
        new = _started(Sending(installation, reader, files, details))
        # Not before: Streamlit may end this run at any such line, and the files would be lost.
        next_upload()
        new.finished(wait=_AT_ONCE_SECONDS)
        st.rerun()


def _started(new: Sending) -> Sending:
    st.session_state[_SLOT] = new
    new.start()
    return new


def _meaning(files: list[UploadedFile], details: StudyDetails | None, busy: bool) -> str:
    if files and busy:
        return "The upload before this one is still being stored."
    if not files or details is None:
        return "Files are received once they are sent and stored."
    if details.patient_reference is None:
        return (
            "Without a patient reference every picture becomes a case of its own, and every DICOM "
            "study and NIfTI volume one."
        )
    study = escaped(details.patient_reference)
    study += f", {day(details.study_date)}" if details.study_date else ", without a study date"
    return f"What is sent becomes part of one case: {study}."


@st.fragment(run_every=1)
def show_sending(current: Sending) -> None:
    """How far it is; the page goes on by itself once everything is stored."""
    if current.finished():
        st.rerun()
    pictures = "picture" if current.dealt_with == 1 else "pictures"
    st.progress(
        current.handed / current.total,
        text=f"Storing file {current.handed} of {current.total}, {current.dealt_with} {pictures} "
        "so far. You may prepare the next upload or go to another page: storing goes on.",
    )


def show_receipt() -> int | None:
    """What became of the upload sent last from this page; its number where the reader should look.

    None where nothing was refused or known before.
    """
    sent: Sending | None = st.session_state.get(_RECEIPT)
    if sent is None:
        return None
    if sent.result is None:
        st.error(
            f"**The upload was not stored to its end.** {sent.problem}\n\nIts first "
            f"{sent.dealt_with} pictures are stored or refused. Please send it again: what was "
            "stored is recognised and not scored twice.",
            icon=":material/error:",
        )
        if not st.button("Send it again", icon=":material/refresh:"):
            return None
        if problem := room_problem():
            st.error(problem, icon=":material/sd_card_alert:")
        else:
            _started(sent.again())
            st.rerun()
        return None
    result = sent.result
    stored = result.received + result.linked
    if not stored:
        st.error(
            f"Nothing of upload {result.batch_id} was stored. {counts(result)}. The reasons are "
            "below.",
            icon=":material/error:",
        )
        return result.batch_id
    text = f"Upload {result.batch_id} is stored. {counts(result)}."
    if result.rejected:
        st.warning(f"{text} The reasons are below.", icon=":material/warning:")
    else:
        st.success(text, icon=":material/check_circle:")
    return result.batch_id if result.rejected or result.linked else None
