"""The installation: one for all sessions of a process, or in the demonstration one a visitor."""

import gc
import os

import streamlit as st

from core import config
from core.errors import StoreError
from core.services.installation import Installation, open_installation
from core.services.workers import start_embedded_worker
from pages.components.engine import shared_engine
from pages.components.visit import own_workspace

# For the caches of what pages show, which all sessions of the process share: by this they keep
# apart what belongs to different installations, as the demonstration's visitors have them.
TOLD_APART = {Installation: lambda one: one.identity}


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


def read_secrets() -> None:
    """Make settings among the secrets environment variables, where the program looks for them."""
    # Streamlit does so with texts and numbers by itself, not with true and false.
    if not st.secrets.load_if_toml_exists():
        return
    for name, value in st.secrets.to_dict().items():
        is_ours = isinstance(value, bool) and name.upper().startswith("NEUROTRIAGE_")
        if is_ours and os.environ.get(name) != str(value).lower():
            os.environ[name] = str(value).lower()


def shared_installation() -> Installation:
    """The installation; where its store cannot be opened, a message instead of the page."""
    # Before the settings are read for the first time, by whatever page a server's first visitor
    # asks for: ``streamlit_app.py`` need not have run, see ``signed_in_reader``.
    read_secrets()
    try:
        if config.settings().demo.active:
            return own_workspace().installation
        return _opened()
    except StoreError as error:
        st.error(f"**The store cannot be opened, so nothing can be shown or saved.**\n\n{error}")
        st.stop()
