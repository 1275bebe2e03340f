"""A reader's latest uploads: how far they are, and what became of each file."""

from dataclasses import replace

import streamlit as st

from core.errors import StoreError
from core.services.installation import Installation
from core.services.submit import batch_items, recent_batches, retry_batch
from core.services.words import duration
from core.services.workers import worker_problem
from core.types import BatchItem, BatchProgress, ItemOutcome, Reader
from pages.components.text import escaped
from pages.components.times import clock
from pages.components.visit import follow_workspace

_NAMES_SLOT = "upload-names"
_REFRESH_SECONDS = 2
_FILES_SHOWN = 200
_ORDER = (ItemOutcome.REJECTED, ItemOutcome.LINKED, ItemOutcome.RECEIVED)
_NAMES = {
    ItemOutcome.REJECTED: "Refused",
    ItemOutcome.LINKED: "Known before",
    ItemOutcome.RECEIVED: "Received",
}


def counts(batch: BatchProgress) -> str:
    """What became of a batch's files, in words."""
    parts = {"received": batch.received, "known before": batch.linked, "refused": batch.rejected}
    said = ", ".join(f"{count} {what}" for what, count in parts.items() if count)
    return f"{_files(batch.files)}: {said}" if said else "no files yet"


def remember_names(batch_id: int, names: list[str]) -> None:
    """Keep, for this session, what the files of an upload are called on their sender's disk.

    Names of files often say who the patient is and are not stored; the sender may see them.

    Args:
        batch_id: the upload.
        names: in the order in which its files were dealt with.
    """
    st.session_state.setdefault(_NAMES_SLOT, {})[batch_id] = names


def show_batches(installation: Installation, reader: Reader, opened: int | None) -> None:
    """The latest uploads, kept up to date while something waits for the model.

    Args:
        installation: where they are.
        reader: whose they are.
        opened: the upload whose files are shown without being asked for, if any.
    """
    waiting = any(batch.waiting for batch in recent_batches(installation, reader))
    refreshed = st.fragment(_show_batches, run_every=_REFRESH_SECONDS if waiting else None)
    refreshed(installation, reader, waiting, opened)


def _show_batches(
    installation: Installation, reader: Reader, waited: bool, opened: int | None
) -> None:
    try:
        batches = recent_batches(installation, reader)
    except StoreError:
        follow_workspace()
        raise
    if waited and not any(batch.waiting for batch in batches):
        st.rerun()  # without the refreshing
    problem = worker_problem(installation) if waited else None
    if problem:
        st.warning(problem, icon=":material/warning:")
    if not batches:
        st.caption("Nothing was uploaded by this reader yet.")
    for batch in batches:
        with st.container(border=True):
            _show_batch(installation, reader, batch, batch.batch_id == opened)


def _show_batch(
    installation: Installation, reader: Reader, batch: BatchProgress, opened: bool
) -> None:
    st.markdown(f"**Upload {batch.batch_id}** · {clock(batch.created_at)} · {counts(batch)}")
    if not batch.finished:
        st.caption(
            ":material/hourglass_top: Not all files of this upload are stored yet. If it stays so, "
            "storing was broken off: please send them again. What was stored is recognised."
        )
    done = batch.scored + batch.failed
    if batch.waiting:
        st.progress(done / (done + batch.waiting), text=_progress_text(batch))
    elif done:
        st.caption(f":material/check: {batch.scored} of {_scans(done)} scored")
    if batch.failed:
        failed = "1 scan" if batch.failed == 1 else f"{batch.failed} scans"
        st.warning(
            f"{failed} could not be scored and stand in the worklist as failed.",
            icon=":material/error:",
        )
        if st.button("Try again", icon=":material/refresh:", key=f"retry-{batch.batch_id}"):
            retry_batch(installation, reader, batch.batch_id)
            st.rerun()
    files = st.expander("Files", opened, key=f"files-{batch.batch_id}", on_change="rerun")
    with files:
        if files.open:
            _show_items(_named(batch.batch_id, batch_items(installation, reader, batch.batch_id)))


def _named(batch_id: int, items: list[BatchItem]) -> list[BatchItem]:
    """The files under their own names, where this session sent them."""
    names: list[str] = st.session_state.get(_NAMES_SLOT, {}).get(batch_id, [])
    if len(names) != len(items):
        return items
    return [replace(item, name=name) for item, name in zip(items, names, strict=True)]


def _progress_text(batch: BatchProgress) -> str:
    done = batch.scored + batch.failed
    text = f"Scored {done} of {_scans(done + batch.waiting)}"
    if batch.seconds_left is None:
        return f"{text} · waiting for the model"
    about = "about " if batch.seconds_left >= 60 else ""
    return f"{text} · {about}{duration(batch.seconds_left / 60)} left"


def _show_items(items: list[BatchItem]) -> None:
    """What needs a look first: refused files, then known ones, then the rest."""
    items = sorted(items, key=lambda item: (_ORDER.index(item.outcome), item.reason is None))
    st.table(
        {
            "File": [escaped(item.name) for item in items[:_FILES_SHOWN]],
            "Outcome": [_outcome(item) for item in items[:_FILES_SHOWN]],
            "Case": [_case_link(item) for item in items[:_FILES_SHOWN]],
        },
        border="horizontal",
        hide_index=True,
    )
    if len(items) > _FILES_SHOWN:
        st.caption(f"… and {len(items) - _FILES_SHOWN} more.")


def _outcome(item: BatchItem) -> str:
    name = _NAMES[item.outcome]
    return f"{name}: {escaped(item.reason)}" if item.reason else name


def _case_link(item: BatchItem) -> str:
    return f"[#{item.case_id}](case?case={item.case_id})" if item.case_id else "–"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _scans(count: int) -> str:
    return "1 scan" if count == 1 else f"{count} scans"
