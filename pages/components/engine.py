"""The engine, loaded once a process and shared by all sessions."""

import streamlit as st

from core.errors import WeightsError
from core.services.analyse import Engine, load_engine


@st.cache_resource(show_spinner="Loading the model …")
def shared_engine() -> Engine:
    return load_engine()


def engine_or_stop() -> Engine:
    """The engine; where there are no usable weights, a message instead of the rest of the page."""
    try:
        return shared_engine()
    except WeightsError as error:
        st.error(f"**The model cannot be loaded, so no scan can be analysed.**\n\n{error}")
        st.stop()
