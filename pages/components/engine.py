"""The engine, loaded once a process and shared by all sessions."""

import streamlit as st

from core.errors import WeightsError
from core.services.analyse import Engine, load_engine


# Without a spinner of its own: the worker's thread calls it too, and has no page to show it on.
@st.cache_resource(show_spinner=False)
def shared_engine() -> Engine:
    return load_engine()


def engine_or_stop() -> Engine:
    """The engine; where there are no usable weights, a message instead of the rest of the page."""
    try:
        with st.spinner("Loading the model …"):
            return shared_engine()
    except WeightsError as error:
        st.error(f"**The model cannot be loaded, so no scan can be analysed.**\n\n{error}")
        st.stop()
