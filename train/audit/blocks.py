"""A report's text, tables and pictures, written as Markdown or as one HTML page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table; columns from ``numbers_from`` on are aligned right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers_from: int = 1


@dataclass(frozen=True)
class Figure:
    """A picture file, named relative to the report, and what it shows."""

    file: str
    caption: str


Block = Heading | Text | Table | Figure

_STYLE = """\
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;
color:#1a1a1a;background:#fff}
table{border-collapse:collapse;margin:.6rem 0 1.4rem}
th,td{padding:.25rem .8rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(20rem,1fr));gap:1rem}
figure{margin:0}figure img{max-width:100%;background:#000}
figcaption{font-size:.85rem;overflow-wrap:anywhere}"""


def to_markdown(blocks: Sequence[Block]) -> str:
    """The blocks as GitHub Markdown."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def to_html(blocks: Sequence[Block]) -> str:
    """The blocks as a page that loads nothing but its pictures."""
    title = next((b.text for b in blocks if isinstance(b, Heading)), "Report")
    parts, in_figures = [], False
    for block in blocks:
        is_figure = isinstance(block, Figure)
        if is_figure != in_figures:
            parts.append('<div class="figures">' if is_figure else "</div>")
            in_figures = is_figure
        parts.append(_html(block))
    if in_figures:
        parts.append("</div>")
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {_plain(text)}"
        case Text(text):
            return _plain(text)
        case Figure(file, caption):
            return f"![{_plain(caption)}]({file})\n{_plain(caption)}"
        case Table(header, rows, numbers_from):
            rule = ["---:" if i >= numbers_from else "---" for i in range(len(header))]
            cells = [header, rule, *rows]
            return "\n".join(f"| {' | '.join(_plain(cell) for cell in row)} |" for row in cells)


def _plain(text: str) -> str:
    """File names may hold what Markdown or HTML read as their own."""
    for sign in "\\`*_|<>[]":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\n", " ")


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{html.escape(text)}</h{level}>"
        case Text(text):
            return f"<p>{html.escape(text)}</p>"
        case Figure(file, caption):
            alt = html.escape(caption)
            return (
                f'<figure><img src="{html.escape(file)}" alt="{alt}">'
                f"<figcaption>{alt}</figcaption></figure>"
            )
        case Table(header, rows, numbers_from):
            head = _html_row("th", header, numbers_from)
            body = "\n".join(_html_row("td", row, numbers_from) for row in rows)
            return f"<table>\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody></table>"


def _html_row(tag: str, cells: Sequence[str], numbers_from: int) -> str:
    parts = [
        f"<{tag}{' class=n' if i >= numbers_from else ''}>{html.escape(cell)}</{tag}>"
        for i, cell in enumerate(cells)
    ]
    return f"<tr>{''.join(parts)}</tr>"
