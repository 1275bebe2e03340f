"""One series in a case's report: its leading slice, what it measures, and its slices in a plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, KeepTogether

from core.inference.volume_measure import VolumeMeasures
from core.reports import paper
from core.reports.paper import INK, RULE, SHADE, SOFT, Text, grid
from core.reports.scans import ReportedScan, scan_section
from core.triage import volume_words

_PLOT_HEIGHT = 26 * mm
# Left for the percentages beside the plot and the slice numbers below it.
_BESIDE, _BELOW = 11 * mm, 4 * mm


@dataclass(frozen=True)
class ReportedSlice:
    """What the report's plot shows of a slice.

    Attributes:
        tumour_probability: 0 to 1; None where there is no result.
        suspected: whether that reaches the decision threshold.
        in_distribution: False where the slice is unlike the scans of the training.
    """

    tumour_probability: float | None = None
    suspected: bool = False
    in_distribution: bool = True


@dataclass(frozen=True, eq=False)
class ReportedSeries:
    """A series as the report shows it.

    Attributes:
        name: how it is called.
        geometry: size of its slices and of what is between them, in words.
        notices: what a reader should know of its files, in words.
        states: how many slices have no result, in words; None where all have one.
        slices: in the order of their positions.
        leading: the slice that speaks for the series; its ``number`` counts within the series.
        measures: size of what is outlined; None where nothing is.
        model_versions: of the models that looked at it.
    """

    name: str
    geometry: str
    notices: tuple[str, ...]
    states: str | None
    slices: tuple[ReportedSlice, ...]
    leading: ReportedScan
    measures: VolumeMeasures | None
    model_versions: tuple[str, ...]


def series_section(series: ReportedSeries, text: Text) -> list[Flowable]:
    """A series with its leading slice."""
    parts: list[Flowable] = [
        text.heading(f"Series: {series.name}", paper.SUBSECTION, level=1),
        text.paragraph(series.geometry, paper.SMALL),
        *(text.labelled("Attention:", notice, paper.BOX) for notice in series.notices),
    ]
    if series.states:
        parts.append(text.labelled("Attention:", series.states, paper.BOX))
    if any(one.tumour_probability is not None for one in series.slices):
        parts += [
            text.paragraph("Tumour probability by slice (line: threshold)", paper.LABEL_ABOVE),
            _Plot(series.slices, series.leading.decision_threshold, series.leading.number - 1),
            *(text.paragraph(line, paper.SMALL) for line in _about_slices(series.slices)),
            *_measures(series, text),
        ]
    return [KeepTogether(parts), *scan_section(series.leading, len(series.slices), text)]


def _about_slices(slices: Sequence[ReportedSlice]) -> list[str]:
    suspected = [i for i, one in enumerate(slices) if one.suspected]
    strange = [i for i, one in enumerate(slices) if not one.in_distribution]
    which = f": {volume_words.ranges(suspected)}" if suspected else ""
    lines = [f"{len(suspected)} of {len(slices)} slices reach the threshold{which}."]
    if strange:
        lines.append(f"Unlike the scans of the training (pale): {volume_words.ranges(strange)}.")
    return lines


def _measures(series: ReportedSeries, text: Text) -> list[Flowable]:
    found = series.measures
    if found is None:
        return [text.paragraph("No region was outlined in the series.")]
    rows = [
        ("Volume of the outlined region", volume_words.volume(found)),
        ("Longest diameter", volume_words.longest_diameter(found)),
        ("Measured with", f"Model {', '.join(series.model_versions)}"),
    ]
    cells = [
        [text.paragraph(label, paper.LABEL), text.paragraph(value, paper.CELL)]
        for label, value in rows
    ]
    return [grid(cells, (0.28, 0.72)), text.paragraph(volume_words.HOW_MEASURED, paper.SMALL)]


class _Plot(Flowable):
    """A bar a slice, the threshold as a line, a mark under the leading slice."""

    def __init__(
        self, slices: Sequence[ReportedSlice], threshold: float | None, leading: int
    ) -> None:
        super().__init__()
        self._slices, self._threshold, self._leading = slices, threshold, leading

    def wrap(self, width: float, _: float) -> tuple[float, float]:
        self.width, self.height = width, _PLOT_HEIGHT
        return self.width, self.height

    def draw(self) -> None:
        canvas: Canvas = self.canv
        left, bottom = _BESIDE, _BELOW
        width, height = self.width - left, self.height - bottom - 2 * mm
        canvas.setFillColor(SHADE)
        canvas.rect(left, bottom, width, height, fill=1, stroke=0)
        step = width / len(self._slices)
        for index, one in enumerate(self._slices):
            if one.tumour_probability is None:
                continue
            canvas.setFillColor(INK if one.in_distribution else RULE)
            bar = max(height * one.tumour_probability, 0.4)
            canvas.rect(left + index * step, bottom, max(step * 0.8, 0.3), bar, fill=1, stroke=0)
        if self._threshold is not None:
            canvas.setStrokeColor(paper.MARK)
            canvas.setLineWidth(1)
            y = bottom + height * self._threshold
            canvas.line(left, y, left + width, y)
        canvas.setFillColor(SOFT)
        canvas.setFont(paper.REGULAR, 6.5)
        for share in (0, 0.5, 1):
            canvas.drawRightString(left - 3, bottom + height * share - 2, f"{share:.0%}")
        self._number(canvas, 0, left, step, bottom)
        self._number(canvas, len(self._slices) - 1, left, step, bottom)
        canvas.setFillColor(paper.MARK)
        self._number(canvas, self._leading, left, step, bottom, mark="▲ ")

    def _number(
        self, canvas: Canvas, index: int, left: float, step: float, bottom: float, mark: str = ""
    ) -> None:
        """The number of a slice below its bar; the ends give way to the leading slice."""
        near = abs(index - self._leading) * step < 12 * mm
        if not mark and near:
            return
        text = f"{mark}{index + 1}"
        half = canvas.stringWidth(text, paper.REGULAR, 6.5) / 2
        x = left + (index + 0.4) * step
        canvas.drawCentredString(min(max(x, left + half), self.width - half), bottom - 8, text)
