"""What can be done with the cases of the list, selected or not."""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from core.errors import NeuroTriageError
from core.services.installation import Installation
from core.services.words import account_name
from core.services.worklist import assign, cases_csv, take, worklist_csv
from core.types import Reader, WorklistPage
from pages.components.text import escaped
from pages.components.worklist_view import View

_ASSIGN_TO = "worklist_assign_to"


def take_case(installation: Installation, me: Reader, view: View, case: int) -> None:
    """Assign a case of nobody's to the reader; that somebody was faster is told."""
    view.message = _told(lambda: take(installation, me, case))


def release_case(installation: Installation, me: Reader, view: View, case: int) -> None:
    """Give one case back."""
    view.message = _told(lambda: assign(installation, me, [case], None))


def show_actions(
    installation: Installation,
    me: Reader,
    everybody: Sequence[Reader],
    view: View,
    page: WorklistPage,
) -> None:
    """The bar above the table. It is always there, so that a selection moves nothing."""
    count = len(view.selected)
    hidden = len(set(view.selected) - {case.id for case in page.rows})
    says = f"**{count}** selected" if count else ":gray[None selected]"
    if hidden:
        says += f", {hidden} not shown"
    with st.container(
        horizontal=True, vertical_alignment="center", gap="xsmall", key="worklist_actions"
    ):
        st.markdown(says, width=125)
        st.button(
            "Assign to me",
            icon=":material/person_add:",
            key="worklist_assign_to_me",
            disabled=not count,
            on_click=_assign_selected,
            args=(installation, me, view, lambda: me),
        )
        by_id = {reader.id: reader for reader in everybody}
        st.menu_button(
            "Assign to …",
            list(by_id),
            format_func=lambda number: escaped(account_name(by_id[number])),
            key=_ASSIGN_TO,
            disabled=not count,
            on_click=_assign_selected,
            args=(installation, me, view, lambda: by_id[st.session_state[_ASSIGN_TO]]),
        )
        st.button(
            "Release",
            key="worklist_release",
            disabled=not count,
            help="The selected cases are nobody’s again.",
            on_click=_assign_selected,
            args=(installation, me, view, lambda: None),
        )
        st.button(
            "Clear",
            type="tertiary",
            key="worklist_deselect",
            disabled=not count,
            on_click=view.select,
            args=([],),
        )


def show_export(installation: Installation, me: Reader, view: View) -> None:
    """The button for the table. It stands outside what refreshes by itself: every run of the script
    takes back the download that the button of the run before offers, and a click may come between.
    """
    st.download_button(
        "Export as a table (CSV)",
        partial(_exported, installation, me, view),
        file_name="worklist.csv",
        mime="text/csv",
        key="worklist_export",
        icon=":material/download:",
        on_click="ignore",
        help="The selected cases; where none is selected, all that the filters let through, on "
        "all pages.",
    )


def _exported(installation: Installation, me: Reader, view: View) -> bytes:
    if view.selected:
        return cases_csv(installation, me, view.selected)
    return worklist_csv(installation, me, view.query)


def _assign_selected(
    installation: Installation, me: Reader, view: View, assignee: Callable[[], Reader | None]
) -> None:
    whom, count = assignee(), len(view.selected)
    try:
        changed = assign(installation, me, view.selected, whom)
    except NeuroTriageError as error:
        view.message = str(error)
        return
    done = "released" if whom is None else f"assigned to {whom.name}"
    view.message = f"{changed} {'case' if changed == 1 else 'cases'} {done}."
    if changed < count:
        view.message += " The others were so already, or are reported."
    view.select([])


def _told(step: Callable[[], object]) -> str | None:
    """Take a step; what stood against it, or None."""
    try:
        step()
    except NeuroTriageError as error:
        return str(error)
    return None
