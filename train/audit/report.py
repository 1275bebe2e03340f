"""What an audit leaves in the folder the user names: group list, figures, report, examples."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from train.audit import leaks
from train.audit.blocks import Block, Figure, Heading, Table, Text, to_html, to_markdown
from train.audit.examples import (
    Example,
    contradiction_examples,
    copy_examples,
    leak_examples,
    near_examples,
    write_example,
)
from train.audit.figures import NO_LABELS, figures_of, other_splits_words, transforms
from train.audit.pictures import EXAMPLES_FOLDER, REPORT_FIGURES, is_example
from train.audit.run import Audit

_HTML, _MARKDOWN = "report.html", "report.md"
_ROWS = 60  # of tables that can be as long as the data; the CSV files hold all

GROUPS_HEADER = (
    "path", "dataset", "split", "label", "group", "group_size", "representative", "similarity",
    "mirrored", "degrees", "transform", "listed_split", "listed_group",
)  # fmt: skip


def write_report(audit: Audit, out: Path, *, html: bool, markdown: bool) -> dict[str, Any]:
    """Write groups.csv, near.csv, damaged.csv, audit.json and the report; return the figures.

    Reports and examples that an earlier audit left in the folder are removed, nothing else is.
    """
    out.mkdir(parents=True, exist_ok=True)
    _clear(out)
    _write_csv(out / "groups.csv", GROUPS_HEADER, _group_rows(audit))
    _write_csv(out / "near.csv", ("first", "second", "similarity"), _near_rows(audit))
    damaged = ((picture.name, reason) for picture, reason in audit.damaged)
    _write_csv(out / "damaged.csv", ("picture", "reason"), damaged)
    figures = figures_of(audit)
    text = json.dumps(figures, indent=2, ensure_ascii=False)
    (out / REPORT_FIGURES).write_text(text + "\n", encoding="utf-8")
    blocks = _blocks(audit, out)
    if html:
        (out / _HTML).write_text(to_html(blocks), encoding="utf-8")
    if markdown:
        (out / _MARKDOWN).write_text(to_markdown(blocks), encoding="utf-8")
    return figures


def _clear(out: Path) -> None:
    """Old examples would show pictures of another set, an old report its figures."""
    if not (out / REPORT_FIGURES).is_file():
        return
    for file in filter(is_example, list((out / EXAMPLES_FOLDER).glob("*"))):
        file.unlink()
    for name in (_HTML, _MARKDOWN):
        (out / name).unlink(missing_ok=True)


def _blocks(audit: Audit, out: Path) -> list[Block]:
    members = audit.members
    sets = ", ".join(dict.fromkeys(member.picture.dataset for member in members))
    return [
        Heading("Leakage audit", 1),
        Text(
            f"{len(members)} pictures of {sets}: {len(audit.copies.groups)} different scans. "
            f"A copy is a picture whose similarity to another is at least {audit.copy_from:.2f} "
            "once mirror image, turn, scale, contrast and sharpness are taken out. Neighbouring "
            "slices of one patient are no copies, and still must not be divided between splits. "
            "groups.csv lists every picture with its group."
        ),
        Heading("Copies across the published splits"),
        *_overlap_table(
            leaks.split_leaks(members),
            "The share of each test or val folder that has a copy in the training folder.",
            "No set has a training folder beside a test or val folder.",
        ),
        *_listed_blocks(audit),
        Heading("Different scans"),
        Table(
            ("set", "label", "pictures", "different scans", "copies of the most frequent"),
            tuple(
                (row.dataset, row.label, *map(str, (row.pictures, row.scans, row.largest)))
                for row in leaks.distinct_scans(members)
            ),
            2,
        ),
        *_sets_blocks(audit),
        Heading("Labels that contradict"),
        *_contradiction_blocks(audit),
        Heading("How copies differ"),
        Text("Each picture against its group's representative: the one with the largest head."),
        Table(
            ("difference", "pictures"),
            tuple((kind, str(count)) for kind, count in transforms(audit).most_common()),
        ),
        *_damaged_blocks(audit),
        *_agreement_blocks(audit),
        *_examples(out, "leak", "Test pictures in the training split", leak_examples(audit)),
        *_examples(out, "label", "Contradicting labels", contradiction_examples(audit)),
        *_examples(out, "copy", "Copies, one of each kind", copy_examples(audit)),
        *_examples(
            out,
            "near",
            f"Nearly copies ({len(audit.copies.near)} pairs, see near.csv)",
            near_examples(audit),
        ),
    ]


def _overlap_table(rows: Sequence[leaks.Overlap], text: str, otherwise: str) -> list[Block]:
    if not rows:
        return [Text(otherwise)]
    return [
        Text(text),
        Table(
            ("pictures of", "copied in", "label", "pictures", "with a copy", "share", "mirrored"),
            tuple(
                (
                    row.of, row.among, row.label, str(row.pictures), str(row.copied),
                    f"{row.share:.1%}", str(row.mirrored),
                )
                for row in rows
            ),
            3,
        ),
        Text("Mirrored: those whose copies there are all mirror images of them."),
    ]  # fmt: skip


def _listed_blocks(audit: Audit) -> list[Block]:
    if not any(member.picture.listed_split for member in audit.members):
        return []
    rows, others = leaks.listed_leaks(audit.members), leaks.other_splits(audit.members)
    blocks: list[Block] = [
        Heading("Copies across the listed splits"),
        *_overlap_table(
            rows,
            "The splits that the list gives, over all sets.",
            "The list puts no pictures into two of train, val and test.",
        ),
        *([Text(other_splits_words(others))] if others else []),
    ]
    if not rows:
        return blocks
    torn = leaks.torn_groups(audit.members)
    listing = tuple(
        (str(group), "; ".join(f"{m.picture.name} ({m.picture.listed_split})" for m in own[:6]))
        for group, own in list(torn.items())[:_ROWS]
    )
    told = Text(f"{len(torn)} groups of copies stand in more than one of the list's splits.")
    return [*blocks, told, *_cut_table(("group", "pictures"), listing, len(torn))]


def _sets_blocks(audit: Audit) -> list[Block]:
    rows = leaks.set_overlaps(audit.members)
    if not rows:
        return []
    table = _overlap_table(rows, "The share of each set that has a copy in another.", "")
    return [Heading("Sets that hold one another"), *table]


def _contradiction_blocks(audit: Audit) -> list[Block]:
    found = leaks.contradictions(audit.members)
    if not found:
        return [Text(_no_contradiction(audit))]
    detail = tuple(
        (
            str(row.group),
            "; ".join(f"{dataset}: {label} ×{count}" for dataset, label, count in row.counts),
        )
        for row in found[:_ROWS]
    )
    return [
        Text(f"{len(found)} groups carry more than one label."),
        Table(
            ("set", "label", "a copy's label", "pictures"),
            tuple((*row[:3], str(row[3])) for row in leaks.disputed(audit.members)),
            3,
        ),
        *_cut_table(("group", "labels"), detail, len(found)),
    ]


def _no_contradiction(audit: Audit) -> str:
    known = leaks.labels(audit.members)
    if not known:
        return NO_LABELS
    if len(known) == 1:
        text = f"None: only one label is known, {next(iter(known))}."
    else:
        text = "None: all copies of a scan carry the same label."
    without = len(audit.members) - known.total()
    return f"{text} Pictures without a label: {without:,}." if without else text


def _damaged_blocks(audit: Audit) -> list[Block]:
    if not audit.damaged:
        return []
    rows = tuple((picture.name, reason) for picture, reason in audit.damaged[:_ROWS])
    return [
        Heading("Files that cannot be read"),
        Text(f"{len(audit.damaged)} files, all in damaged.csv."),
        *_cut_table(("file", "reason"), rows, len(audit.damaged)),
    ]


def _agreement_blocks(audit: Audit) -> list[Block]:
    rows = leaks.agreement(audit.members)
    if not rows:
        return []
    return [
        Heading("Agreement with the listed groups"),
        Text("Pairs of copies; precision: share of those found that the list has."),
        Table(
            ("set", "found", "listed", "both", "precision", "recall"),
            tuple(
                (
                    row.dataset, str(row.found), str(row.listed), str(row.both),
                    f"{row.precision:.4f}", f"{row.recall:.4f}",
                )
                for row in rows
            ),
        ),
    ]  # fmt: skip


def _cut_table(
    header: tuple[str, ...], rows: tuple[tuple[str, ...], ...], count: int
) -> list[Block]:
    """A table of text that may hold the first of many rows only, and says so."""
    if not rows:
        return []
    table = Table(header, rows, len(header))
    return [table] if len(rows) == count else [Text(f"The first {len(rows)} of {count}:"), table]


def _examples(out: Path, name: str, title: str, examples: Sequence[Example]) -> list[Block]:
    if not examples:
        return []
    blocks: list[Block] = [Heading(f"Examples: {title}")]
    for number, example in enumerate(examples, start=1):
        file = f"{EXAMPLES_FOLDER}/{name}-{number:02d}.jpg"
        write_example(example, out / file)
        blocks.append(Figure(file, example.caption))
    return blocks


def _group_rows(audit: Audit) -> Iterable[tuple[object, ...]]:
    sizes = Counter(member.group for member in audit.members)
    for member, relation in zip(audit.members, audit.relations, strict=True):
        picture = member.picture
        yield (
            picture.path, picture.dataset, picture.split, picture.label, member.group,
            sizes[member.group], audit.members[relation.representative].picture.name,
            f"{relation.similarity:.4f}", int(relation.mirrored), f"{relation.degrees:.1f}",
            relation.words, picture.listed_split, picture.listed_group,
        )  # fmt: skip


def _near_rows(audit: Audit) -> Iterable[tuple[str, ...]]:
    for edge in audit.copies.near:
        ends = (audit.members[edge.first].picture.name, audit.members[edge.second].picture.name)
        yield (*ends, f"{edge.match.similarity:.4f}")


def _write_csv(file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
