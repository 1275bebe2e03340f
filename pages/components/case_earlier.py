"""Earlier cases of the same patient reference, and how the lesion changed since."""

from collections.abc import Callable

import streamlit as st

from core.services import words
from core.services.review import CaseView, EarlierCase
from core.services.review_change import Measure
from pages.components.times import day


def show_earlier(
    view: CaseView, beside: EarlierCase | None, on_beside: Callable[[int | None], None]
) -> None:
    """The earlier cases; ``on_beside`` gets the one to put beside the scan, or None."""
    if view.details.patient_reference is None:
        st.caption("Earlier scans are found by the patient reference; this case has none.")
        return
    if not view.earlier:
        st.caption("There are no earlier scans of this patient reference.")
        return
    st.markdown("##### Earlier scans of this patient reference")
    if view.scans[view.measured].series_id is not None:
        st.caption("Compared is the slice that has the largest outlined region here.")
    elif len(view.scans) > 1:
        st.caption(
            f"Compared is scan {view.measured + 1}, which has the largest outlined region here."
        )
    for one in view.earlier:
        with st.container(border=True, key=f"case_earlier_{one.id}"):
            st.markdown(f"**{day(one.made_on)}** · [case {one.id}](case?case={one.id})")
            st.markdown(_findings(one))
            for measure in one.change.measures:
                st.markdown(f"- {change_in_words(measure)}")
            st.caption(one.change.remark)
            shown = beside is not None and beside.id == one.id
            st.button(
                "Take away" if shown else "Put beside the scan",
                icon=":material/close:" if shown else ":material/compare:",
                key=f"case_beside_{one.id}",
                on_click=on_beside,
                args=(None if shown else one.id,),
            )


def change_in_words(measure: Measure) -> str:
    """A size then and now, with the change as such and in percent."""
    digits = 0 if measure.unit == "mm²" else 1
    before, now = (f"{one:.{digits}f}" for one in (measure.before, measure.now))
    text = f"{measure.name}: {before} → {now} {measure.unit}"
    if before == now:
        return f"{text} (no change)"
    sign = "+" if measure.change > 0 else "−"
    # Of percentages, the difference is none in percent.
    unit = "percentage points" if measure.unit == "%" else measure.unit
    change = f"{sign}{abs(measure.change):.{digits}f} {unit}"
    if measure.relative is not None:
        change += f", {sign}{abs(measure.relative) * 100:.0f} %"
    return f"{text} ({change})"


def _findings(one: EarlierCase) -> str:
    model = words.headline(one.scan.analysis.finding) if one.scan.analysis else "not analysed"
    read = words.CLASS_NAMES[one.decision.finding] if one.decision else "not read yet"
    return f"Model: {model}. Reader: {read} ({words.STATUS_NAMES[one.status].lower()})."
