"""The uploader, and the results of what it holds."""

import hashlib
import secrets
from functools import partial

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core import config
from core.services.analyse import Engine, Failure, Source, analyse_all, single_slice
from core.services.pictures import Preview, preview
from pages.components.held_files import show_refused
from pages.components.installation import shared_installation
from pages.components.memory import return_memory
from pages.components.upload_files import forget_orphans, most_megabytes, most_together

# Each result holds some 5 MB for as long as its file stays in the uploader, and the demonstration
# has little memory for many visitors.
MOST_SCANS, MOST_IN_DEMO = 20, 4
_NUMBER = "quick-look-number"

Shown = Preview | Failure


def upload_scans() -> list[UploadedFile]:
    """The uploaded files, at most ``MOST_SCANS``, in the demonstration ``MOST_IN_DEMO``."""
    most = MOST_IN_DEMO if config.settings().demo.active else MOST_SCANS
    # A workspace that ends takes the number along, and with it what was uploaded.
    key = f"quick-look-{st.session_state.setdefault(_NUMBER, secrets.randbelow(10**9))}"
    if key not in st.session_state:
        forget_orphans()
    # Without a list of types: DICOM files often have names without a suffix, and what is no scan is
    # answered with the reason.
    uploads = st.file_uploader(
        "Brain MRI slices: JPEG, PNG, TIFF, BMP or WebP, or DICOM or NIfTI of one slice; up to "
        f"{most} files at once{most_together()}",
        accept_multiple_files=True,
        key=key,
        max_upload_size=most_megabytes(),
    )
    show_refused()
    if len(uploads) > most:
        st.warning(
            f"{len(uploads)} files were uploaded; the first {most} are shown. "
            "For more at a time, use the command line (`python -m core analyse`)."
        )
    return uploads[:most]


def analysed(engine: Engine, uploads: list[UploadedFile]) -> tuple[list[Shown], bool]:
    """One result an upload, in order, and whether one of them is new.

    What this session analysed before is not done again.
    """
    known: dict[tuple[str, str, str], Shown] = st.session_state.get("results", {})
    keys = [_key(engine, upload) for upload in uploads]
    limits = shared_installation().settings.upload
    missing = {
        key: Source(upload.name, partial(single_slice, upload.getvalue(), limits))
        for key, upload in zip(keys, uploads, strict=True)
        if key not in known
    }
    fresh: dict[tuple[str, str, str], Shown] = {}
    if missing:
        bar = st.progress(0.0, text="Analysing …")
        outcomes = analyse_all(engine, missing.values())
        for done, (key, outcome) in enumerate(zip(missing, outcomes, strict=True), start=1):
            fresh[key] = outcome if isinstance(outcome, Failure) else preview(outcome)
            # Each run of a page has a heap of its own, and what one has free no other one uses.
            return_memory()
            bar.progress(done / len(missing), text=f"Analysed {done} of {len(missing)}")
        bar.empty()
    results = {key: fresh[key] if key in fresh else known[key] for key in keys}
    # Only what is in the uploader is kept: that bounds the memory of a session.
    st.session_state["results"] = results
    return [results[key] for key in keys], bool(missing)


def _key(engine: Engine, upload: UploadedFile) -> tuple[str, str, str]:
    content = hashlib.sha256(upload.getvalue()).hexdigest()
    return upload.name, content, engine.model_version
