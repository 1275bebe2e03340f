"""The worklist: every open case in order of urgency, and why it stands there."""

import logging
from dataclasses import replace

import streamlit as st

from core.errors import StoreError
from core.services.readers import readers
from core.services.worklist import counters, worklist_page
from pages.components.installation import shared_installation
from pages.components.reader import signed_in_reader
from pages.components.text import escaped
from pages.components.worklist_actions import show_actions, show_export
from pages.components.worklist_cases import show_cases, show_nothing
from pages.components.worklist_counters import show_counters
from pages.components.worklist_filters import worklist_query
from pages.components.worklist_table import COLUMNS_EXPLAINED
from pages.components.worklist_view import current_view

log = logging.getLogger(__name__)
REFRESH, REFRESH_SECONDS = "worklist_refresh", 10

installation, me, view = shared_installation(), signed_in_reader(), current_view()

with st.container(horizontal=True, vertical_alignment="center"):
    st.title("Worklist", anchor=False, width="content")
    figures = st.container(horizontal=True, width="content", gap="medium", key="worklist_figures")


def worklist() -> None:
    totals = counters(installation)
    with figures:
        show_counters(totals)
    everybody = readers(installation)
    view.query = worklist_query(view, me, everybody)
    page = worklist_page(installation, view.query)
    if not page.rows and view.page > 1:
        # What stood on this page has left the list.
        view.to_first_page()
        view.query = replace(view.query, after=None)
        page = worklist_page(installation, view.query)
    if page.rows:
        show_actions(installation, me, everybody, view, page)
        show_cases(installation, me, view, page, totals)
    else:
        show_nothing(totals, view)
    if view.message:
        st.toast(escaped(view.message))
        view.message = None


def worklist_or_message() -> None:
    try:
        worklist()
    except StoreError as error:
        log.exception("the worklist cannot be read")
        st.error(f"**The worklist cannot be read at the moment.**\n\n{error}")


refreshes = st.session_state.setdefault(REFRESH, True)
st.fragment(worklist_or_message, run_every=REFRESH_SECONDS if refreshes else None)()
with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    st.toggle(
        f"Refresh by itself every {REFRESH_SECONDS} seconds",
        key=REFRESH,
        persist_state="session",
        width="content",
        help="New cases come in and waiting times go on; your place and your selection stay.",
    )
    show_export(installation, me, view)
with st.expander("What the columns mean", icon=":material/help:"):
    st.markdown(COLUMNS_EXPLAINED)
