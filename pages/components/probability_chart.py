"""The bars of one scan's probabilities."""

import plotly.graph_objects as go

from core.services.words import CLASS_NAMES, percent
from core.types import Analysis, ScanFinding

ANY_OF_THE_THREE = "<b>Any of the three</b>"
# Okabe and Ito's blue and orange; the neutral grey keeps to the background of both themes.
PREDICTED, OTHER, THRESHOLD = "#0072b2", "#8a97a3", "#d55e00"


def probability_chart(finding: Analysis | ScanFinding, decision_threshold: float) -> go.Figure:
    """One bar a class, and one for the sum to which the decision threshold applies."""
    shares = {ANY_OF_THE_THREE: finding.tumour_probability}
    shares |= {CLASS_NAMES[c]: p for c, p in finding.probabilities.items()}
    colours = [PREDICTED if finding.suspected else OTHER]
    colours += [PREDICTED if c is finding.predicted else OTHER for c in finding.probabilities]
    figure = go.Figure(
        go.Bar(
            x=list(shares.values()),
            y=list(shares),
            orientation="h",
            marker_color=colours,
            text=[percent(share) for share in shares.values()],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    # The line crosses only the bar to which the threshold applies, the first one.
    figure.add_shape(
        type="line",
        x0=decision_threshold,
        x1=decision_threshold,
        y0=-0.5,
        y1=0.5,
        line={"color": THRESHOLD, "width": 3, "dash": "dot"},
    )
    figure.add_annotation(
        x=decision_threshold,
        y=-0.5,
        text=f"threshold {percent(decision_threshold)}",
        showarrow=False,
        yanchor="bottom",
        font={"color": THRESHOLD},
    )
    figure.update_xaxes(range=[0, 1.28], tickvals=[0, 0.25, 0.5, 0.75, 1], tickformat=".0%")
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(height=270, margin={"l": 0, "r": 16, "t": 24, "b": 0}, showlegend=False)
    return figure
