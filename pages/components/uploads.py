"""The uploader, and the results of what it holds."""

import hashlib

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.services.analyse import SUPPORTED_SUFFIXES, Engine, Failure, Source, analyse_all
from core.services.pictures import Preview, preview

# Each result holds some 5 MB for as long as its file stays in the uploader.
MOST_SCANS = 20

Shown = Preview | Failure


def upload_scans() -> list[UploadedFile]:
    """The uploaded files, at most ``MOST_SCANS``."""
    uploads = st.file_uploader(
        "Brain MRI slices (JPEG, PNG, TIFF, BMP or WebP)",
        type=[suffix.removeprefix(".") for suffix in SUPPORTED_SUFFIXES],
        accept_multiple_files=True,
    )
    if len(uploads) > MOST_SCANS:
        st.warning(
            f"{len(uploads)} files were uploaded; the first {MOST_SCANS} are shown. "
            "For more at a time, use the command line (`python -m core analyse`)."
        )
    return uploads[:MOST_SCANS]


def analysed(engine: Engine, uploads: list[UploadedFile]) -> list[Shown]:
    """One result an upload, in order; what this session analysed before is not done again."""
    known: dict[tuple[str, str, str], Shown] = st.session_state.get("results", {})
    keys = [_key(engine, upload) for upload in uploads]
    missing = {
        key: Source(upload.name, upload.getvalue())
        for key, upload in zip(keys, uploads, strict=True)
        if key not in known
    }
    fresh: dict[tuple[str, str, str], Shown] = {}
    if missing:
        bar = st.progress(0.0, text="Analysing …")
        outcomes = analyse_all(engine, missing.values())
        for done, (key, outcome) in enumerate(zip(missing, outcomes, strict=True), start=1):
            fresh[key] = outcome if isinstance(outcome, Failure) else preview(outcome)
            bar.progress(done / len(missing), text=f"Analysed {done} of {len(missing)}")
        bar.empty()
    results = {key: fresh[key] if key in fresh else known[key] for key in keys}
    # Only what is in the uploader is kept: that bounds the memory of a session.
    st.session_state["results"] = results
    return [results[key] for key in keys]


def _key(engine: Engine, upload: UploadedFile) -> tuple[str, str, str]:
    content = hashlib.sha256(upload.getvalue()).hexdigest()
    return upload.name, content, engine.model_version
