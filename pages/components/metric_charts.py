"""Charts of measured figures, readable on light and dark and without telling colours apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

import plotly.graph_objects as go

from core.services.metric_sections import ReliabilityBin, RocCurve
from core.services.words import CLASS_NAMES
from core.types import CLASSES, TumourClass

# Okabe and Ito's, those of them that stand out from both backgrounds.
BLUE, VERMILION, GREEN, PINK = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
# Neutral, between both backgrounds.
GREY = "#8a97a3"
# Cells are opaque, so that their text is as readable on one theme as on the other.
_SHADES = [[0, "#e6eef4"], [1, BLUE]]
_DARK_INK, _LIGHT_INK = "#1b2733", "#ffffff"
_ABOVE = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
# Above this share of the row the cell is dark.
_DARK_CELL = 0.8


@dataclass(frozen=True)
class Line:
    """How the curve of a class is drawn."""

    colour: str
    dash: str


LINES: dict[str, Line] = {
    "tumour": Line(GREY, "solid"),
    TumourClass.GLIOMA: Line(VERMILION, "dash"),
    TumourClass.MENINGIOMA: Line(BLUE, "dot"),
    TumourClass.NO_TUMOR: Line(PINK, "dashdot"),
    TumourClass.PITUITARY: Line(GREEN, "longdash"),
}


def matrix_chart(
    counts: Mapping[tuple[TumourClass, TumourClass], int], rows: str, columns: str
) -> go.Figure:
    """Counts by row and column, each cell shaded by its share of the row."""
    table = [[counts.get((row, column), 0) for column in CLASSES] for row in CLASSES]
    shares = [[count / max(sum(line), 1) for count in line] for line in table]
    names = ["<br>".join(wrap(CLASS_NAMES[name], 10)) for name in CLASSES]
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=names,
            y=names,
            zmin=0,
            zmax=1,
            colorscale=_SHADES,
            showscale=False,
            xgap=3,
            ygap=3,
            hoverinfo="skip",
        )
    )
    for row, line in enumerate(table):
        for column, count in enumerate(line):
            share = shares[row][column]
            figure.add_annotation(
                x=column,
                y=row,
                text=f"<b>{count}</b><br>{share:.0%}" if sum(line) else "–",
                font={"size": 14, "color": _LIGHT_INK if share > _DARK_CELL else _DARK_INK},
                showarrow=False,
            )
    figure.update_xaxes(title=columns, side="top", tickangle=0, showgrid=False, fixedrange=True)
    figure.update_yaxes(title=rows, autorange="reversed", showgrid=False, fixedrange=True)
    figure.update_layout(xaxis_tickfont_size=11, yaxis_tickfont_size=11)
    return _laid_out(figure, 400)


def roc_chart(
    curves: Mapping[str, RocCurve],
    aucs: Mapping[str, str],
    at_threshold: tuple[float, float] | None,
) -> go.Figure:
    """ROC curves; ``at_threshold`` is false and true positive rate at the decision threshold."""
    figure = go.Figure()
    for name, line in LINES.items():
        if name in curves:
            figure.add_scatter(
                x=curves[name].false_positive_rate,
                y=curves[name].true_positive_rate,
                mode="lines",
                name=f"{_curve_name(name)}{aucs.get(name, '')}",
                line={"color": line.colour, "dash": line.dash, "width": 2.5},
            )
    if at_threshold:
        figure.add_scatter(
            x=[at_threshold[0]],
            y=[at_threshold[1]],
            mode="markers",
            name="decision threshold",
            marker={"symbol": "x", "size": 11, "color": GREY},
        )
    _diagonal(figure, "guessing")
    figure.update_xaxes(title="Others called so (1 − specificity)", range=[-0.01, 1])
    figure.update_yaxes(title="Found (sensitivity)", range=[0, 1.01])
    figure.update_layout(legend={"x": 0.98, "y": 0.04, "xanchor": "right", "yanchor": "bottom"})
    return _shares_on_both_axes(_laid_out(figure, 440))


def reliability_chart(bins: Sequence[ReliabilityBin]) -> go.Figure:
    """How often the model was right, by how sure it was."""
    figure = go.Figure()
    _diagonal(figure, "as sure as it is right")
    figure.add_scatter(
        x=[one.confidence for one in bins],
        y=[one.accuracy for one in bins],
        mode="markers+text",
        name="scans of similar probability, with their number",
        text=[str(one.count) for one in bins],
        textposition="top center",
        cliponaxis=False,
        marker={
            "color": BLUE,
            "size": [6 + 1.2 * one.count**0.5 for one in bins],
            "line": {"width": 0},
        },
        hovertemplate="stated %{x:.1%}, right %{y:.1%}, %{text} scans<extra></extra>",
    )
    figure.update_xaxes(title="Stated probability of the most probable class", range=[0, 1])
    figure.update_yaxes(title="Share that was right", range=[0, 1.06])
    figure.update_layout(legend=_ABOVE)
    return _shares_on_both_axes(_laid_out(figure, 440))


def bars_chart(
    x: Sequence[object], series: Mapping[str, Sequence[int]], y_title: str, stacked: bool
) -> go.Figure:
    """Bars by day, told apart by pattern as well as by colour."""
    figure = go.Figure()
    looks = zip((BLUE, "#e69f00", GREEN, VERMILION), ("", "/", ".", "x"), strict=True)
    for (name, values), (colour, pattern) in zip(series.items(), looks, strict=False):
        figure.add_bar(
            x=x,
            y=values,
            name=name,
            marker={
                "color": colour,
                "pattern": {
                    "shape": pattern,
                    "fillmode": "overlay",
                    "fgcolor": "rgba(255, 255, 255, 0.75)",
                    "size": 6,
                    "solidity": 0.3,
                },
            },
        )
    figure.update_layout(
        barmode="stack" if stacked else "group",
        legend=_ABOVE,
        bargap=0.25,
        hovermode="x unified",
    )
    figure.update_yaxes(title=y_title, rangemode="tozero", tickformat="d")
    return _laid_out(figure, 320)


def _curve_name(name: str) -> str:
    return "Any of the three" if name == "tumour" else CLASS_NAMES[TumourClass(name)]


def _diagonal(figure: go.Figure, name: str) -> None:
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name=name,
        line={"color": GREY, "dash": "dot", "width": 1},
        hoverinfo="skip",
    )


def _shares_on_both_axes(figure: go.Figure) -> go.Figure:
    figure.update_xaxes(tickformat=".0%", dtick=0.2)
    figure.update_yaxes(tickformat=".0%", dtick=0.2)
    return figure


def _laid_out(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 0, "r": 8, "t": 32, "b": 0},
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
    )
    return figure
