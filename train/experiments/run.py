"""One experiment, from its configuration to its folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from core.errors import WeightsError
from core.inference.networks import ResUNet
from train.data.splits import SPLITS_FOLDER
from train.distributed import Team
from train.evaluation.views import softmax
from train.experiments import report
from train.experiments.config import Experiment, load, shortened, with_init
from train.experiments.data import Parts, load_parts
from train.experiments.figures import classification_figures, outline_figures
from train.experiments.fit import Fitting
from train.models.cnn import count_parameters
from train.models.transfer import build_classifier

log = logging.getLogger(__name__)

RUNS = Path("runs/experiments")
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Request:
    """Which experiment to run, and where.

    Attributes:
        name: of the experiment, or the path of its YAML file.
        split: ``random`` or ``patient``.
        root: the data folder.
        cache: folder for resized pictures.
        runs: folder of all runs.
        out: folder of this run, or None for its place in ``runs``.
        init: first weights, or None for the configuration's.
        epochs: of a shortened schedule, or None for the document's.
        changes: ``KEY=VALUE`` changes of the configuration.
        lists: folder of the split lists.
    """

    name: str
    split: str
    root: Path
    cache: Path
    runs: Path = RUNS
    out: Path | None = None
    init: str | None = None
    epochs: int | None = None
    changes: tuple[str, ...] = ()
    lists: Path = SPLITS_FOLDER

    def experiment(self) -> Experiment:
        """The configuration with everything applied.

        Raises:
            ValueError: the name or a change does not fit.
        """
        experiment = load(self.name, self.changes)
        if self.init is not None:
            experiment = with_init(experiment, self.init)
        return experiment if self.epochs is None else shortened(experiment, self.epochs)

    def folder(self) -> Path:
        """Where the run leaves its files; changes are part of the name."""
        if self.out is not None:
            return self.out
        name = "-".join([load(self.name).name, self.split, *self.changes])
        return self.runs / name.replace("/", "_")


def run(request: Request, team: Team = Team()) -> Path:  # noqa: B008 (frozen)
    """Run an experiment and return its folder.

    A run that was killed goes on from its checkpoint when it is asked for again with the same
    configuration; a finished one is done again.
    """
    experiment, folder = request.experiment(), request.folder()
    if experiment.task == "cascade":
        _run_cascade(request, experiment, folder, team)
        return folder
    _prepare(folder, experiment, team)
    parts = _parts(request, experiment, team)
    torch.manual_seed(experiment.training.seed)
    network = build(experiment)
    if experiment.model.init == "scratch" and experiment.training.stages[0].train == "head":
        log.warning("The body is frozen as it was drawn: it has learnt nothing (--init scratch).")
    fitting = Fitting(network, parts, experiment, team, folder / "checkpoint.pt")
    history = fitting.run()
    outputs = fitting.outputs(parts.test)
    if team.first:
        save_file({k: v.contiguous().cpu() for k, v in network.state_dict().items()},
                  folder / WEIGHTS)  # fmt: skip
        report.write_curves(folder, history)
        if experiment.task == "localisation":
            figures, rows = _outlined(parts, outputs[:, 0] >= 0)
        else:
            figures, rows = _classified(experiment, parts, outputs)
        about = {
            "init": experiment.model.init,
            "epochs": experiment.training.epochs,
            "planned_epochs": load(request.name, request.changes).training.epochs,
            "seconds": round(sum(row["seconds"] for row in history), 1),
            "parameters": count_parameters(network),
        }
        _write(request, experiment, folder, team, about | figures, rows)
        (folder / "checkpoint.pt").unlink(missing_ok=True)
    team.wait()
    return folder


def build(experiment: Experiment) -> nn.Module:
    """The experiment's network with its first weights.

    Raises:
        ValueError, DataError, WeightsError: see ``build_classifier``.
    """
    model, how = experiment.model, experiment.input
    if model.body == "resunet":
        if model.init == "imagenet":
            raise ValueError("resunet has no ImageNet weights; use --init scratch")
        network = ResUNet()
        if model.init != "scratch":
            _load(network, Path(model.init))
        return network
    return build_classifier(
        model.body, model.head, len(experiment.classes), init=model.init, side=how.side,
        channels=how.channels, dropout=model.dropout, output=model.output,
    )  # fmt: skip


def _run_cascade(request: Request, experiment: Experiment, folder: Path, team: Team) -> None:
    """Outline the tumours on the slices that the classifier calls positive.

    The two runs are taken as they lie; one that is missing is run first, with the same options.
    """
    answers, epochs, planned = [], 0, 0
    for name in (experiment.cascade.classifier, experiment.cascade.segmenter):
        part = replace(request, name=name, out=None, changes=())
        one = part.experiment()
        if one.task == "localisation" and request.init is not None:
            part = replace(part, init=None)  # --init concerns the classifier
            one = part.experiment()
        if not (part.folder() / report.METRICS).is_file():
            run(part, team)
        network = build(with_init(one, "scratch"))
        _load(network, part.folder() / WEIGHTS)
        parts = _parts(part, one, team)
        epochs += one.training.epochs
        planned += load(name).training.epochs
        answers.append((parts, Fitting(network, parts, one, team).outputs(parts.test)))
    (first, classes), (parts, outlines) = answers
    paths = [[p.pack.samples[i].path for i in p.test] for p in (first, parts)]
    if paths[0] != paths[1]:
        raise ValueError("classifier and segmenter of a cascade must have the same test slices")
    if team.first:
        positive = softmax(classes)[:, 1] >= 0.5
        folder.mkdir(parents=True, exist_ok=True)
        report.write_config(folder, experiment)
        figures, rows = _outlined(parts, (outlines[:, 0] >= 0) & positive[:, None, None])
        probability = softmax(classes)[:, 1]
        rows = [row | {"p_tumor": round(float(p), 5)}
                for row, p in zip(rows, probability, strict=True)]  # fmt: skip
        lengths = {"epochs": epochs, "planned_epochs": planned}
        _write(request, experiment, folder, team, lengths | figures, rows)
    team.wait()


def _prepare(folder: Path, experiment: Experiment, team: Team) -> None:
    """Make the folder ready: a checkpoint of another configuration is not gone on from."""
    if team.first:
        config = folder / report.CONFIG
        checkpoint = folder / "checkpoint.pt"
        same = config.is_file() and config.read_text("utf-8") == report.config_text(experiment)
        if checkpoint.exists() and not same:
            log.warning("%s is of another configuration and is begun anew", folder)
            checkpoint.unlink()
        (folder / report.METRICS).unlink(missing_ok=True)
        report.write_config(folder, experiment)
    team.wait()


def _parts(request: Request, experiment: Experiment, team: Team) -> Parts:
    return load_parts(experiment, request.split, request.root, request.cache, team, request.lists)


def _load(network: nn.Module, path: Path) -> None:
    try:
        network.load_state_dict(load_file(path))
    except (OSError, RuntimeError) as error:
        raise WeightsError(f"{path} does not fit the network: {error}") from error


def _classified(
    experiment: Experiment, parts: Parts, outputs: np.ndarray
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    probabilities, truth = softmax(outputs), parts.labels[parts.test]
    samples = [parts.pack.samples[i] for i in parts.test]
    classes = experiment.classes
    figures = classification_figures(truth, probabilities, classes, [s.block for s in samples])
    rows = [
        {
            "dataset": sample.dataset,
            "path": sample.path,
            "block": sample.block,
            "truth": classes[label],
            "found": classes[int(values.argmax())],
            **{f"p_{c}": round(float(v), 5) for c, v in zip(classes, values, strict=True)},
        }
        for sample, label, values in zip(samples, truth, probabilities, strict=True)
    ]
    return figures, rows


def _outlined(parts: Parts, found: np.ndarray) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    truth = parts.pack.masks[parts.test] > 0
    samples = [parts.pack.samples[i] for i in parts.test]
    figures = outline_figures(found, truth, [s.block for s in samples])
    return figures, list(_outline_rows(samples, found, truth))


def _outline_rows(
    samples: list[Any], found: np.ndarray, truth: np.ndarray
) -> Iterator[dict[str, Any]]:
    for sample, mine, theirs in zip(samples, found, truth, strict=True):
        yield {
            "dataset": sample.dataset,
            "path": sample.path,
            "block": sample.block,
            "truth_pixels": int(theirs.sum()),
            "found_pixels": int(mine.sum()),
            "shared_pixels": int((mine & theirs).sum()),
        }


def _write(
    request: Request,
    experiment: Experiment,
    folder: Path,
    team: Team,
    figures: dict[str, Any],
    rows: list[dict[str, Any]],
) -> None:
    report.write_confusion(folder, figures["classes"], figures["confusion"])
    report.write_predictions(folder, rows)
    report.write_environment(folder, team.size)
    about = {
        "experiment": experiment.name, "split": request.split, "changes": list(request.changes),
    }  # fmt: skip
    report.write_metrics(folder, about | figures)
