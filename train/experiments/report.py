"""The folder that a run leaves."""

from __future__ import annotations

import csv
import json
import math
import platform
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
import yaml

from train import checkout
from train.experiments.config import Experiment
from train.experiments.fit import Row
from train.loop import device

METRICS = "metrics.json"
CONFIG = "config.yaml"
_PACKAGES = ("torch", "torchvision", "timm", "numpy", "scikit-learn", "opencv-python-headless")


def config_text(experiment: Experiment) -> str:
    """The configuration as it was resolved (bases, options and changes applied), as YAML."""
    values = experiment.model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def write_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """The last file of a run: whoever sees it may take the run for finished."""
    part = folder / f"{METRICS}.part"
    part.write_text(json.dumps(_plain(metrics), indent=2) + "\n", encoding="utf-8")
    part.replace(folder / METRICS)


def read_metrics(folder: Path) -> dict[str, Any] | None:
    """The figures of a finished run; None where it has not finished."""
    path = folder / METRICS
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def write_curves(folder: Path, history: Sequence[Row]) -> None:
    """Loss and accuracy (or Dice) by epoch, as CSV and as a picture."""
    _write_rows(folder / "curves.csv", history)
    figure = next(name for name in ("accuracy", "dice") if name in history[0])
    canvas, axes = _canvas(1, 2)
    epochs = [row["epoch"] for row in history]
    for place, name in zip(axes, ("loss", figure), strict=True):
        place.plot(epochs, [row[name] for row in history], label="training")
        place.plot(epochs, [row[f"watch_{name}"] for row in history], label="held out")
        place.set(xlabel="epoch", ylabel=name)
        place.legend()
    _save(canvas, folder / "curves.png")


def write_confusion(folder: Path, classes: Sequence[str], matrix: Sequence[Sequence[int]]) -> None:
    """The confusion matrix, true class by row, as CSV and as a picture."""
    with (folder / "confusion.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["true class", *classes])
        writer.writerows([name, *row] for name, row in zip(classes, matrix, strict=True))
    canvas, axes = _canvas(1, 1)
    axes.imshow(matrix, cmap="Blues")
    most = max(max(row) for row in matrix)
    for y, row in enumerate(matrix):
        for x, count in enumerate(row):
            ink = "white" if count > most / 2 else "black"
            axes.text(x, y, str(count), ha="center", va="center", color=ink)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_xticks(range(len(classes)), classes, rotation=20)
    axes.set_yticks(range(len(classes)), classes)
    _save(canvas, folder / "confusion.png")


def write_bars(path: Path, values: dict[str, float], meaning: str) -> None:
    """One bar for each name, the longest on top."""
    canvas, axes = _canvas(1, 1)
    ordered = sorted(values.items(), key=lambda item: item[1])
    axes.barh([name for name, _ in ordered], [value for _, value in ordered])
    axes.set_xlabel(meaning)
    _save(canvas, path)


def write_predictions(folder: Path, rows: Iterable[dict[str, Any]]) -> None:
    """One row for each picture of the test part."""
    _write_rows(folder / "predictions.csv", list(rows))


def write_environment(folder: Path, processes: int) -> None:
    """What it ran on, the code's commit and the command."""
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = None
    environment = {
        "command": ["python", "-m", "train", *sys.argv[1:]],
        "git": _git_commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name() if device().type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "processes": processes,
        "packages": packages,
    }
    (folder / "environment.json").write_text(json.dumps(environment, indent=2) + "\n")


def _git_commit() -> dict[str, Any]:
    """The commit, and whether files differ from it; empty where there is no repository."""
    commit = checkout.commit()
    return {} if commit is None else {"commit": commit, "train_changed": checkout.train_changed()}


def _write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _plain(value: Any) -> Any:
    """JSON has no NaN: a figure that does not exist is null."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _canvas(rows: int, columns: int) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5 * columns, 4.0 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=110)
