"""Weights averaged with those that a run went on from: a better network often lies between.

Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (arXiv 2109.01903).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.errors import WeightsError
from train.config import RunConfig, trained_side
from train.data.pack import Pack
from train.loop import autocast, device
from train.models.registry import create_model
from train.provenance import write_mean
from train.tasks import ClassifierTask, SegmenterTask

log = logging.getLogger(__name__)

WEIGHTS = "weights.safetensors"


def average(
    run: Path, other: Path, four_class: Pack, lgg: Pack, out: Path, shares: Sequence[float]
) -> float:
    """Average a run's weights with others, keep the mean that is best on ``val``, say its share.

    Best is the classifier's log loss, and the sum of the segmenter's two Dice figures.

    Args:
        run: a finished run folder.
        other: a safetensors file of the same network.
        four_class: gray pack of the four-class sets.
        lgg: composite pack of the LGG slices.
        out: run folder for the mean; ``train export`` takes it. What another run left there is
            removed.
        shares: of the run's weights, 0 to 1, to choose from.

    Raises:
        WeightsError: the two are not of one network.
        ValueError: one of the two lies in ``out``, where the mean would take its place.
    """
    if out.resolve() in (run.resolve(), other.parent.resolve()):
        raise ValueError(
            f"{out} holds what the mean is made of, and the mean would replace it. Give another "
            "folder."
        )
    config = RunConfig.load(run / "config.json")
    mine, theirs = load_file(run / WEIGHTS), load_file(other)
    task = (ClassifierTask if config.task == "classifier" else SegmenterTask)(
        config, four_class, lgg
    )
    side, found = trained_side(run), {}
    for share in sorted(set(shares)):
        model = create_model(config.arch).to(device())
        model.load_state_dict(_mean(mine, theirs, share))
        model = model.to(memory_format=torch.channels_last).eval()
        with autocast(config.precision)():
            figures = task.validate(model, side)
        log.info("share %.2f: %s", share, {name: round(v, 4) for name, v in figures.items()})
        worth = -figures["val_log_loss"] if config.task == "classifier" else None
        found[share] = sum(figures.values()) if worth is None else worth
    best = max(found, key=found.__getitem__)
    out.mkdir(parents=True, exist_ok=True)
    for name in ("checkpoint.pt", WEIGHTS, "log.csv"):
        (out / name).unlink(missing_ok=True)
    # The mean has no log to say that the clock ended the run before its last stage.
    stages = config.stages if side == config.stage_list()[-1][1] else f"{config.epochs}x{side}"
    replace(config, minutes=0.0, stages=stages).save(out / "config.json")
    write_mean(run, other, out, best)
    # Whoever sees the file may take the mean for finished, so it appears whole.
    save_file(_mean(mine, theirs, best), out / "weights.part")
    (out / "weights.part").replace(out / WEIGHTS)
    return best


def _mean(mine: dict[str, Tensor], theirs: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    shapes = [{name: value.shape for name, value in one.items()} for one in (mine, theirs)]
    if shapes[0] != shapes[1]:
        raise WeightsError("The two files are not of one network: their tensors differ.")
    return {
        name: torch.lerp(theirs[name].float(), value.float(), share)
        if value.dtype.is_floating_point
        else value
        for name, value in mine.items()
    }
