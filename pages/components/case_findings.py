"""What the model says of one scan, and what stands in the way of it."""

import streamlit as st

from core.services import words
from core.services.installation import Installation
from core.services.review import StoredScan
from core.types import Reader, ScoringState
from pages.components.case_actions import Place, try_again
from pages.components.case_state import OpenCase, show_error
from pages.components.probability_chart import probability_chart
from pages.components.times import clock


def show_findings(scan: StoredScan, key: str) -> None:
    """The probabilities and the size of the outlined region; nothing while it is not analysed.

    Args:
        scan: the scan.
        key: of the chart.
    """
    analysis = scan.analysis
    if analysis is None:
        return
    finding = analysis.finding
    with st.container(border=True, key="case_findings"):
        chart, text = st.columns([1, 1], gap="medium")
        explanation = words.explanation(finding, analysis.decision_threshold)
        with chart:
            st.plotly_chart(
                probability_chart(finding, analysis.decision_threshold),
                key=key,
                config={"displayModeBar": False},
                alt=explanation,
            )
        with text:
            st.markdown(f"##### The model: {words.headline(finding)}")
            st.caption(explanation)
            if finding.lesion:
                share = words.percent(finding.lesion.area_fraction)
                st.markdown(
                    f"**Size of the outlined region.** {words.measurements(finding.lesion)} "
                    f"It takes {share} of the head in this slice."
                )
            else:
                st.markdown("**Size.** No region was outlined.")
            st.caption(
                f"Model {finding.model_version} · analysed {clock(analysis.created_at)} · "
                f"{scan.width} × {scan.height} pixels, {scan.source_format}. {words.DISCLAIMER}"
            )


def show_state(scan: StoredScan) -> None:
    """Whether the model has still to look at the scan, or could not."""
    if scan.state is ScoringState.QUEUED:
        text = "This scan waits for the model. You can read it now"
        st.info(
            f"{text}; the page shows the analysis when it is there.",
            icon=":material/hourglass_top:",
        )
    if scan.state is ScoringState.FAILED:
        st.error(
            f"**The model could not analyse this scan.** {scan.failure or ''} Please read it "
            "without the model.",
            icon=":material/error:",
        )


def show_retry(installation: Installation, me: Reader, opened: OpenCase, failed: bool) -> None:
    """The way to have failed scans tried again, and what came of it."""
    if failed:
        st.button(
            "Try the analysis again",
            icon=":material/refresh:",
            key="case_retry",
            on_click=try_again,
            args=(installation, me, opened),
        )
    show_error(opened, Place.SCAN)


def show_distribution_warning(scan: StoredScan) -> None:
    """That the scan is unlike those of the training, where it is."""
    warning = words.distribution_warning(scan.analysis.finding) if scan.analysis else None
    if warning:
        st.warning(warning, icon=":material/warning:")
