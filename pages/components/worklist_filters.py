"""Which cases the worklist shows."""

from collections.abc import Sequence
from enum import StrEnum

import streamlit as st

from core.services.words import CLASS_NAMES, STATUS_NAMES, account_name
from core.types import CLASSES, CaseStatus, Reader, TumourClass, WorklistQuery
from pages.components.worklist_view import View

OPEN, EVERYTHING = "All open", "All, reported too"
ANY_FINDING = "Any finding"
ANYBODY, NOBODY = "Any assignee", "Unassigned"


class Only(StrEnum):
    """Narrows the list to cases that need a look first."""

    FLAGGED = "Flagged"
    OVER_TARGET = "Over target"


_DEFAULTS = {
    "worklist_search": "",
    "worklist_status": OPEN,
    "worklist_finding": ANY_FINDING,
    "worklist_assignee": ANYBODY,
    "worklist_only": [],
}


def worklist_query(view: View, me: Reader, everybody: Sequence[Reader]) -> WorklistQuery:
    """The filters, and with the order and page of the view what they ask for."""
    with st.container(horizontal=True, vertical_alignment="center", key="worklist_filters"):
        search = st.text_input(
            "Search",
            placeholder="Reference or #case",
            type="search",
            live="300ms",
            icon=":material/search:",
            label_visibility="collapsed",
            width=190,
            **_kept("worklist_search", view),
        )
        status = st.selectbox(
            "Status",
            [OPEN, *CaseStatus, EVERYTHING],
            format_func=lambda one: STATUS_NAMES.get(one, one),
            label_visibility="collapsed",
            width=150,
            **_kept("worklist_status", view),
        )
        finding = st.selectbox(
            "Model says",
            [ANY_FINDING, *CLASSES],
            format_func=lambda one: CLASS_NAMES.get(one, one),
            label_visibility="collapsed",
            width=150,
            **_kept("worklist_finding", view),
        )
        others = {reader.id: account_name(reader) for reader in everybody}
        assignee = st.selectbox(
            "Assignee",
            [ANYBODY, me.id, NOBODY, *(number for number in others if number != me.id)],
            format_func=lambda one: "Mine" if one == me.id else others.get(one, one),
            label_visibility="collapsed",
            width=150,
            **_kept("worklist_assignee", view),
        )
        only = st.pills(
            "Only",
            list(Only),
            selection_mode="multi",
            label_visibility="collapsed",
            width="content",
            **_kept("worklist_only", view),
        )
        if filters_are_set():
            st.button(
                "Clear filters",
                type="tertiary",
                icon=":material/filter_alt_off:",
                key="worklist_clear",
                on_click=clear_filters,
                args=(view,),
            )
    return WorklistQuery(
        statuses=_statuses(status),
        predicted=None if finding == ANY_FINDING else TumourClass(finding),
        assignee_id=assignee if isinstance(assignee, int) else None,
        unassigned=assignee == NOBODY,
        flagged=Only.FLAGGED in only,
        over_target=Only.OVER_TARGET in only,
        search=search.strip(),
        sort=view.sort,
        reverse=view.reverse,
        limit=view.page_size,
        after=view.after,
    )


def filters_are_set() -> bool:
    return any(st.session_state.get(key, value) != value for key, value in _DEFAULTS.items())


def clear_filters(view: View) -> None:
    for key, value in _DEFAULTS.items():
        st.session_state[key] = value
    view.to_first_page()


def _kept(key: str, view: View) -> dict:
    """What every filter has: it outlives a visit to a case, and a change starts at page one."""
    st.session_state.setdefault(key, _DEFAULTS[key])
    return {"key": key, "persist_state": "session", "on_change": view.to_first_page}


def _statuses(chosen: str) -> tuple[CaseStatus, ...]:
    if chosen == OPEN:
        return ()
    return tuple(CaseStatus) if chosen == EVERYTHING else (CaseStatus(chosen),)
