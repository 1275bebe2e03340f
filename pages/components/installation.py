"""The installation, opened once a process and shared by all sessions."""

import gc

import streamlit as st

from core.errors import StoreError
from core.services.installation import Installation, open_installation
from core.services.workers import start_embedded_worker
from pages.components.engine import shared_engine


@st.cache_resource(show_spinner="Opening the worklist …")
def _opened() -> Installation:
    installation = open_installation()
    if installation.settings.worker == "embedded":
        start_embedded_worker(installation, shared_engine)
    # Modules stay for good: a collection of garbage, which stops every other thread, need not look
    # through them each time.
    gc.collect()
    gc.freeze()
    return installation


def shared_installation() -> Installation:
    """The installation; where its store cannot be opened, a message instead of the page."""
    try:
        return _opened()
    except StoreError as error:
        st.error(f"**The store cannot be opened, so nothing can be shown or saved.**\n\n{error}")
        st.stop()
