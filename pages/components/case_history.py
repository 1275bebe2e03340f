"""Who did what to a case, when."""

import streamlit as st

from core.services.review import CaseView
from pages.components.text import escaped
from pages.components.times import clock


def show_history(view: CaseView) -> None:
    """The audit log of the case, newest first."""
    with st.expander(f"History ({len(view.history)})", icon=":material/history:"):
        rows = []
        for entry in reversed(view.history):
            what = " ".join(entry.text.split())
            rows.append(f"| {clock(entry.at)} | {escaped(entry.who)} | {escaped(what)} |")
        # A table of the page itself: it can be read by keyboard and screen reader.
        st.markdown("\n".join(["| When | Who | What |", "|---|---|---|", *rows]))
