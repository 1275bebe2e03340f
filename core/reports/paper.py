"""A printed document: type, text that every letter of survives, header and footer of each page."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from xml.sax.saxutils import escape

from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate, Paragraph, Table

from core.triage.words import DISCLAIMER

# Pictures as they are, not spelt out in printable characters: a quarter smaller, and much faster.
rl_config.useA85 = 0

# DejaVu Sans has Latin, Greek and Cyrillic with all their accents; a PDF reader's own fonts do not.
_FONTS = Path(__file__).parent / "fonts"
REGULAR, BOLD = "DejaVuSans", "DejaVuSans-Bold"
_REGISTERING = Lock()

INK, SOFT, RULE, SHADE = (HexColor(c) for c in ("#16202a", "#4a5966", "#b8c4ce", "#f1f4f7"))

# Okabe and Ito's vermilion: apart from the ink for every eye, and apart in print without colour.
MARK = HexColor("#d55e00")

MARGIN = 18 * mm
WIDTH = A4[0] - 2 * MARGIN

# Stands for what the font cannot draw; the document then says so.
_ABSENT = "▯"
# Scripts written from right to left would come out in the wrong order.
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
# Pieces in which long text is laid out: the time for one paragraph grows faster than its length.
_PIECE = 2000


def _style(name: str, size: float, **changes: object) -> ParagraphStyle:
    base: dict[str, object] = {
        "fontName": REGULAR,
        "fontSize": size,
        "leading": size * 1.4,
        "textColor": INK,
        # Breaks a word only where it is wider than the line.
        "splitLongWords": 1,
    }
    return ParagraphStyle(name, **(base | changes))


TITLE = _style("title", 17, fontName=BOLD, spaceAfter=2)
SECTION = _style("section", 12, fontName=BOLD, spaceBefore=12, spaceAfter=4, keepWithNext=1)
SUBSECTION = _style("subsection", 10, fontName=BOLD, spaceBefore=8, spaceAfter=3, keepWithNext=1)
FINDING = _style("finding", 14, fontName=BOLD, spaceAfter=2)
BODY = _style("body", 9, spaceAfter=3)
CELL = _style("cell", 8.5)
LABEL = _style("label", 8.5, textColor=SOFT)
LABEL_ABOVE = _style("label-above", 8.5, textColor=SOFT, spaceBefore=6, keepWithNext=1)
SMALL = _style("small", 7.5, textColor=SOFT, spaceAfter=2)
BOX = _style(
    "box", 9, borderColor=INK, borderWidth=0.8, borderPadding=5, spaceBefore=8, spaceAfter=9,
    leftIndent=6, rightIndent=6,
)  # fmt: skip
_FOOT = _style("foot", 7.5, fontName=BOLD)
_FOOT_RIGHT = _style("foot-right", 7.5, textColor=SOFT, alignment=TA_RIGHT)


class _Heading(Paragraph):
    """A paragraph that is listed in the PDF's outline and never divided between pages."""

    def __init__(self, text: str, style: ParagraphStyle, key: str, level: int) -> None:
        super().__init__(text, style)
        self._key, self._level = key, level

    def draw(self) -> None:
        self.canv.bookmarkHorizontal(self._key, 0, self.height)
        self.canv.addOutlineEntry(self.getPlainText(), self._key, self._level)
        super().draw()

    def split(self, *_: float) -> list[Flowable]:
        return []


@dataclass
class Text:
    """Makes paragraphs of text as people typed it.

    Attributes:
        absent: characters so far that the font cannot draw.
    """

    absent: int = 0
    _headings: int = 0

    def __post_init__(self) -> None:
        _register_fonts()
        self._glyphs = pdfmetrics.getFont(REGULAR).face.charToGlyph

    def heading(self, text: str, style: ParagraphStyle, level: int = 0) -> Paragraph:
        """A heading; ``level`` is its depth in the outline, 0 for the outermost."""
        self._headings += 1
        return _Heading(self.markup(text), style, f"heading-{self._headings}", level)

    def markup(self, text: str) -> str:
        """Text for a paragraph: nothing in it is taken as markup, every line break stays."""
        drawn = "".join(self._drawn(c) for c in _visible(text))
        return escape(drawn).replace("\n", "<br/>")

    def paragraph(self, text: str, style: ParagraphStyle = BODY) -> Paragraph:
        """A paragraph of plain text."""
        return Paragraph(self.markup(text), style)

    def labelled(self, label: str, text: str, style: ParagraphStyle = BODY) -> Paragraph:
        """A paragraph that begins with a bold label."""
        return Paragraph(f"<b>{self.markup(label)}</b> {self.markup(text)}", style)

    def long(self, text: str, style: ParagraphStyle = BODY) -> list[Paragraph]:
        """Text of any length as paragraphs that may stand on several pages."""
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        pieces = [
            line[start : start + _PIECE]
            for line in lines
            for start in range(0, max(len(line), 1), _PIECE)
        ]
        return [self.paragraph(piece or " ", style) for piece in pieces]

    def _drawn(self, character: str) -> str:
        known = character in "\n " or ord(character) in self._glyphs
        if known and unicodedata.bidirectional(character) not in _RIGHT_TO_LEFT:
            return character
        self.absent += 1
        return _ABSENT


def grid(
    rows: Sequence[Sequence[object]],
    shares: Sequence[float],
    header: bool = False,
    ruled: bool = True,
) -> Table:
    """A table.

    Args:
        rows: flowables, or lists of them, by row and column.
        shares: width of each column as a share of the page's text width.
        header: whether the first row is a header, to be repeated on each page.
        ruled: whether lines are drawn between the rows.
    """
    style: list[tuple[object, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
    ]
    if ruled:
        style.append(("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE))
    if header:
        style.append(("BACKGROUND", (0, 0), (-1, 0), SHADE))
    return Table(
        rows, [WIDTH * share for share in shares], style=style, hAlign="LEFT",
        repeatRows=int(header), splitInRow=1,
    )  # fmt: skip


def build(
    story: Callable[[], list[Flowable]],
    *,
    title: str,
    subject: str,
    author: str,
    footer: str,
    printed_at: datetime,
) -> bytes:
    """Lay a document out on A4 pages; the same input gives the same bytes.

    Args:
        story: makes the content anew at each call; called twice, since the number of pages is
            known only after the first time.
        title: of the document, as PDF readers show it.
        subject: what it is about.
        author: who had it printed.
        footer: what stands on each page before "page x of y".
        printed_at: time of printing, in UTC.
    """
    pages = 0
    for _ in range(2):
        out = io.BytesIO()
        document = _Document(out, footer, pages, printed_at, title, subject, author)
        document.build(story())
        pages = document.page
    return out.getvalue()


class _Document(BaseDocTemplate):
    def __init__(
        self, out: io.BytesIO, footer: str, pages: int, printed_at: datetime,
        title: str, subject: str, author: str,
    ) -> None:  # fmt: skip
        super().__init__(
            out, pagesize=A4, invariant=1, lang="en-GB", displayDocTitle=True,
            title=_visible(title), subject=subject, author=_visible(author), creator="NeuroTriage",
        )  # fmt: skip
        self.footer, self.pages, self.printed_at = footer, pages, printed_at
        frame = Frame(
            MARGIN, 20 * mm, WIDTH, A4[1] - 20 * mm - 15 * mm,
            leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0,
        )  # fmt: skip
        self.addPageTemplates(PageTemplate(frames=[frame], onPage=self._page))

    def _page(self, canvas: Canvas, _: BaseDocTemplate) -> None:
        # Bytes that do not change ask for a fixed date; the time of printing is the right one.
        canvas.setDateFormatter(lambda *_: self.printed_at.strftime("D:%Y%m%d%H%M%S+00'00'"))
        canvas.setStrokeColor(RULE)
        canvas.line(MARGIN, 17 * mm, MARGIN + WIDTH, 17 * mm)
        place = f"{self.footer} · page {canvas.getPageNumber()} of {self.pages}"
        for words, style, height in ((DISCLAIMER, _FOOT, 12.5), (place, _FOOT_RIGHT, 8.5)):
            paragraph = Text().paragraph(words, style)
            paragraph.wrap(WIDTH, 10 * mm)
            paragraph.drawOn(canvas, MARGIN, height * mm)


def _visible(text: str) -> str:
    """Text without what is no letter: controls, marks of direction, halves of characters."""
    composed = unicodedata.normalize("NFC", text.replace("\t", " "))
    return "".join(
        c for c in composed if c == "\n" or unicodedata.category(c) not in {"Cc", "Cf", "Cs"}
    )


def _register_fonts() -> None:
    with _REGISTERING:
        if REGULAR not in pdfmetrics.getRegisteredFontNames():
            for name in (REGULAR, BOLD):
                pdfmetrics.registerFont(TTFont(name, str(_FONTS / f"{name}.ttf")))
            # Last: a font that is registered forgets the family it was in.
            pdfmetrics.registerFontFamily(REGULAR, REGULAR, BOLD, REGULAR, BOLD)
