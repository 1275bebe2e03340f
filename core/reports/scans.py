"""One scan in a case's report: its pictures, probabilities, measurements and warnings."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image as Picture
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Image, KeepTogether

from core.reports import paper
from core.reports.paper import INK, RULE, SHADE, WIDTH, Text, grid
from core.triage import words
from core.triage.words import CLASS_NAMES, percent
from core.types import ScanFinding, UInt8Array

_PICTURE_WIDTH = (WIDTH - 8 * mm) / 3
# Two scans fit on a page.
_PICTURE_HEIGHT = 58 * mm
_JPEG_QUALITY = 92


@dataclass(frozen=True, eq=False)
class ReportedScan:
    """A scan as the report shows it.

    Attributes:
        number: of the scan within the case, from 1.
        size: height and width of the uploaded picture in pixels.
        spacing_mm: millimetres between rows and between columns; None where not known.
        finding: what the model says; None where it has said nothing.
        decision_threshold: tumour probability from which a tumour is suspected; None likewise.
        problem: why there is no finding, or why there are no pictures, in words; None where both
            are there.
        pictures: what to show, left to right; empty where there is nothing to show.
        label: what it is called; None for ``Scan 2 of 5``.
    """

    number: int
    size: tuple[int, int]
    spacing_mm: tuple[float, float] | None
    finding: ScanFinding | None
    decision_threshold: float | None
    problem: str | None
    pictures: tuple[ReportedPicture, ...] = ()
    label: str | None = None


@dataclass(frozen=True, eq=False)
class ReportedPicture:
    """A picture and what it shows.

    Attributes:
        caption: what it shows, in words.
        jpeg: the picture as JPEG.
        size: its height and width in pixels.
    """

    caption: str
    jpeg: bytes
    size: tuple[int, int]


def reported_picture(caption: str, pixels: UInt8Array) -> ReportedPicture:
    """A picture for the report.

    Args:
        caption: what it shows, in words.
        pixels: uint8, shape (height, width, 3).
    """
    out = io.BytesIO()
    # Thin coloured outlines survive only where colour has the resolution of the brightness.
    Picture.fromarray(pixels).save(out, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return ReportedPicture(caption, out.getvalue(), (pixels.shape[0], pixels.shape[1]))


def scan_section(scan: ReportedScan, count: int, text: Text) -> list[Flowable]:
    """A scan with its pictures.

    Args:
        scan: the scan.
        count: scans of the case.
        text: makes the paragraphs.
    """
    title = scan.label or f"Scan {scan.number} of {count}"
    if scan.finding:
        title += f": {words.headline(scan.finding)}"
    parts: list[Flowable] = [text.heading(title, paper.SUBSECTION, level=1)]
    if scan.finding:
        warning = words.distribution_warning(scan.finding)
        if warning:
            parts.append(text.labelled("Warning:", warning, paper.BOX))
        contradiction = words.contradiction(scan.finding)
        if contradiction:
            parts.append(text.labelled("Attention:", f"{contradiction}.", paper.BOX))
    if scan.problem:
        parts.append(text.labelled("Attention:", scan.problem, paper.BOX))
    if scan.pictures:
        parts.append(_pictures(scan.pictures, text))
    if scan.finding and scan.decision_threshold is not None:
        parts += _figures(scan, scan.finding, scan.decision_threshold, text)
    parts.append(text.paragraph(_about_the_file(scan), paper.SMALL))
    return [KeepTogether(parts)]


def further_scans(scans: Sequence[ReportedScan], text: Text) -> list[Flowable]:
    """Scans without their pictures, a line each."""
    names = ("Scan", "The model says", "Tumour probability", "Longest diameter", "Remarks")
    header = [text.paragraph(name, paper.LABEL) for name in names]
    rows = [[text.paragraph(cell, paper.CELL) for cell in _line(scan)] for scan in scans]
    return [
        text.heading("Further scans, without pictures", paper.SUBSECTION, level=1),
        text.paragraph("The application shows their pictures."),
        grid([header, *rows], (0.08, 0.27, 0.16, 0.16, 0.33), header=True),
    ]


def _line(scan: ReportedScan) -> tuple[str, ...]:
    finding = scan.finding
    if finding is None:
        return str(scan.number), "no result", "", "", scan.problem or ""
    return (
        str(scan.number),
        words.headline(finding),
        percent(finding.tumour_probability),
        words.diameter(finding.lesion) if finding.lesion else "nothing outlined",
        "" if finding.in_distribution else "unlike the scans of the training",
    )


def _pictures(pictures: Sequence[ReportedPicture], text: Text) -> Flowable:
    drawn = []
    for picture in pictures:
        height, width = picture.size
        scale = min(_PICTURE_WIDTH / width, _PICTURE_HEIGHT / height)
        drawn.append(Image(io.BytesIO(picture.jpeg), width * scale, height * scale))
    captions = [text.paragraph(picture.caption, paper.SMALL) for picture in pictures]
    return grid([drawn, captions], (1 / 3,) * len(pictures), ruled=False)


def _figures(
    scan: ReportedScan, finding: ScanFinding, threshold: float, text: Text
) -> list[Flowable]:
    rows = [("Any of the three (line: threshold)", finding.tumour_probability, threshold)]
    by_share = sorted(finding.probabilities.items(), key=lambda one: -one[1])
    rows += [(CLASS_NAMES[name], share, None) for name, share in by_share]
    table = [
        [
            text.paragraph(name, paper.CELL),
            _Bar(share, mark),
            text.paragraph(percent(share), paper.CELL),
        ]
        for name, share, mark in rows
    ]
    said = [
        words.explanation(finding, threshold),
        words.mask_meaning(finding),
        *([words.measurements(finding.lesion)] if finding.lesion else []),
    ]
    left = grid(table, (0.19, 0.2, 0.09))
    right = [text.paragraph(one) for one in said]
    return [grid([[left, right]], (0.5, 0.5), ruled=False)]


def _about_the_file(scan: ReportedScan) -> str:
    height, width = scan.size
    said = f"Picture of {width} × {height} px"
    if scan.spacing_mm:
        row, column = scan.spacing_mm
        said += f", {row:.3g} mm between rows and {column:.3g} mm between columns"
    if scan.finding:
        said += f". Model {scan.finding.model_version}"
    if scan.pictures:
        said += ". Pictures are reduced for print; not for diagnosis"
    return said + "."


class _Bar(Flowable):
    """A probability as a bar from 0 to 1, with a line where the threshold is."""

    def __init__(self, share: float, mark: float | None) -> None:
        super().__init__()
        self._share, self._mark = share, mark

    def wrap(self, width: float, _: float) -> tuple[float, float]:
        self.width, self.height = width, 9
        return self.width, self.height

    def draw(self) -> None:
        canvas: Canvas = self.canv
        canvas.setFillColor(SHADE)
        canvas.setStrokeColor(RULE)
        canvas.rect(0, 1, self.width, 7, fill=1)
        canvas.setFillColor(INK)
        canvas.rect(0, 1, self.width * self._share, 7, fill=1, stroke=0)
        if self._mark is not None:
            canvas.setStrokeColor(paper.MARK)
            canvas.setLineWidth(1.5)
            canvas.line(self.width * self._mark, -1.5, self.width * self._mark, 10)
