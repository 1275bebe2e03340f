"""One training run, from the lists to the weights."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.errors import DataError
from core.imaging import PREPROCESSING_VERSION
from train.config import RunConfig, fingerprint
from train.data.pack import Pack, load_pack
from train.data.splits import FOUR_CLASS_LIST, LGG_LIST, read_list
from train.loop import Task, device, fit
from train.models.registry import NAMED_WEIGHTS, create_model
from train.tasks import ClassifierTask, SegmenterTask
from train.teacher import load_teacher

log = logging.getLogger(__name__)


def load_packs(root: Path, cache: Path) -> tuple[Pack, Pack]:
    """The four-class pack and the LGG pack of the committed lists."""
    return (
        load_pack(read_list(FOUR_CLASS_LIST), root, cache, channels=1),
        load_pack(read_list(LGG_LIST), root, cache, channels=3),
    )


def train(config: RunConfig, root: Path, cache: Path, folder: Path, resume: bool) -> nn.Module:
    """Run a configuration on the committed lists and leave its folder."""
    packs = load_packs(root, cache)
    # A folder from before there were fingerprints is gone on from by its options alone.
    if not (resume and _is_unmarked(folder)):
        config = identified(config, *packs)
    return train_on(config, *packs, folder, resume)


def train_on(
    config: RunConfig, four_class: Pack, lgg: Pack, folder: Path, resume: bool
) -> nn.Module:
    """Train a network on the ``train`` split of two packs and leave its folder."""
    torch.manual_seed(config.seed)
    model = create_model(config.arch, config.init)
    task: Task
    if config.task == "classifier":
        teacher = load_teacher(Path(config.teacher)) if config.teacher else None
        task = ClassifierTask(config, four_class, lgg, teacher)
    else:
        task = SegmenterTask(config, four_class, lgg)
    log.info("%s: %d epochs on %s", config.arch, config.epochs, device())
    return fit(model, task, config, folder, resume)


def identified(config: RunConfig, four_class: Pack, lgg: Pack) -> RunConfig:
    """The configuration with the fingerprints of what the run is given.

    Raises:
        DataError: a file that the run begins with is not there.
    """
    rows = [[astuple(sample) for sample in pack.samples] for pack in (four_class, lgg)]
    files = [] if config.init in (*NAMED_WEIGHTS, "scratch") else [Path(config.init)]
    if config.teacher:
        files.append(Path(config.teacher) / "weights.safetensors")
    return replace(
        config,
        data=fingerprint(PREPROCESSING_VERSION, rows),
        files=fingerprint([_digest(path) for path in files]) if files else "",
    )


def kept_report(path: Path, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """The report of earlier runs in the same folder, to be added to; None where there is none.

    Args:
        path: the report's file.
        wanted: what it must say of its runs.

    Raises:
        ValueError: it is of other runs.
    """
    if not path.is_file():
        return None
    report = json.loads(path.read_text())
    if any(report.get(key) != value for key, value in wanted.items()):
        raise ValueError(f"{path} is of another recipe or of other lists: give another run folder.")
    return report


def check_alone() -> None:
    """Refuse to be one of several processes: each would train for itself in the same folder.

    Raises:
        ValueError: torchrun started more than one.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(
            "This command runs in one process; under torchrun only `experiment` shares its work."
        )


def _is_unmarked(folder: Path) -> bool:
    if not (folder / "checkpoint.pt").is_file():
        return False
    return not RunConfig.load(folder / "config.json").data


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
