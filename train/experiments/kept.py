"""What lies in a run's folder: which run it is of, and what that run was given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path

from core.inference.weights import sha256_of
from train.config import fingerprint
from train.experiments import report
from train.experiments.config import Experiment, load, names
from train.experiments.data import Parts

_SECTIONS = ("name", "task", "data", "input", "model", "training", "cascade", "searched")


def as_planned(name: str, changes: Iterable[str] = ()) -> Experiment:
    """What a run is told apart from: the project's experiment, where a file has the name of one.

    A run's ``config.yaml`` is such a file, with its shortened schedule and its first weights.

    Args:
        name: see ``load``.
        changes: see ``load``; not of a project's experiment that a file stands for.
    """
    own = load(name, changes)
    if not name.endswith(".yaml") or own.name not in names():
        return own
    planned = load(own.name)
    return planned if planned.task == own.task else own


def lists_line(split: str, parts: Parts) -> str:
    """The split, and a fingerprint of the lists' rows and of what is trained on and watched."""
    samples = [astuple(sample) for sample in parts.pack.samples]
    places = [part.tolist() for part in (parts.fit, parts.watch)]
    return f"# split {split}, pictures {fingerprint(samples, places)}"


def files_line(experiment: Experiment, parts: Parts) -> str:
    """The files that the lists do not tell apart: the pictures', and that of the first weights."""
    line, first = f"# files {parts.resized}", Path(experiment.model.init)
    return f"{line}, first weights {sha256_of(first)}" if first.is_file() else line


def config_text(split: str, experiment: Experiment, parts: Parts) -> str:
    """A run's configuration, headed by what it was done on: a killed run goes on with no other."""
    lines = (lists_line(split, parts), files_line(experiment, parts))
    return "\n".join((*lines, report.config_text(experiment)))


def check_free(folder: Path, wanted: Experiment, split: str) -> None:
    """See that a run may leave its files in a folder.

    Raises:
        ValueError: the run would begin with a file there, or a finished run of another
            configuration or split would be lost.
    """
    first = Path(wanted.model.init) if wanted.model is not None else None
    if first is not None and first.is_file() and first.resolve().parent == folder.resolve():
        raise ValueError(f"{folder} holds what the run would begin with: give another --out.")
    if (folder / report.METRICS).is_file() and (other := unlike(folder, wanted, split)):
        raise ValueError(
            f"{folder} holds a finished run of another configuration (other: {', '.join(other)}), "
            "which would be lost: give another --out."
        )


def unlike(folder: Path, wanted: Experiment, split: str, line: str = "") -> list[str]:
    """In what the finished run in a folder is another than the wanted one; nothing: it is that one.

    Args:
        folder: of the run.
        wanted: the configuration.
        split: ``random`` or ``patient``.
        line: that of its lists, see ``lists_line``; empty: whatever they were.
    """
    config = folder / report.CONFIG
    try:
        kept = load(str(config))
    except ValueError:  # absent, or of an earlier version
        return [report.CONFIG]
    other = [name for name in _SECTIONS if getattr(kept, name) != getattr(wanted, name)]
    if report.read_metrics(folder)["split"] != split:
        other.append("split")
    elif line and line not in config.read_text(encoding="utf-8").splitlines():
        other.append("lists")
    return other
