"""Sentences of the model card that follow from figures and commands: how it fails, how it came."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from core.types import CLASSES

_NO_TUMOR = CLASSES.index("no_tumor")
_WIDTH = 100
_WORST_CHANGES = 3
_TURNED = "rotated by 90 degrees"  # what careless exports do; always told


def failures(metrics: dict[str, Any]) -> str:
    """The worst kinds of failure, as Markdown points, with counts from metrics.json."""
    sentences = [
        *_classes(metrics["four_class"]),
        *_threshold(metrics),
        *_lgg(metrics),
        *_masks(metrics["segmentation"]),
        *_changes(metrics["trust"]["robustness"]),
        *_strangers(metrics["trust"]["out_of_distribution"]),
    ]
    return "\n".join(
        textwrap.fill(f"- {one}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        for one in sentences
    )


def _classes(four: dict[str, Any]) -> Iterator[str]:
    """By the most probable class: tumours taken for none, then for others, then false alarms."""
    rows, patients = four["confusion_matrix"]["rows_true_columns_predicted"], four["per_patient"]
    tumours = [i for i in range(len(CLASSES)) if i != _NO_TUMOR]
    missed = sorted(tumours, key=lambda i: -rows[i][_NO_TUMOR] / max(sum(rows[i]), 1))
    counts = ", ".join(
        f"{rows[i][_NO_TUMOR]} of {sum(rows[i])} {CLASSES[i]}"
        + _by_patient(patients, i, _NO_TUMOR, rows[i][_NO_TUMOR])
        for i in missed
    )
    yield f"Tumours whose most probable class is no_tumor: {counts} scans."
    pairs = [(rows[i][j], i, j) for i in tumours for j in tumours if i != j and rows[i][j]]
    if pairs:
        kinds = ", ".join(
            f"{count} of {sum(rows[i])} {CLASSES[i]} called {CLASSES[j]}"
            + _by_patient(patients, i, j, count)
            for count, i, j in sorted(pairs, key=lambda pair: -pair[0])
        )
        yield f"Tumours taken for another kind: {kinds}."
    healthy = sum(rows[_NO_TUMOR])
    yield f"Tumour-free scans called a tumour: {healthy - rows[_NO_TUMOR][_NO_TUMOR]} of {healthy}."


def _by_patient(rows: Sequence[dict[str, Any]], true: int, said: int, count: int) -> str:
    """Whose the slices are that were taken for another class: a patient's many are one mistake."""
    mine = [row["called"].get(CLASSES[said], 0) for row in rows if row["class"] == CLASSES[true]]
    known, patients = sum(mine), sum(number > 0 for number in mine)
    parts = [f"{_number(known, 'slice')} of {_number(patients, 'patient')}"] if known else []
    parts += [f"{count - known} of no known patient"] if count > known else []
    return f" ({', '.join(parts)})" if parts else ""


def _number(count: int, of: str) -> str:
    return f"{count} {of}{'s' if count != 1 else ''}"


def _threshold(metrics: dict[str, Any]) -> Iterator[str]:
    scans, four = metrics["counts"]["four_class_distinct_scans"], metrics["four_class"]
    free = scans["no_tumor"]
    ill = sum(scans.values()) - free
    missed = _failed(four["tumour_sensitivity"]["value"], ill)
    alarms = _failed(four["tumour_specificity"]["value"], free)
    yield (
        f"At the decision threshold {missed} of {ill} tumours are not suspected, and {alarms} of "
        f"{free} tumour-free scans are."
    )


def _lgg(metrics: dict[str, Any]) -> Iterator[str]:
    counts = metrics["counts"]
    ill = counts["lgg_lesion_slices"]
    free = counts["lgg_slices"] - ill
    for name, report in metrics["lgg"].items():
        missed = _failed(report["sensitivity"]["value"], ill)
        alarms = _failed(report["specificity"]["value"], free)
        shown = "as composites" if name == "composite" else f"{name.replace('_', ' ')} alone"
        yield (
            f"LGG slices, {shown}: {missed} of {ill} with a lesion are not suspected, and {alarms} "
            f"of {free} without one are."
        )


def _masks(masks: dict[str, Any]) -> Iterator[str]:
    if "figshare" in masks:
        report = masks["figshare"]
        missed = round(report["missed_share"]["value"] * report["slices"])
        dice = {
            name.removeprefix("dice_"): one["value"]
            for name, one in report.items()
            if name.removeprefix("dice_") in CLASSES and one["value"] is not None
        }
        worst = min(dice, key=dice.__getitem__)
        yield (
            f"Masks: {missed} of {report['slices']} figshare lesions get no mask that overlaps; "
            f"the mean Dice is lowest for {worst}, {dice[worst]:.3f}."
        )
    if "lgg_composites" in masks:
        report = masks["lgg_composites"]
        ill, free = report["lesion_slices"], report["lesion_free_slices"]
        missed, drawn = (
            round((report[name]["value"] or 0) * count)
            for name, count in (("slice_missed_share", ill), ("lesion_free_masked_share", free))
        )
        yield (
            f"Masks: {missed} of {ill} LGG lesion slices are missed, and {drawn} of {free} slices "
            "without a lesion get a mask."
        )
    if "tumour_free" in masks:
        report = masks["tumour_free"]
        drawn = round(report["masked_share"]["value"] * report["scans"])
        yield f"Masks: {drawn} of {report['scans']} tumour-free scans get one."


def _changes(robustness: dict[str, Any]) -> Iterator[str]:
    """The changes that cost most, each with how seldom the application notices."""
    accuracy = {name: one["balanced_accuracy"]["value"] for name, one in robustness.items()}
    clean = accuracy["unchanged"]
    changed = {name: one for name, one in robustness.items() if name != "unchanged"}
    ranked = sorted(changed, key=accuracy.__getitem__)
    for number, name in enumerate(ranked):
        one = changed[name]
        if number >= _WORST_CHANGES and name != _TURNED:
            continue
        if accuracy[name] < clean:
            yield (
                f"Changed pictures, “{name}”: the balanced accuracy falls from {clean:.3f} to "
                f"{accuracy[name]:.3f}; {1 - one['agreement']:.1%} of the answers "
                f"change, and {one['rejected']:.1%} of the pictures are called unlike the training."
            )


def _strangers(report: dict[str, Any]) -> Iterator[str]:
    rejected, counts = report["application"]["rejected"], report["pictures"]
    passed = {kind: _failed(rejected[kind], count) for kind, count in counts.items()}
    worst = sorted((kind for kind in passed if passed[kind]), key=lambda kind: -passed[kind])
    if worst:
        kinds = ", ".join(f"{passed[kind]} of {counts[kind]} “{kind}”" for kind in worst)
        yield f"Pictures that are no readable brain MRI, taken for one without a warning: {kinds}."


def _failed(share: float | None, count: int) -> int:
    """How many failed, from the share that did not."""
    return 0 if share is None else round((1 - share) * count)


def history(commands: Sequence[str]) -> str:
    """How the weights came about, from the manifest's commands."""
    parsed = [(name, options) for name, options in map(_options, commands) if name]
    exported = {task: _exported(parsed, task) for task in ("classifier", "segmenter")}
    segmenters = _chain(parsed, "segmenter", exported)
    said = [
        _began("The ResNet50", _chain(parsed, "classifier", exported), "imagenet"),
        _learnt(parsed, _run(parsed, "classifier", exported)),
        _averaged(commands, exported["classifier"]),
        _began("The ResUNet", segmenters, "scratch", _classifiers(parsed)),
        _averaged(commands, exported["segmenter"]),
    ]
    return textwrap.fill(" ".join(one for one in said if one), _WIDTH, break_on_hyphens=False)


def _exported(parsed: Sequence[tuple[str, dict[str, str]]], task: str) -> str:
    """The folder that a network was exported from, by the last export that names one that was made.

    A later one may have kept it, and then names the weights folder.
    """
    made = [one.get("run", f"runs/{task}") for name, one in parsed if name == task]
    made += [one.get("out", "") for name, one in parsed if name == "average"]
    given = [one.get(task, f"runs/{task}") for name, one in parsed if name == "export"]
    known = [one for one in given if any(_same(one, other) for other in made)]
    return (known or given or [f"runs/{task}"])[-1]


def _options(command: str) -> tuple[str, dict[str, str]]:
    """Subcommand and options of ``python -m train ...``."""
    words = shlex.split(command, comments=True)
    name = words[words.index("train") + 1] if "train" in words[:-1] else ""
    options: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        if word.startswith("--"):
            key, given, value = word[2:].partition("=")
            options[key] = value if given else "" if following.startswith("--") else following
    return name, options


def _run(
    parsed: Sequence[tuple[str, dict[str, str]]], task: str, exported: dict[str, str]
) -> dict[str, str] | None:
    """Options of the run that was exported; of the last of its task where that is not told."""
    runs = [options for name, options in parsed if name == task]
    named = [one for one in runs if _same(one.get("run", f"runs/{task}"), exported[task])]
    return (named or runs or [None])[-1]


def _same(one: str, other: str) -> bool:
    return PurePosixPath(one) == PurePosixPath(other)


def _chain(
    parsed: Sequence[tuple[str, dict[str, str]]], task: str, exported: dict[str, str]
) -> list[dict[str, str]]:
    """Options of the run that was exported and, before it, of those of the same network."""
    last = _run(parsed, task, exported)
    runs = [options for name, options in parsed if name == task]
    before = runs[: next((at for at, one in enumerate(runs) if one is last), 0)]
    if last is None:
        return []
    default = _ARCH[task]
    arch = last.get("arch", default)
    return [*(one for one in before if one.get("arch", default) == arch), last]


# What the commands train where they do not say.
_ARCH = {"classifier": "resnet50", "segmenter": "resunet"}


def _classifiers(parsed: Sequence[tuple[str, dict[str, str]]]) -> list[str]:
    """Files that hold a classifier's weights, which a segmenter's encoder may begin with."""
    runs = [one.get("run", "runs/classifier") for name, one in parsed if name == "classifier"]
    return ["weights/classifier.safetensors", *(f"{run}/weights.safetensors" for run in runs)]


def _began(
    network: str, chain: Sequence[dict[str, str]], default: str, classifiers: Sequence[str] = ()
) -> str:
    if not chain:
        return ""
    known = {
        "augnet": "AugNet's weights (Chen et al. 2021, arXiv 2106.06250; package imgsim, MIT), "
        "which were learnt from photographs without labels",
        "imagenet": "torchvision's ImageNet weights",
        "scratch": "random weights",
    }
    first, last = (one.get("init", default) for one in (chain[0], chain[-1]))
    if any(_same(first, one) for one in classifiers):
        known[first] = "the classifier's weights in its encoder and random ones in the rest"
    if last in known:
        return f"{network} began from {known[last]}."
    if first in known:
        return (
            f"{network} went on from what its earlier training had come to (`{last}`), and that "
            f"began from {known[first]}."
        )
    return f"{network} began from those of an earlier training (`{last}`)."


def _averaged(commands: Sequence[str], folder: str) -> str:
    """That a network is the mean of two, where the folder of the export holds one."""
    for command in commands:
        name, options = _options(command)
        if name == "average" and folder and _same(options.get("out", ""), folder):
            share = command.partition("the share taken: ")[2].strip()
            return (
                "What is served is the mean of its last training's weights and of earlier ones "
                f"(share of the last: {share}, chosen on `val`)."
            )
    return ""


def _learnt(parsed: Sequence[tuple[str, dict[str, str]]], run: dict[str, str] | None) -> str:
    if run is None:
        return ""
    if not run.get("teacher"):
        return "It learnt from the labels alone."
    teachers = [
        options
        for name, options in parsed
        if name == "classifier" and _same(options.get("run", ""), run["teacher"])
    ]
    arch = teachers[-1].get("arch", "resnet50") if teachers else "larger or other network"
    return (
        f"It learnt from the labels and, by distillation, from the answers of a teacher ({arch})."
    )
