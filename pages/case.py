"""One case: its scans, what the model says of them, and what readers say."""

import streamlit as st

from pages.components.case_header import requested_case, show_header, show_live, show_news
from pages.components.case_history import show_history
from pages.components.case_reading import show_reading
from pages.components.case_scans import show_scans
from pages.components.case_state import opened_case_or_stop
from pages.components.installation import shared_installation
from pages.components.reader import signed_in_reader

installation, me = shared_installation(), signed_in_reader()
opened, view = opened_case_or_stop(installation, me, requested_case())

show_header(installation, me, opened, view)
show_live(installation, me, opened, view)
show_news(opened)

with st.container(key="case_desk"):
    scans, reading = st.columns([13, 7], gap="medium")
    with scans:
        show_scans(installation, me, opened, view)
    with reading:
        show_reading(installation, me, opened, view)
show_history(view)
