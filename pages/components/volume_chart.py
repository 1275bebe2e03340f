"""The plot of the tumour probability along the slices of a series."""

from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st

from core.services import words
from core.services.volumes import SeriesView
from core.types import ScoringState
from pages.components.probability_chart import OTHER, PREDICTED, THRESHOLD

_HEIGHT = 200


def show_volume_chart(
    one: SeriesView, shown: int, key: str, on_choose: Callable[[int], None]
) -> None:
    """Show the plot; a click goes to a slice.

    Args:
        one: the series.
        shown: index of the slice that the viewer shows.
        key: of the plot.
        on_choose: gets the index of the slice that the reader clicks.
    """
    last_key = f"{key}_last"

    def chosen() -> None:
        points = st.session_state[key].selection.points
        # A click on the point that was clicked last takes it back, which here means the same again.
        index = int(points[0]["x"]) - 1 if points else st.session_state.get(last_key)
        if index is not None:
            st.session_state[last_key] = index
            on_choose(index)

    st.plotly_chart(
        volume_chart(one, shown),
        key=key,
        config={"displayModeBar": False},
        on_select=chosen,
        selection_mode="points",
        alt=_in_words(one),
    )


def volume_chart(one: SeriesView, shown: int) -> go.Figure:
    """A line through the tumour probabilities of the slices, the threshold and where one is.

    Hollow points are slices unlike the training, crosses such as could not be analysed; slices that
    wait leave a gap.
    """
    count = len(one.slices)
    findings = [scan.analysis.finding if scan.analysis else None for scan in one.slices]
    failed = [scan.state is ScoringState.FAILED for scan in one.slices]
    heights = [
        found.tumour_probability if found else 0.0 if broken else None
        for found, broken in zip(findings, failed, strict=True)
    ]
    symbols = [
        ("circle" if found.in_distribution else "circle-open") if found else "x"
        for found in findings
    ]
    colours = [PREDICTED if found and found.suspected else OTHER for found in findings]
    sizes = [13 if index == shown else 5 if count > 60 else 7 for index in range(count)]
    # One opacity, clicked or not: the marker is where the viewer is, not where the click was.
    same = {"marker": {"opacity": 1}}
    figure = go.Figure(
        go.Scatter(
            x=list(range(1, count + 1)),
            y=heights,
            mode="lines+markers",
            line={"color": PREDICTED, "width": 1.5},
            marker={"color": colours, "size": sizes, "symbol": symbols, "opacity": 1},
            selected=same,
            unselected=same,
            cliponaxis=False,
            hovertext=[f"{one.caption(i)}<br>{one.finding(i)}" for i in range(count)],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )
    figure.add_vline(x=shown + 1, line={"color": OTHER, "width": 1.5})
    threshold = next((s.analysis.decision_threshold for s in one.slices if s.analysis), None)
    if threshold is not None:
        figure.add_hline(
            y=threshold,
            line={"color": THRESHOLD, "width": 2, "dash": "dot"},
            annotation={
                "text": f"threshold {words.percent(threshold)}",
                "font": {"color": THRESHOLD},
                "xanchor": "right",
            },
        )
    figure.update_xaxes(title="Slice", range=[0.2, count + 0.8], showgrid=False)
    figure.update_yaxes(range=[-0.02, 1.04], tickvals=[0, 0.5, 1], tickformat=".0%")
    figure.update_layout(
        height=_HEIGHT,
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        showlegend=False,
        # A click anywhere above or below a slice is a click on it.
        hovermode="x",
        dragmode=False,
        clickmode="event+select",
    )
    return figure


def _in_words(one: SeriesView) -> str:
    text = f"Tumour probability along {len(one.slices)} slices."
    analysed = [scan.analysis.finding for scan in one.slices if scan.analysis]
    if not analysed:
        return f"{text} None is analysed yet."
    suspected = sum(found.suspected for found in analysed)
    highest = max(found.tumour_probability for found in analysed)
    return (
        f"{text} {suspected} reach the decision threshold; the highest is {words.percent(highest)}."
    )
