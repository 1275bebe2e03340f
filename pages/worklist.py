"""The worklist: every open case in order of urgency, and why it stands there."""

import logging
from dataclasses import replace

import streamlit as st

from core.errors import StoreError
from core.services.readers import readers
from core.services.worklist import counters, worklist_page
from pages.components.guide import show_guide
from pages.components.installation import shared_installation
from pages.components.reader import signed_in_reader
from pages.components.text import escaped
from pages.components.visit import follow_workspace
from pages.components.worklist_actions import show_actions, show_export
from pages.components.worklist_cases import show_cases, show_nothing
from pages.components.worklist_counters import show_counters
from pages.components.worklist_filters import worklist_query
from pages.components.worklist_table import COLUMNS_EXPLAINED
from pages.components.worklist_view import current_view

log = logging.getLogger(__name__)
REFRESH, REFRESH_SECONDS = "worklist_refresh", 10
# While the model is at work, places change by the second.
REFRESH_SECONDS_AT_WORK = 2

installation, me, view = shared_installation(), signed_in_reader(), current_view()

with st.container(horizontal=True, vertical_alignment="center"):
    st.title("Worklist", anchor=False, width="content")
    figures = st.container(horizontal=True, width="content", gap="medium", key="worklist_figures")


def worklist(at_work: bool) -> None:
    totals = counters(installation)
    if refreshes and at_work != bool(totals.images_to_score):
        st.rerun()  # at the other pace
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
        show_nothing(installation, me, view, totals)
    if view.message:
        st.toast(escaped(view.message))
        view.message = None


def worklist_or_message(at_work: bool) -> None:
    try:
        worklist(at_work)
    except StoreError as error:
        follow_workspace()
        log.exception("the worklist cannot be read")
        st.error(f"**The worklist cannot be read at the moment.**\n\n{error}")


def model_is_at_work() -> bool:
    try:
        return bool(counters(installation).images_to_score)
    except StoreError:
        return False  # which the list itself will say


refreshes = st.session_state.setdefault(REFRESH, True)
at_work = model_is_at_work()
pace = REFRESH_SECONDS_AT_WORK if at_work else REFRESH_SECONDS
st.fragment(worklist_or_message, run_every=pace if refreshes else None)(at_work)
with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    st.toggle(
        "Refresh by itself",
        key=REFRESH,
        persist_state="session",
        width="content",
        help=f"Every {REFRESH_SECONDS} seconds, every {REFRESH_SECONDS_AT_WORK} while the model is "
        "at work. New cases come in and waiting times go on; your place and your selection stay.",
    )
    show_export(installation, me, view)
with st.expander("What the columns mean", icon=":material/help:"):
    st.markdown(COLUMNS_EXPLAINED)
with st.expander("How to use NeuroTriage", icon=":material/school:"):
    show_guide()
