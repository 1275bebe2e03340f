"""The top of a case: which it is, how urgent, who else has it open, and the ways on."""

import re
from functools import partial
from pathlib import Path

import streamlit as st

from core.errors import StoreError
from core.services import words
from core.services.installation import Installation
from core.services.report import case_pdf
from core.services.review import CaseView
from core.services.review_presence import present
from core.types import Band, CaseStatus, Reader, ScoringState, WaitState
from pages.components.case_actions import skip
from pages.components.case_results import show_results
from pages.components.case_state import OpenCase, no_case
from pages.components.samples import show_sample
from pages.components.text import escaped
from pages.components.times import clock, day
from pages.components.visit import follow_workspace
from pages.components.worklist_view import current_view

_STYLES = Path(__file__).with_name("case.css")
_NUMBER = re.compile(r"#?([0-9]{1,18})")
_PRESENCE_SECONDS = 15
# A reader who waits for the analysis should not wait much longer than it takes.
_WAITING_SECONDS = 3
# Colours only repeat what the words say.
_BAND_COLOURS = {Band.IMMEDIATE: "red", Band.SOON: "orange", Band.ROUTINE: "gray"}
_WAIT_COLOURS = {
    WaitState.ON_TIME: "gray",
    WaitState.DUE_SOON: "orange",
    WaitState.OVER_TARGET: "red",
}
_WAIT_ICONS = {
    WaitState.ON_TIME: ":material/schedule:",
    WaitState.DUE_SOON: ":material/hourglass_bottom:",
    WaitState.OVER_TARGET: ":material/alarm:",
}


def requested_case() -> int:
    """The case that the address names; where it names none, a message instead of the page."""
    asked = st.query_params.get("case", "").strip()
    found = _NUMBER.fullmatch(asked)
    if found:
        return int(found[1])
    if asked:
        no_case("No such case", "The address does not hold the number of a case.")
    no_case("No case is open", "Please open one from the worklist.")


def show_header(installation: Installation, me: Reader, opened: OpenCase, view: CaseView) -> None:
    """Title, state and the buttons that lead elsewhere."""
    if opened.ended:
        opened.ended = False
        current_view().message = f"{opened.done or ''} No further case waits for you.".lstrip()
        opened.done = None
        st.switch_page("pages/worklist.py")
    st.html(_STYLES)
    case = view.summary
    with st.container(horizontal=True, vertical_alignment="center", key="case_header"):
        st.page_link("pages/worklist.py", label="Worklist", icon=":material/arrow_back:")
        name = case.patient_reference or f"Case {case.id}"
        with st.container(key="case_title"):
            st.subheader(escaped(name), anchor=False)
        st.download_button(
            "Report (PDF)",
            data=partial(case_pdf, installation, me, case.id),
            file_name=f"neurotriage-case-{case.id}.pdf",
            mime="application/pdf",
            icon=":material/picture_as_pdf:",
            on_click="ignore",
            key="case_pdf",
        )
        show_results(installation, me, view)
        st.button(
            "Next case",
            icon=":material/skip_next:",
            key="case_next",
            help="Opens the next most urgent case and leaves this one as it is.",
            on_click=skip,
            args=(installation, me, opened),
        )
    with st.container(horizontal=True, vertical_alignment="center", key="case_badges"):
        st.badge(words.STATUS_NAMES[case.status], color="blue", icon=":material/radiology:")
        urgency = f"Urgency: {words.BAND_NAMES[case.band].lower()}"
        st.badge(urgency, color=_BAND_COLOURS[case.band], icon=":material/priority_high:")
        waited = f"Waited {words.duration(case.waited_minutes)}, {words.against_target(case)}"
        st.badge(waited, color=_WAIT_COLOURS[case.wait_state], icon=_WAIT_ICONS[case.wait_state])
        if case.flagged:
            st.badge("Flagged for a human look", color="violet", icon=":material/flag:")
        st.caption(_about(view))
    show_sample(view)
    if opened.done:
        st.toast(opened.done, icon=":material/check:", duration="long")
        opened.done = None


def show_live(installation: Installation, me: Reader, opened: OpenCase, view: CaseView) -> None:
    """Who else has the case open; the page follows where somebody or the model changed it."""
    waiting = any(scan.state is ScoringState.QUEUED for scan in view.scans)

    def live() -> None:
        try:
            others, version = present(installation, me, opened.id)
        except StoreError as error:
            follow_workspace()
            st.error(str(error))
            return
        if version != opened.version:
            st.rerun()
        for one in others:
            who = escaped(words.account_name(one.reader))
            since = f" since {clock(one.since)}" if one.since else ""
            st.info(
                f"**{who}** has this case open{since}. If both of you save, the second is told, "
                "and nothing is overwritten.",
                icon=":material/group:",
            )

    with st.container(key="case_live"):
        st.fragment(live, run_every=_WAITING_SECONDS if waiting else _PRESENCE_SECONDS)()


def show_news(opened: OpenCase) -> None:
    """What others did to the case while it was open here."""
    with st.container(key="case_news"):
        if not opened.news:
            return
        lines = "\n".join(
            f"- {clock(entry.at)}, {escaped(entry.who)}: {escaped(entry.text)}"
            for entry in opened.news
        )
        st.warning(
            f"**This case changed while you had it open.** What you entered is still here.\n\n"
            f"{lines}",
            icon=":material/sync_problem:",
        )


def _about(view: CaseView) -> str:
    details, case = view.details, view.summary
    parts = [f"Case {case.id}"]
    if details.study_date:
        parts.append(f"study of {day(details.study_date)}")
    if details.site:
        parts.append(escaped(details.site))
    parts.append("1 scan" if case.scan_count == 1 else f"{case.scan_count} scans")
    parts.append(f"requested as {words.REQUESTED_NAMES[case.requested].lower()}")
    if case.urgency is not None:
        parts.append(f"corrected to {words.REQUESTED_NAMES[case.urgency].lower()}")
    if case.status is not CaseStatus.REPORTED:
        parts.append(
            f"{escaped(words.account_name(case.assignee))}’s" if case.assignee else "nobody’s"
        )
    return " · ".join(parts)
