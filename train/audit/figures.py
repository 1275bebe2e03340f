"""The figures of an audit, as data and in the terminal's words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from train.audit import leaks
from train.audit.run import Audit

NO_LABELS = "No labels are known: neither the folders' names nor a list give any."
_NAMED = 10  # split values; a wrong column may hold as many as there are pictures


def figures_of(audit: Audit) -> dict[str, Any]:
    """All figures of the report, by table."""
    members = audit.members
    return {
        "pictures": len(members),
        "damaged": len(audit.damaged),
        "groups": len(audit.copies.groups),
        "copy_from": audit.copy_from,
        "seconds": round(audit.seconds, 1),
        "distinct": [asdict(row) for row in leaks.distinct_scans(members)],
        "split_leaks": [_with_share(row) for row in leaks.split_leaks(members)],
        "listed_leaks": [_with_share(row) for row in leaks.listed_leaks(members)],
        "other_splits": leaks.other_splits(members),
        "torn_groups": len(leaks.torn_groups(members)),
        "overlaps": [_with_share(row) for row in leaks.set_overlaps(members)],
        "labels": dict(leaks.labels(members)),
        "contradictions": [asdict(row) for row in leaks.contradictions(members)],
        "disputed": [list(row) for row in leaks.disputed(members)],
        "transforms": dict(transforms(audit).most_common()),
        "agreement": [
            {**asdict(row), "precision": row.precision, "recall": row.recall}
            for row in leaks.agreement(members)
        ],
    }


def summary(figures: dict[str, Any]) -> str:
    """What the terminal says."""
    lines = [
        f"{figures['pictures']} pictures are {figures['groups']} different scans; "
        f"{figures['damaged']} files cannot be read; {figures['seconds']:.0f} s."
    ]
    for row in (*figures["split_leaks"], *figures["listed_leaks"]):
        if row["label"] == leaks.ALL:
            lines.append(
                f"{row['of']}: {row['copied']} of {row['pictures']} ({row['share']:.1%}) have a "
                f"copy in {row['among']}, {row['mirrored']} of them only mirrored."
            )
    if figures["other_splits"]:
        lines.append(other_splits_words(figures["other_splits"]))
    if figures["labels"]:
        lines.append(f"{len(figures['contradictions'])} groups carry labels that contradict.")
    else:
        lines.append(NO_LABELS)
    return "\n".join(lines)


def transforms(audit: Audit) -> Counter[str]:
    """How often copies differ from their representative in which way."""
    counts: Counter[str] = Counter()
    for i, relation in enumerate(audit.relations):
        if relation.representative != i:
            counts.update(relation.kinds)
    return counts


def other_splits_words(counts: Mapping[str, int]) -> str:
    """The split values that nothing is compared for, in a sentence."""
    named = [f"{value!r} ({count:,})" for value, count in counts.items()]
    if len(named) > _NAMED:
        named[_NAMED:] = [f"and {len(named) - _NAMED} more"]
    return (
        "Listed splits that are none of train, val and test, not compared (pictures): "
        f"{', '.join(named)}."
    )


def _with_share(row: leaks.Overlap) -> dict[str, Any]:
    return {**asdict(row), "share": round(row.share, 4)}
