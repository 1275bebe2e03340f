"""One experiment, from its configuration to its folder."""

from __future__ import annotations

import logging
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from core.errors import WeightsError
from core.inference.networks import ResUNet
from train.data.splits import SPLITS_FOLDER
from train.distributed import Team
from train.evaluation.views import softmax
from train.experiments import kept, report
from train.experiments.config import Experiment, load, short_init, shortened, with_init
from train.experiments.data import Parts, load_parts
from train.experiments.figures import classified, outlined
from train.experiments.fit import Fitting
from train.models.cnn import count_parameters
from train.models.registry import NAMED_WEIGHTS
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
            ValueError: the name or a change does not fit, of a cascade's parts either.
        """
        experiment = load(self.name, self.changes)
        if self.init is not None:
            experiment = with_init(experiment, self.init)
        if self.epochs is not None:
            experiment = shortened(experiment, self.epochs)
        if experiment.task == "cascade":
            for part in self.parts(experiment):
                part.experiment()
        return experiment

    def parts(self, cascade: Experiment) -> list[Request]:
        """The two runs that a cascade is made of, with its options and its changes of them."""
        made_of, requests = cascade.cascade, []
        part = replace(self, out=None, epochs=made_of.epochs, changes=made_of.changes)
        for name in (made_of.classifier, made_of.segmenter):
            # --init concerns the classifier
            init = None if load(name).task == "localisation" else made_of.init
            requests.append(replace(part, name=name, init=init))
        return requests

    def folder(self) -> Path:
        """Where the run leaves its files; what differs from the file is part of the name."""
        if self.out is not None:
            return self.out
        both = self.experiment(), kept.as_planned(self.name, self.changes)
        epochs, planned_epochs = ((one.cascade or one.training).epochs for one in both)
        init, planned_init = ((one.cascade or one.model).init for one in both)
        parts = [load(self.name).name, self.split, *self.changes]
        if epochs != planned_epochs:
            parts.append(f"{epochs}-epochs")
        if init != planned_init:
            parts.append(short_init(init))
        return self.runs / "-".join(parts).replace("/", "_")

    def command(self) -> str:
        """What makes this run, for somebody to type."""
        line = ["python", "-m", "train", "experiment", self.name, "--split", self.split]
        line += ["--runs", str(self.runs)] if self.runs != RUNS else []
        line += ["--init", self.init] if self.init else []
        line += ["--epochs", str(self.epochs)] if self.epochs else []
        line += [word for change in self.changes for word in ("--set", change)]
        return shlex.join(line)


def run(request: Request, team: Team = Team()) -> Path:  # noqa: B008 (frozen)
    """Run an experiment and return its folder.

    A run that was killed goes on from its checkpoint when it is asked for again with the same
    configuration, split and pictures; a finished one is done again.

    Raises:
        ValueError: what the configuration says cannot be done, a cascade's part is another run, or
            the folder holds a finished run of another configuration.
    """
    experiment, folder = request.experiment(), request.folder()
    kept.check_free(folder, experiment, request.split)
    if experiment.task == "cascade":
        _run_cascade(request, experiment, folder, team)
        return folder
    parts = _parts(request, experiment, team)
    torch.manual_seed(experiment.training.seed)
    network = build(experiment)
    if experiment.model.init == "scratch" and experiment.training.stages[0].train == "head":
        log.warning("The body is frozen as it was drawn: it has learnt nothing (--init scratch).")
    _prepare(folder, kept.config_text(request.split, experiment, parts), team)
    fitting = Fitting(network, parts, experiment, team, folder / "checkpoint.pt")
    history = fitting.run()
    outputs = fitting.outputs(parts.test)
    if team.first:
        save_file({k: v.contiguous().cpu() for k, v in network.state_dict().items()},
                  folder / WEIGHTS)  # fmt: skip
        report.write_curves(folder, history)
        if experiment.task == "localisation":
            figures, rows = outlined(parts, outputs[:, 0] >= 0)
        else:
            figures, rows = classified(experiment.classes, parts, outputs)
        about = {
            "init": experiment.model.init,
            "epochs": experiment.training.epochs,
            "planned_epochs": kept.as_planned(request.name).training.epochs,
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
        if model.init in NAMED_WEIGHTS:
            raise ValueError(f"resunet has no weights named {model.init}; use --init scratch")
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

    The two runs are taken as they lie; one that is missing is run first, with the same options and
    changes.
    """
    answers, made = [], []
    for part in request.parts(experiment):
        if not (part.folder() / report.METRICS).is_file():
            run(part, team)
        one = part.experiment()
        parts = _parts(part, one, team)
        made.append(_metrics_of(part, one, parts))
        network = build(with_init(one, "scratch"))
        _load(network, part.folder() / WEIGHTS)
        answers.append((parts, Fitting(network, parts, one, team).outputs(parts.test)))
    (first, classes), (parts, outlines) = answers
    paths = [[p.pack.samples[i].path for i in p.test] for p in (first, parts)]
    if paths[0] != paths[1]:
        raise ValueError("classifier and segmenter of a cascade must have the same test slices")
    if team.first:
        positive = softmax(classes)[:, 1] >= 0.5
        folder.mkdir(parents=True, exist_ok=True)
        (folder / report.CONFIG).write_text(report.config_text(experiment), encoding="utf-8")
        figures, rows = outlined(parts, (outlines[:, 0] >= 0) & positive[:, None, None])
        probability = softmax(classes)[:, 1]
        rows = [row | {"p_tumor": round(float(p), 5)}
                for row, p in zip(rows, probability, strict=True)]  # fmt: skip
        about = {key: sum(one[key] for one in made) for key in ("epochs", "planned_epochs")}
        about["init"] = made[0]["init"]
        _write(request, experiment, folder, team, about | figures, rows)
    team.wait()


def _metrics_of(part: Request, wanted: Experiment, parts: Parts) -> dict[str, Any]:
    """The figures of a cascade's part, if the run that lies there is the one that is wanted."""
    folder = part.folder()
    # One that was trained on other lists may know the patients whom the cascade is tested on.
    other = kept.unlike(folder, wanted, part.split, kept.lists_line(part.split, parts))
    if other:
        raise ValueError(
            f"The run in {folder} is not the one that the cascade is made of (other: "
            f"{', '.join(other)}). Move it away, then make it anew: {part.command()}"
        )
    return report.read_metrics(folder)


def _prepare(folder: Path, text: str, team: Team) -> None:
    """Make the folder ready: nothing of another run is gone on from, nor left beside this one."""
    if team.first:
        folder.mkdir(parents=True, exist_ok=True)
        config, checkpoint = folder / report.CONFIG, folder / "checkpoint.pt"
        same = config.is_file() and config.read_text("utf-8") == text
        if checkpoint.exists() and not same:
            log.warning(
                "%s is of another configuration or of other files and is begun anew", folder
            )
            checkpoint.unlink()
        for name in (report.METRICS, WEIGHTS):
            (folder / name).unlink(missing_ok=True)
        config.write_text(text, encoding="utf-8")
    team.wait()


def _parts(request: Request, experiment: Experiment, team: Team) -> Parts:
    return load_parts(experiment, request.split, request.root, request.cache, team, request.lists)


def _load(network: nn.Module, path: Path) -> None:
    try:
        network.load_state_dict(load_file(path))
    except (OSError, RuntimeError) as error:
        raise WeightsError(f"{path} does not fit the network: {error}") from error


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
