"""The same recipe in folds of patients: how much of a figure is the luck of one split.

The committed lists cut the data once. Here the same blocks are cut anew: each fold is ``test``
once, the next one ``val`` (logged, chosen by nothing), the others ``train``. No patient and no copy
of a scan stands on two sides:

* each batch of figshare is cut into stretches of consecutive patients, in all planes at once; since
  the planes agree on a patient's place to a few patients only (``train.data.figshare``), the three
  next to a cut are left out of training and watching, and slices that could not be placed are used
  by none;
* all copies of a scan share its block, and LGG's block is the patient;
* scans that are of no known patient go by their group of copies.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from core.imaging import PREPROCESSING_VERSION
from core.types import CLASSES
from train.config import RunConfig, fingerprint
from train.data.figshare import UNPLACED
from train.data.pack import Pack
from train.data.splits import FOUR_CLASS_LIST, LGG_LIST, Sample, read_list
from train.evaluation.views import logits, one_per_group, softmax
from train.metrics import balanced_accuracy, rank_auc, rates
from train.runs import identified, kept_report, train_on
from train.tasks import mask_figures

log = logging.getLogger(__name__)

NO_TUMOR, GLIOMA = CLASSES.index("no_tumor"), CLASSES.index("glioma")
REPORT = "folds.json"
_PATIENT = re.compile(r"figshare-(?P<batch>\w+)-(?P<number>\d+)")
_GUARD_PATIENTS = 3


def fold_splits(samples: Iterable[Sample], folds: int) -> list[dict[str, str]]:
    """The split of each block in each fold.

    Args:
        samples: a whole list, every split of it.
        folds: how many, 3 at the least: one is tested, one watched, and something must be left.

    Returns:
        For each fold, ``train``, ``val``, ``test`` or ``guard`` by block.

    Raises:
        ValueError: fewer than three folds.
    """
    if folds < 3:
        raise ValueError(f"three folds at the least (test, val, train), got {folds}")
    batches: dict[str, dict[int, str]] = defaultdict(dict)
    loose: dict[str, set[str]] = defaultdict(set)
    unplaced: set[str] = set()
    for sample in samples:
        found = _PATIENT.fullmatch(sample.block)
        if found and found["batch"] == UNPLACED:
            unplaced.add(sample.block)
        elif found:
            batches[found["batch"]][int(found["number"])] = sample.block
        else:
            # A patient of LGG has slices of both kinds; elsewhere each class is dealt out alone.
            kind = sample.dataset if sample.dataset == "lgg" else sample.label
            loose[kind].add(sample.block)
    fold_of: dict[str, int] = {}
    near: dict[str, set[int]] = {}
    for numbered in batches.values():
        parts = np.array_split(np.array(sorted(numbered)), folds)
        fold_at = {int(number): fold for fold, part in enumerate(parts) for number in part}
        for number, fold in fold_at.items():
            around = range(number - _GUARD_PATIENTS, number + _GUARD_PATIENTS + 1)
            fold_of[numbered[number]] = fold
            near[numbered[number]] = {fold_at[other] for other in around if other in fold_at}
    for blocks in loose.values():
        # By a hash: neither the order of the files nor that of the lists decides.
        ordered = sorted(blocks, key=lambda b: hashlib.sha256(b.encode()).hexdigest())
        fold_of |= {block: position % folds for position, block in enumerate(ordered)}

    def split(block: str, test: int) -> str:
        if block in unplaced:
            return "guard"
        val = (test + 1) % folds
        fold, around = fold_of[block], near.get(block, set())
        if fold == test:
            return "test"
        if test in around or (fold != val and val in around):
            return "guard"
        return "val" if fold == val else "train"

    return [{block: split(block, test) for block in (*fold_of, *unplaced)} for test in range(folds)]


def committed_folds(folds: int) -> str:
    """What a report in so many folds of the committed lists records of them, as ``config.data``."""
    rows = [read_list(path) for path in (FOUR_CLASS_LIST, LGG_LIST)]
    splits = fold_splits([sample for one in rows for sample in one], folds)[0]
    return fingerprint(PREPROCESSING_VERSION, [
        [astuple(replace(sample, split=splits[sample.block])) for sample in one] for one in rows
    ])  # fmt: skip


def with_splits(pack: Pack, splits: dict[str, str]) -> Pack:
    """The pack with another split, by block."""
    samples = tuple(replace(s, split=splits[s.block]) for s in pack.samples)
    return Pack(samples, pack.images, pack.masks, pack.has_mask)


def train_folds(
    config: RunConfig,
    four_class: Pack,
    lgg: Pack,
    folder: Path,
    folds: int = 5,
    only: Sequence[int] = (),
) -> dict[str, Any]:
    """Train one network a fold and measure each on the fold that it never saw.

    A run that is finished, or was killed, is gone on from when asked for again with the same
    configuration and the same lists. The report is written to ``folder/folds.json`` after each
    fold, beside the folds that it already holds.

    Args:
        config: of every network; ``task`` says which. ``teacher``, and ``init`` where it is a
            folder, name an earlier run in the same folds: a fold has its own teacher and first
            weights, which have not seen what it is tested on.
        four_class: gray pack of the four-class sets.
        lgg: composite pack of the LGG slices.
        folder: of the runs, one below it for each fold.
        folds: how many.
        only: those to train, counted from 1; empty for all.

    Returns:
        ``config``, with the number of ``folds`` and of ``epochs``; ``folds``: for each trained one
        its number, scans and figures; and ``summary``: mean and sample standard deviation of each
        figure (None for one fold).

    Raises:
        ValueError: a fold that does not exist, a folder of another configuration, or a teacher or
            first weights that were trained on other scans.
    """
    wrong = [number for number in only if not 1 <= number <= folds]
    if wrong:
        raise ValueError(f"there are folds 1 to {folds}, no {wrong[0]}")
    side = config.side_at(config.epochs - 1)
    cuts = fold_splits(four_class.samples + lgg.samples, folds)
    first = [with_splits(pack, cuts[0]) for pack in (four_class, lgg)]
    alike = replace(config, teacher="", init="scratch" if _in_folds(config) else config.init)
    recipe = replace(identified(alike, *first), teacher=config.teacher, init=config.init)
    about = {"config": asdict(recipe) | {"epochs": config.epochs, "folds": folds}}
    report: dict[str, Any] = kept_report(folder / REPORT, about) or about | {"folds": []}
    for number in only or range(1, folds + 1):
        log.info("fold %d of %d", number, folds)
        packs = [with_splits(pack, cuts[number - 1]) for pack in (four_class, lgg)]
        own = _identified(config, packs, number)
        model = train_on(own, *packs, folder / f"fold-{number}", resume=True)
        measure = _classified if config.task == "classifier" else _outlined
        others = [one for one in report["folds"] if one["fold"] != number]
        measured = {"fold": number, **measure(model, *packs, side)}
        report["folds"] = sorted([*others, measured], key=lambda one: one["fold"])
        report["summary"] = _summary(report["folds"])
        (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n")
    return report


def markdown(report: dict[str, Any]) -> str:
    """The report as a line on the recipe and a table: a row a fold, then mean and deviation."""
    names, config = list(report["summary"]), report["config"]
    about = (
        f"{config['arch']}, init {config['init']}, {config['epochs']} epochs ({config['stages']}), "
        f"{len(report['folds'])} of {config['folds']} folds"
    )
    heads = ["fold", "scans", *(name.replace("_", " ") for name in names)]
    rows = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for one in report["folds"]:
        cells = [f"{one['figures'][name]:.3f}" for name in names]
        rows.append(f"| {one['fold']} | {one['scans']} | {' | '.join(cells)} |")
    spreads = [
        "–" if one["sd"] is None else f"{one['sd']:.3f}" for one in report["summary"].values()
    ]
    means = [f"{one['mean']:.3f}" for one in report["summary"].values()]
    cells = [f"{mean} ± {spread}" for mean, spread in zip(means, spreads, strict=True)]
    rows.append(f"| mean ± standard deviation | | {' | '.join(cells)} |")
    return "\n".join([about, "", *rows])


def _in_folds(config: RunConfig) -> bool:
    """Whether the first weights come from a run in folds."""
    return Path(config.init).is_dir()


def _identified(config: RunConfig, packs: Sequence[Pack], number: int) -> RunConfig:
    """A fold's configuration, with its own teacher and first weights."""
    fold, before = f"fold-{number}", []
    own = config
    if _in_folds(config):
        before.append(Path(config.init) / fold)
        own = replace(own, init=str(before[-1] / "weights.safetensors"))
    if config.teacher:
        before.append(Path(config.teacher) / fold)
        own = replace(own, teacher=str(before[-1]))
    own = identified(own, *packs)
    for folder in before:
        if RunConfig.load(folder / "config.json").data != own.data:
            raise ValueError(f"{folder} was not trained on the scans of this fold")
    return own


def _classified(model: nn.Module, four_class: Pack, lgg: Pack, side: int) -> dict[str, Any]:
    test, slices = one_per_group(four_class, "test"), lgg.subset(lgg.positions("test"))
    found, found_lgg = (_as_served(model, pack, side) for pack in (test, slices))
    truth = np.array([CLASSES.index(s.label) for s in test.samples])
    answer = found.argmax(axis=1)
    sensitivity, specificity = rates(truth != NO_TUMOR, answer != NO_TUMOR)
    lesion = np.array([s.label == "glioma" for s in slices.samples])
    return {
        "scans": len(truth),
        "figures": {
            "balanced_accuracy": balanced_accuracy(truth, answer, len(CLASSES)),
            "glioma_sensitivity": rates(truth == GLIOMA, answer == GLIOMA)[0],
            "tumour_sensitivity": sensitivity,
            "tumour_specificity": specificity,
            "lgg_lesion_auc": rank_auc(lesion, 1 - found_lgg[:, NO_TUMOR]),
        },
    }


def _as_served(model: nn.Module, pack: Pack, side: int) -> np.ndarray:
    """Probabilities from a scan and its mirror image, averaged as the application does it."""
    pack = pack.resized(side)
    return softmax((logits(model, pack, side) + logits(model, pack, side, mirror=True)) / 2)


def _outlined(model: nn.Module, four_class: Pack, lgg: Pack, side: int) -> dict[str, Any]:
    masked = set(np.flatnonzero(four_class.has_mask))
    lesions = [i for i in four_class.positions("test") if i in masked]
    test = four_class.subset(np.array(lesions, dtype=int))
    slices = lgg.subset(lgg.positions("test"))
    return {
        "scans": len(test.samples) + len(slices.samples),
        "figures": mask_figures(model, test, slices, side),
    }


def _summary(folds: Sequence[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    spread: dict[str, dict[str, float | None]] = {}
    for name in folds[0]["figures"]:
        values = np.array([one["figures"][name] for one in folds])
        sd = float(values.std(ddof=1)) if len(values) > 1 else None
        spread[name] = {"mean": float(values.mean()), "sd": sd}
    return spread
