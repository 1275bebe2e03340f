"""The cases of one page, and the way to the others."""

from datetime import UTC, datetime
from functools import partial

import streamlit as st

from core.errors import StoreError
from core.services.installation import Installation
from core.services.worklist import thumbnail
from core.types import Reader, SortKey, WorklistCounters, WorklistPage
from pages.components.guide import show_guide
from pages.components.installation import TOLD_APART
from pages.components.media import media_url
from pages.components.samples import offer_samples
from pages.components.worklist_actions import release_case, take_case
from pages.components.worklist_filters import clear_filters, filters_are_set
from pages.components.worklist_rows import table_row
from pages.components.worklist_table import Sorting, worklist_table
from pages.components.worklist_view import View


def show_cases(
    installation: Installation,
    me: Reader,
    view: View,
    page: WorklistPage,
    totals: WorklistCounters,
) -> None:
    """The table; opening a row leads to the case's page."""
    first, last = view.cases_before + 1, view.cases_before + len(page.rows)
    caption = f"Cases {first} to {last}"
    if not filters_are_set():
        caption += f" of {totals.waiting}"
    opened = worklist_table(
        [
            table_row(case, rank, me, partial(_picture_url, installation, f"worklist.{rank}"))
            for rank, case in enumerate(page.rows, start=first)
        ],
        caption=caption,
        content_id=repr(view.query),
        sorting=Sorting(view.sort.value, view.descending),
        selected=view.selected,
        epoch=view.epoch,
        came_from=view.came_from,
        note=_models(page),
        updated=datetime.now(UTC).isoformat(),
        on_sort=lambda key: view.sort_by(SortKey(key)),
        on_select=view.selected_in_browser,
        on_take=partial(take_case, installation, me, view),
        on_release=partial(release_case, installation, me, view),
    )
    if opened is not None:
        view.came_from = opened
        st.switch_page("pages/case.py", query_params={"case": str(opened)})
    _show_pager(view, page, caption)


def show_nothing(
    installation: Installation, me: Reader, view: View, totals: WorklistCounters
) -> None:
    """Why there is no case to see, and what to do."""
    is_new = not any(totals.by_status.values())
    with st.container(border=True, key="worklist_empty"):
        if is_new:
            st.subheader("No cases yet", anchor=False)
            st.write(
                "Upload brain MRI scans. They are scored in the background and appear here in "
                "order of urgency, each with the reasons."
            )
            # Above the guide: a newcomer should not have to scroll for it.
            offer_samples(installation, me, first=True)
            st.page_link("pages/upload.py", label="Upload scans", icon=":material/upload:")
            show_guide()
        elif filters_are_set():
            st.subheader("No case fits the filters", anchor=False)
            st.button(
                f"Show all {totals.waiting} open cases",
                key="worklist_show_all",
                on_click=clear_filters,
                args=(view,),
            )
        else:
            st.subheader("Every case is reported", anchor=False)
            st.write("New uploads appear here by themselves.")
    if not is_new:
        offer_samples(installation, me)


def _show_pager(view: View, page: WorklistPage, caption: str) -> None:
    with st.container(
        horizontal=True,
        horizontal_alignment="center",
        vertical_alignment="center",
        key="worklist_pager",
    ):
        st.button(
            "Previous",
            icon=":material/chevron_left:",
            key="worklist_previous",
            disabled=view.page == 1,
            on_click=view.to_previous_page,
        )
        st.markdown(caption, width="content")
        st.button(
            "Next",
            icon=":material/chevron_right:",
            icon_position="right",
            key="worklist_next",
            disabled=page.cursor is None,
            on_click=view.to_next_page,
            args=(page.cursor,),
        )


def _models(page: WorklistPage) -> str:
    """Which model says what the page shows."""
    models = sorted({case.model_version for case in page.rows if case.model_version})
    if not models:
        return ""
    return f"Calibrated probabilities by model{'s' * (len(models) > 1)} {', '.join(models)}."


def _picture_url(installation: Installation, slot: str, key: str) -> str | None:
    try:
        return media_url(_picture(installation, key), "image/png", slot)
    except StoreError:
        return None


# A key stands for its content, so that nothing here is ever out of date; and a page of pictures
# every few seconds for every reader is a lot to ask of a folder that may lie on another machine.
@st.cache_data(max_entries=1000, show_spinner=False, hash_funcs=TOLD_APART)
def _picture(installation: Installation, key: str) -> bytes:
    return thumbnail(installation, key)
