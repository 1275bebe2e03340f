"""One training run, from the lists to the weights."""

from __future__ import annotations

import logging
import shlex
import sys
from pathlib import Path

import torch
from torch import nn

from train.config import RunConfig
from train.data.pack import Pack, load_pack
from train.data.splits import FOUR_CLASS_LIST, LGG_LIST, read_list
from train.loop import Task, device, fit
from train.models.registry import create_model
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
    """Run a configuration and leave its folder."""
    four_class, lgg = load_packs(root, cache)
    torch.manual_seed(config.seed)
    model = create_model(config.arch, config.init)
    task: Task
    if config.task == "classifier":
        teacher = load_teacher(Path(config.teacher)) if config.teacher else None
        task = ClassifierTask(config, four_class, lgg, teacher)
    else:
        task = SegmenterTask(config, four_class, lgg)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "command.txt").write_text(shlex.join(["python", "-m", "train", *sys.argv[1:]]) + "\n")
    log.info("%s: %d epochs on %s", config.arch, config.epochs, device())
    return fit(model, task, config, folder, resume)
