"""The figures on top of the worklist."""

import streamlit as st

from core.services.words import duration
from core.types import WorklistCounters


def show_counters(totals: WorklistCounters) -> None:
    median = totals.median_wait_minutes
    st.metric("Waiting", totals.waiting, help="Open cases: all that are not reported.")
    st.metric(
        "Over target",
        totals.over_target,
        help="Open cases that wait longer than the target of their urgency.",
    )
    st.metric(
        "Flagged",
        totals.flagged,
        help="Open cases for a human look although the probabilities do not ask for it: low "
        "confidence, unlike the training, class and mask contradict each other, or a scan that "
        "could not be analysed.",
    )
    st.metric(
        "Median wait",
        "–" if median is None else duration(median),
        help="Half of the open cases have waited longer.",
    )
    st.metric(
        "Images to score",
        totals.images_to_score,
        help="Uploaded pictures that the model has still to look at.",
    )
