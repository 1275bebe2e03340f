"""The reader's side of a case: whose it is, what was read so far, the decision and the notes."""

import streamlit as st

from core.services import words
from core.services.installation import Installation
from core.services.review import NOTE_LENGTH, CaseView, after_saving
from core.types import CLASSES, CaseStatus, Reader, RequestedPriority, TumourClass
from pages.components.case_actions import (
    LEFT,
    Place,
    give_back,
    save_decision,
    save_note,
    save_without_reading,
    take_over,
)
from pages.components.case_state import OpenCase, follow, show_error
from pages.components.text import escaped
from pages.components.times import clock


@st.fragment
def show_reading(installation: Installation, me: Reader, opened: OpenCase, view: CaseView) -> None:
    """The panel beside the scan.

    The analysis may arrive and another reader may report while a note is being typed, and the
    browser loses what it has not sent yet of an input that leaves its place, if only until the rest
    of the page has arrived. So each part has a container of its own, whatever there is to show.
    """
    follow(opened)
    still_open = view.own is None and view.summary.status is not CaseStatus.REPORTED
    with st.container(key="case_standing"):
        _show_standing(installation, me, opened, view)
    with st.container(border=True, key="case_decision"):
        with st.container(key="case_class"):
            if still_open:
                st.markdown("##### Your reading")
                _decision_inputs(installation, me, opened, view)
            else:
                _show_correction(installation, me, opened, view)
        hint = "Saved with your reading, or without one." if still_open else None
        _note_input(opened, hint)
        with st.container(key="case_end"):
            if still_open:
                show_error(opened, Place.DECISION, Place.NOTE)
                with st.container(horizontal=True, key="case_save"):
                    _save_buttons(installation, me, opened, with_note=True)
                    st.button(
                        "Save without reading",
                        key="case_save_note",
                        help="Keeps the note and a corrected urgency; the case stays open.",
                        on_click=save_without_reading,
                        args=(installation, me, opened, opened.version),
                    )
            else:
                show_error(opened, Place.NOTE)
                st.button(
                    "Save the note",
                    key="case_save_note",
                    on_click=save_note,
                    args=(installation, me, opened),
                )
    _show_notes(view)
    _show_reasons(view)


def _show_correction(
    installation: Installation, me: Reader, opened: OpenCase, view: CaseView
) -> None:
    """The inputs of a case that was read already, folded away."""
    title = "Change your reading" if view.own else "Correct the report"
    with st.expander(title, icon=":material/edit:", key="case_again"):
        _decision_inputs(installation, me, opened, view)
        show_error(opened, Place.DECISION)
        with st.container(horizontal=True, key="case_save"):
            _save_buttons(installation, me, opened, with_note=False)


def _show_standing(
    installation: Installation, me: Reader, opened: OpenCase, view: CaseView
) -> None:
    """What the model says, who read it as what, what is missing, and whose case it is."""
    analysis = view.scans[view.leading].analysis
    if analysis:
        st.markdown(f"#### {words.headline(analysis.finding)}")
        probability = words.percent(analysis.finding.tumour_probability)
        threshold = words.percent(analysis.decision_threshold)
        st.caption(f"Model: tumour probability {probability}, threshold {threshold}")
    for one in view.readings:
        remarks = [clock(one.decided_at)]
        if one.mask_wrong:
            remarks.append("mask wrong")
        if one.asks_second:
            remarks.append("asks for a second reader")
        who = "You" if one.reader.id == me.id else escaped(words.account_name(one.reader))
        st.markdown(
            f":material/stethoscope: **{who}**: {words.CLASS_NAMES[one.finding]} "
            f"({', '.join(remarks)})"
        )
    case = view.summary
    if case.status is CaseStatus.REPORTED:
        st.success("**Reported.**", icon=":material/task_alt:")
        return
    if view.readings and view.missing:
        st.info(view.missing, icon=":material/group_add:")
    label, action, args = "Take it over", take_over, (opened.version,)
    if case.assignee is None:
        text, label = "Nobody’s case: yours once you save.", "Start review"
    elif case.assignee.id == me.id:
        text, label, action, args = "Your case.", "Give it back", give_back, ()
    else:
        text = f"The case of {escaped(words.account_name(case.assignee))}."
    says, acts = st.columns([5, 3], vertical_alignment="center")
    says.markdown(text)
    acts.button(
        label,
        key="case_assign",
        width="stretch",
        on_click=action,
        args=(installation, me, opened, *args),
    )
    show_error(opened, Place.STANDING)


def _decision_inputs(
    installation: Installation, me: Reader, opened: OpenCase, view: CaseView
) -> None:
    """What the reader decides, and what saving it would mean."""
    analysis = view.scans[view.leading].analysis
    shares = analysis.finding.probabilities if analysis else None
    finding = st.radio(
        "Class",
        CLASSES,
        index=None,
        format_func=lambda c: _option(c, shares),
        key=opened.key("finding"),
        persist_state="session",
        help="Nothing is preset. The model's class confirms it, another one overrides it.",
    )
    st.selectbox(
        "Urgency",
        [LEFT, *RequestedPriority],
        format_func=lambda one: words.REQUESTED_NAMES.get(one) or _urgency_now(view),
        key=opened.key("urgency"),
        persist_state="session",
    )
    with st.container(horizontal=True, gap="small", key="case_marks"):
        st.checkbox(
            "Mask is wrong",
            key=opened.key("mask_wrong"),
            persist_state="session",
            help="It outlines something else, too much or too little, or misses a lesion.",
        )
        asks_second = st.checkbox(
            "Ask for a second reader", key=opened.key("asks_second"), persist_state="session"
        )
    if finding is not None:
        st.caption(_consequence(installation, me, view, finding, asks_second))


def _option(finding: TumourClass, shares: dict[TumourClass, float] | None) -> str:
    name = words.CLASS_NAMES[finding]
    return f"{name} :gray[· model {words.percent(shares[finding])}]" if shares else name


def _save_buttons(
    installation: Installation, me: Reader, opened: OpenCase, with_note: bool
) -> None:
    for label, key, kind, then_next in (
        ("Save and next", "case_save_next", "primary", True),
        ("Save", "case_save_only", "secondary", False),
    ):
        st.button(
            label,
            key=key,
            type=kind,
            on_click=save_decision,
            args=(installation, me, opened, opened.version, with_note, then_next),
        )


def _note_input(opened: OpenCase, hint: str | None) -> None:
    st.text_area(
        "Note",
        height=90,
        max_chars=NOTE_LENGTH,
        key=opened.note_key,
        persist_state="session",
        help=hint,
        placeholder="No names or other identity of the patient",
    )


def _show_notes(view: CaseView) -> None:
    for note in view.notes:
        with st.container(key=f"case_note_{note.id}", gap=None):
            st.caption(f"{escaped(words.account_name(note.reader))}, {clock(note.written_at)}")
            st.text(note.text)


def _show_reasons(view: CaseView) -> None:
    with st.expander("Why it stands where it stands", icon=":material/sort:"):
        for reason in view.summary.reasons:
            points = f" (+{reason.points:.0f} points)" if reason.points >= 0.5 else ""
            st.markdown(f"- {escaped(reason.text)}{points}")
        if view.details.indication:
            st.markdown(f"**Indication.** {escaped(view.details.indication)}")


def _consequence(
    installation: Installation, me: Reader, view: CaseView, finding: TumourClass, asks: bool
) -> str:
    """What saving this would mean."""
    model = view.summary.predicted
    if model is None:
        text = "The model has not analysed this case."
    elif model is finding:
        text = "You confirm the model."
    else:
        text = f"You override the model’s {words.CLASS_NAMES[model].lower()}."
    missing = after_saving(installation, me, view, finding, asks)
    return f"{text} {missing or 'With this reading the case is reported.'}"


def _urgency_now(view: CaseView) -> str:
    case = view.summary
    if case.urgency is not None:
        return f"Leave it: corrected to {words.REQUESTED_NAMES[case.urgency].lower()}"
    return f"Leave it: requested as {words.REQUESTED_NAMES[case.requested].lower()}"
