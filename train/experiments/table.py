"""All finished runs beside the figures that the source documents print."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml

from train.experiments import report
from train.experiments.config import Experiment, load, names, short_init, with_init
from train.experiments.data import SPLITS
from train.experiments.run import build
from train.models.cnn import count_parameters

_DOCUMENTS = {
    "000, 001": "Detection and Localization of Brain Tumor from MRI Scan Images",
    "002": "ResUNet and transfer learning for brain tumor detection",
    "003": "Detection of sub-types of brain tumors using ResNet50 with transfer learning",
    "004": "Deep Learning Brain Tumor Classifier Project",
}
_REMARKS = {
    "000, 001": "The document numbers twenty experiments and describes sixteen: two networks, two "
    "strategies, four inputs. Four of the twenty are not described (its section “Experiment 5” is "
    "empty), so they cannot be run. Its accuracies are given for networks and inputs, without the "
    "strategy, and stand here beside both.",
    "003": "The document's figures are in pictures that are not in its text.",
}
_COLUMNS = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "recall": "Recall",
    "f1_weighted": "F1 weighted",
    "f1_average": "F1 average",
    "precision": "Precision",
    "dice": "Dice",
}
_NOTE = """`random` is the documents' split: slices are shuffled and cut, so that a patient stands
on both sides, and what is held out is also what was watched while training. `patient` is the
committed split: no patient and no copy of a scan on two sides, one vote for each distinct scan, in
brackets the 95 % interval over the lists' blocks (patients, as far as they are known). Dice is the
mean over the patients with a lesion. All figures in %. A shortened or longer schedule says so: it
is no reproduction; and so does a configuration from a search, and on what it was chosen.
"""


@dataclass(frozen=True)
class Line:
    """One row: an experiment, and where its figures come from.

    Attributes:
        experiment: the configuration that comes with the project.
        source: ``document``, ``random`` or ``patient``.
        figures: by name, 0 to 1; empty where it was not run.
        intervals: of some figures.
        remark: schedule, changes, or the command of what was not run.
        per_class: sensitivity, specificity and precision, by class.
    """

    experiment: Experiment
    source: str
    figures: dict[str, float]
    intervals: dict[str, list[float]]
    remark: str
    per_class: dict[str, dict[str, float | None]] = field(default_factory=dict)


def lines(runs: Path) -> list[Line]:
    """Every experiment's rows: the document's, and of each split every finished run.

    Args:
        runs: folder of all runs.
    """
    finished: dict[tuple[str, str], list[tuple[Path, dict[str, Any]]]] = {}
    for folder in sorted(path.parent for path in runs.glob(f"*/{report.METRICS}")):
        metrics = report.read_metrics(folder)
        finished.setdefault((metrics["experiment"], metrics["split"]), []).append((folder, metrics))
    known = {name: load(name) for name in names()}
    # Configurations of one's own, and what the search found, stand beside those of the project.
    for (name, _), done in finished.items():
        if name not in known:
            known[name] = load(str(done[0][0] / report.CONFIG))
    rows = []
    for name, experiment in sorted(known.items()):
        if experiment.reported:
            where = experiment.reported_where
            rows.append(Line(experiment, "document", dict(experiment.reported), {}, where))
        for split in SPLITS:
            done = finished.get((name, split), [])
            rows += [_line(experiment, split, *one) for one in done]
            if not done and name in names():
                command = f"`python -m train experiment {name} --split {split}`"
                rows.append(Line(experiment, split, {}, {}, f"not run here: {command}"))
    return rows


def markdown(runs: Path) -> str:
    """The table, by document."""
    rows, text = lines(runs), ["# The systems of the source documents", "", _NOTE]
    for document, title in _DOCUMENTS.items():
        chosen = [row for row in rows if row.experiment.document == document]
        shown = [key for key in _COLUMNS if any(key in row.figures for row in chosen)]
        shown = shown or ["accuracy"]
        text += [f"## {title} (document {document})", ""]
        if document in _REMARKS:
            text += [_REMARKS[document], ""]
        heads = ["Experiment", "Figures of", *(_COLUMNS[key] for key in shown), "Remark"]
        text += [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
        previous = ""
        for row in chosen:
            name = row.experiment.name
            label = f"`{name}`<br>{row.experiment.title}" if name != previous else ""
            cells = [label, row.source, *(_cell(row, key) for key in shown), row.remark]
            text.append(f"| {' | '.join(cells)} |")
            previous = name
        text += ["", *_per_class(chosen)]
    return "\n".join(text)


def comma_separated(runs: Path) -> str:
    """The table as CSV: one row for each of ``lines``, figures 0 to 1."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["experiment", "document", "title", "figures_of", *_COLUMNS, "remark"])
    for row in lines(runs):
        figures = [row.figures.get(key, "") for key in _COLUMNS]
        one = row.experiment
        writer.writerow([one.name, one.document, one.title, row.source, *figures, row.remark])
    return out.getvalue()


def _line(experiment: Experiment, split: str, folder: Path, metrics: dict[str, Any]) -> Line:
    figures = {k: metrics[k] for k in _COLUMNS if metrics.get(k) is not None}
    intervals = metrics["intervals"] if split == "patient" else {}
    remark = "; ".join(_remarks(folder, metrics))
    return Line(experiment, split, figures, intervals, remark, metrics.get("per_class", {}))


def _per_class(rows: list[Line]) -> list[str]:
    """The finished runs' figures class by class; nothing where none has finished."""
    text = []
    for row in rows:
        for name, one in row.per_class.items():
            values = (one["sensitivity"], one["specificity"], one["precision"])
            shown = ["" if value is None else f"{100 * value:.1f}" for value in values]
            cells = [f"`{row.experiment.name}`", row.source, name, *shown, row.remark]
            text.append(f"| {' | '.join(cells)} |")
    if not text:
        return []
    heads = "| Experiment | Split | Class | Sensitivity | Specificity | Precision | Remark |"
    return ["By class:", "", heads, "|---|---|---|---|---|---|---|", *text, ""]


def _remarks(folder: Path, metrics: dict[str, Any]) -> Iterator[str]:
    epochs, planned = metrics["epochs"], metrics["planned_epochs"]
    if epochs < planned:
        yield f"**shortened**: {epochs} of {planned} epochs"
    elif epochs > planned:
        yield f"**longer**: {epochs} epochs instead of {planned}"
    else:
        yield f"{epochs} epochs"
    changes = [*_differences(folder, metrics["experiment"]), *_other_init(metrics)]
    if changes:
        yield "changed: " + ", ".join(changes)
    yield from _other_size(metrics)
    yield from _search(folder, metrics["split"])
    yield f"{metrics['count']} pictures"
    if "patients" in metrics:
        yield f"Dice over {metrics['patients']} patients with a lesion"
    elif "dice" in metrics and metrics["split"] == "random":
        yield "**run again**: an earlier version counted patients without a lesion in the Dice"


def _search(folder: Path, split: str) -> Iterator[str]:
    """Whether what a search chose by is what the figures are of."""
    searched = _kept(folder).get("searched")
    if searched is None:
        return
    trials = f"from a search of {searched['trials']} trials"
    if searched["split"] != split:
        # A part of each split lies in any part of the other.
        yield f"{trials} on the {searched['split']} split, **chosen partly on these pictures**"
    elif searched["chosen_on"] == "test":
        yield f"{trials}, **chosen on these pictures**"
    else:
        yield f"{trials}, chosen on {searched['chosen_on']}"


def _kept(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / report.CONFIG).read_text(encoding="utf-8"))


def _differences(folder: Path, name: str) -> Iterator[str]:
    """Where a run's configuration differs from the one that comes with the project."""
    if name not in names():
        return
    kept = _kept(folder)
    planned = yaml.safe_load(report.config_text(load(name)))
    for section in ("data", "input", "model", "training", "cascade"):
        theirs, ours = kept.get(section) or {}, planned.get(section) or {}
        for key in sorted(theirs.keys() | ours.keys()):
            if key == "init" or (section, key) == ("cascade", "epochs"):
                continue  # told by the metrics
            if (section, key) == ("cascade", "changes"):
                yield from (one.replace("=", " ", 1) for one in theirs.get(key) or ())
                continue
            if key != "stages" and theirs.get(key) != ours.get(key):
                yield f"{section}.{key} {theirs.get(key)}"
            elif key == "stages":
                yield from _other_stages(theirs[key], ours[key])


def _other_stages(theirs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> Iterator[str]:
    """Rates, what is trained, and how the epochs are shared out where they are as many in all."""
    told = {"learning_rate": "learning rates", "train": "stages train", "epochs": "epochs by stage"}
    for key, words in told.items():
        other, planned = ([stage[key] for stage in stages] for stages in (theirs, ours))
        if other != planned and (key != "epochs" or sum(other) == sum(planned)):
            yield f"{words} [{', '.join(map(str, other))}]"


def _other_init(metrics: dict[str, Any]) -> Iterator[str]:
    """The first weights, where they are not those that the project's file says."""
    if metrics["experiment"] not in names() or "init" not in metrics:
        return
    planned = load(metrics["experiment"])
    if planned.cascade is not None:
        planned = load(planned.cascade.classifier)
    if metrics["init"] != planned.model.init:
        yield f"init {short_init(metrics['init'])}"


def _other_size(metrics: dict[str, Any]) -> Iterator[str]:
    """The network's parameters, where the project's configuration gives it another number."""
    if metrics["experiment"] not in names() or "parameters" not in metrics:
        return
    experiment = with_init(load(metrics["experiment"]), "scratch")
    with torch.device("meta"):  # nothing is drawn or computed
        planned = count_parameters(build(experiment))
    if metrics["parameters"] != planned:
        yield f"{metrics['parameters']:,} parameters instead of {planned:,}"


def _cell(row: Line, key: str) -> str:
    if key not in row.figures:
        return ""
    text = f"{100 * row.figures[key]:.1f}"
    if key in row.intervals:
        low, high = row.intervals[key]
        text += f" ({100 * low:.1f} to {100 * high:.1f})"
    return text
