"""Leave one source out: what a network says of a source that it never saw.

The public sets copy one another, so a source is not a folder: a scan belongs to the set that had it
first, with all its copies. nickparvar has no scan of its own. For each source a network is trained
on the ``train`` split without it and measured on its ``test`` split, beside one that was trained in
the same way on all sources. Both are small networks on a short schedule: what counts is the
difference, not the level.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from core.imaging import PREPROCESSING_VERSION
from core.types import CLASSES
from train.config import RunConfig, fingerprint
from train.data.pack import Pack
from train.data.splits import FOUR_CLASS_LIST, LGG_LIST, Sample, read_list
from train.evaluation.bootstrap import intervals
from train.evaluation.views import logits, one_per_group, softmax
from train.metrics import balanced_accuracy, rank_auc, rates
from train.runs import identified, kept_report, train_on

log = logging.getLogger(__name__)

# In the order in which they were published; a scan belongs to the first that has it.
FOUR_CLASS_SOURCES = ("figshare", "sartaj", "br35h", "nickparvar")
LGG = "lgg"
ALL = "all sources"
NO_TUMOR = CLASSES.index("no_tumor")
FIGURES = (
    "balanced_accuracy", "tumour_auc", "tumour_sensitivity", "tumour_specificity",
)  # fmt: skip
REPORT = "sources.json"


def origins(samples: Iterable[Sample]) -> dict[str, str]:
    """The source of each group of copies.

    A copy of a figshare slice is figshare's also where the original is not in the folder: its block
    says so.
    """
    holders: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        holders[sample.group].add(sample.dataset)
        if sample.block.startswith("figshare-"):
            holders[sample.group].add("figshare")
    order = (*FOUR_CLASS_SOURCES, LGG)
    return {group: min(sets, key=order.index) for group, sets in holders.items()}


def without(pack: Pack, source: str) -> Pack:
    """The pack without a source's training scans.

    Those of ``val`` stay: they are only logged, since nothing is chosen by them.
    """
    of = origins(pack.samples)
    kept = [
        i for i, s in enumerate(pack.samples) if s.split != "train" or of[s.group] != source
    ]  # fmt: skip
    return pack if len(kept) == len(pack.samples) else pack.subset(np.array(kept, dtype=int))


def leave_one_out(
    config: RunConfig,
    four_class: Pack,
    lgg: Pack,
    folder: Path,
    sources: Sequence[str] = (),
    split: str = "test",
) -> dict[str, Any]:
    """Train a network without each source and one with all, and measure them.

    A run that is finished, or was killed, is gone on from when asked for again with the same
    configuration and the same lists. The report is written to ``folder/sources.json`` after each
    network, beside the sources that it already holds.

    Args:
        config: of every network, a classifier's.
        four_class: gray pack of the four-class sets.
        lgg: composite pack of the LGG slices.
        folder: of the runs, one below it for each network.
        sources: those to leave out; empty for every one that has training scans and scans in
            ``split``.
        split: the split that is measured.

    Returns:
        ``config``, ``split`` and ``sources``: for each source its scans by
        class and the figures ``with`` and ``without`` it. A figure that the source's classes do not
        allow is None; LGG's are of lesion and lesion-free slices, as composites.

    Raises:
        ValueError: a source without training scans or without scans in ``split``, or the only one
            with scans of a class; or a folder of another configuration.
    """
    side = config.side_at(0)
    four_class, lgg = four_class.resized(side), lgg.resized(side)
    tests = _tests(four_class, lgg, split)
    chosen = tuple(sources) or tuple(tests)
    for source in chosen:
        if source not in tests:
            raise ValueError(f"{source!r} has no scans of its own; known: {', '.join(tests)}")
        _check_classes(four_class, lgg, source)
    about = {"config": asdict(identified(config, four_class, lgg)), "split": split}
    report: dict[str, Any] = kept_report(folder / REPORT, about) or about | {"sources": {}}
    full = _trained(config, four_class, lgg, folder / ALL.replace(" ", "-"))
    for source in chosen:
        log.info("without %s", source)
        model = _trained(
            config, without(four_class, source), without(lgg, source), folder / f"without-{source}"
        )
        test = tests[source]
        labels = [s.label for s in test.samples]
        report["sources"][source] = {
            "scans": {str(c): labels.count(c) for c in CLASSES if c in labels},
            "with": _figures(full, test, side, source == LGG),
            "without": _figures(model, test, side, source == LGG),
        }
        (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n")
    return report


def committed_lists() -> str:
    """What a report of the committed lists records of them, as ``config.data``."""
    lists = (read_list(path) for path in (FOUR_CLASS_LIST, LGG_LIST))
    return fingerprint(PREPROCESSING_VERSION, [[astuple(s) for s in one] for one in lists])


def markdown(report: dict[str, Any]) -> str:
    """The report as a Markdown table: each source with and without it in the training."""
    heads = ["source", "scans", "trained", *(name.replace("_", " ") for name in FIGURES)]
    rows = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for source, one in report["sources"].items():
        scans = ", ".join(f"{count} {name}" for name, count in one["scans"].items())
        for how in ("with", "without"):
            cells = [_cell(one[how][name]) for name in FIGURES]
            rows.append(f"| {source} | {scans} | {how} it | {' | '.join(cells)} |")
    return "\n".join(rows)


def _tests(four_class: Pack, lgg: Pack, split: str) -> dict[str, Pack]:
    """One scan a group, by source, of the sources that training scans come from too."""
    found: dict[str, Pack] = {}
    for pack in (four_class, lgg):
        of, test = origins(pack.samples), one_per_group(pack, split)
        fitted = {of[s.group] for s in pack.samples if s.split == "train"}
        for source in (*FOUR_CLASS_SOURCES, LGG):
            own = [i for i, s in enumerate(test.samples) if of[s.group] == source]
            if own and source in fitted:
                found[source] = test.subset(np.array(own, dtype=int))
    return found


def _check_classes(four_class: Pack, lgg: Pack, source: str) -> None:
    left = {
        sample.label
        for pack in (four_class, lgg)
        for of in (origins(pack.samples),)
        for sample in pack.samples
        if sample.split == "train" and of[sample.group] != source
    }
    lost = [str(name) for name in CLASSES if name not in left]
    if lost:
        raise ValueError(f"Without {source} there is nothing to learn {' and '.join(lost)} from.")


def _trained(config: RunConfig, four_class: Pack, lgg: Pack, folder: Path) -> nn.Module:
    config = identified(config, four_class, lgg)
    return train_on(config, four_class, lgg, folder, resume=True)


def _figures(model: nn.Module, test: Pack, side: int, lesions: bool) -> dict[str, Any]:
    """``FIGURES`` of one source's scans, each with its interval or None."""
    found = softmax(logits(model, test, side))
    truth = np.array([CLASSES.index(s.label) for s in test.samples])
    is_tumour, tumour, answer = truth != NO_TUMOR, 1 - found[:, NO_TUMOR], found.argmax(axis=1)

    def statistic(at: np.ndarray) -> dict[str, float]:
        sensitivity, specificity = rates(is_tumour[at], answer[at] != NO_TUMOR)
        # LGG tells lesion from none; which of the four classes was said is no question there.
        several = len(np.unique(truth)) > 1 and not lesions
        balanced = balanced_accuracy(truth[at], answer[at], len(CLASSES))
        return {
            "balanced_accuracy": balanced if several else float("nan"),
            "tumour_auc": rank_auc(is_tumour[at], tumour[at]),
            "tumour_sensitivity": sensitivity,
            "tumour_specificity": specificity,
        }

    # Patients of LGG have slices of both kinds; other blocks are of one class and drawn within it.
    strata = None if lesions else [s.label for s in test.samples]
    proportions = {"tumour_sensitivity": is_tumour, "tumour_specificity": ~is_tumour}
    blocks = [s.block for s in test.samples]
    figures = intervals(statistic, blocks, strata, proportions=proportions)
    return {
        name: one if np.isfinite(one["value"]) else None for name, one in figures.items()
    }  # fmt: skip


def _cell(figure: dict[str, float] | None) -> str:
    if figure is None:
        return "none"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
