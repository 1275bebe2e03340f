"""The training loop: stages of growing resolution, averaged weights, a checkpoint every epoch."""

from __future__ import annotations

import contextlib
import copy
import csv
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from train.config import RunConfig
from train.provenance import write_command

log = logging.getLogger(__name__)

WARM_UP_SHARE = 0.08


class Task(Protocol):
    """What differs between the classifier and the segmenter."""

    def batches(self, epoch: int, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
        """The epoch's training batches, on the CPU."""

    def loss(self, model: nn.Module, batch: tuple[Tensor, ...], rng: torch.Generator) -> Tensor:
        """A scalar loss of one batch."""

    def validate(self, model: nn.Module, side: int) -> dict[str, float]:
        """Figures on ``val``."""


def device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(precision: str) -> Callable[[], contextlib.AbstractContextManager[object]]:
    """A factory of autocast contexts.

    ``auto`` is bfloat16 where the hardware multiplies it natively, and float32 elsewhere. A step of
    ResNet50 at 160 px takes half as long so on a CPU with AMX, and 0.6 times as long with AVX-512's
    bfloat16 alone.
    """
    kind = device().type
    if precision == "auto":
        native = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
        precision = "bf16" if kind == "cuda" or native else "fp32"
    if precision == "fp32":
        return contextlib.nullcontext
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    return lambda: torch.autocast(kind, dtype)


class Averaged:
    """Exponential moving average of a model's weights (Polyak averaging)."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards ``model`` after step ``step``."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for mine, theirs in zip(
            self.model.state_dict().values(), model.state_dict().values(), strict=True
        ):
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)


def fit(model: nn.Module, task: Task, config: RunConfig, folder: Path, resume: bool) -> nn.Module:
    """Train a model and return its averaged weights.

    Every epoch draws from generators seeded by the run's seed and the epoch's number, so a run that
    was killed and resumed sees what an uninterrupted one sees.

    Args:
        model: the network, moved to the device here.
        task: batches, loss and validation.
        config: the run.
        folder: run folder; ``config.json``, ``command.txt``, ``before.txt`` (the commands that led
            to what the run begins with), ``checkpoint.pt``, ``log.csv`` and at the end
            ``weights.safetensors`` are written there.
        resume: go on from the folder's checkpoint, if it has one. Otherwise what an earlier run
            left there is removed.

    Raises:
        ValueError: the folder's run is another one, or cannot be gone on from.
    """
    _make_ready(config, folder, resume)
    torch.manual_seed(config.seed)
    model = model.to(device(), memory_format=torch.channels_last)
    averaged = Averaged(model, config.ema)
    optimizer = _optimizer(model, config)
    # Float16 needs its gradients scaled; elsewhere the scaler does nothing.
    scaler = torch.amp.GradScaler(device().type, enabled=config.precision == "fp16")
    checkpoint = folder / "checkpoint.pt"
    first, spent = 0, 0.0
    if resume and checkpoint.exists():
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        model.load_state_dict(state["model"])
        averaged.model.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        scaler.load_state_dict(state["scaler"])
        first, spent = state["epoch"] + 1, state.get("seconds", 0.0)
        _drop_rows(folder / "log.csv", first)
        log.info("resuming after epoch %d", first)

    context = autocast(config.precision)
    steps = math.ceil(config.epoch_size / config.batch_size)
    clock = _Clock(spent, config.minutes)
    for epoch in range(first, config.epochs):
        if clock.share() >= 1:
            log.info("the %g minutes are over after epoch %d", config.minutes, epoch)
            break
        side, started, losses = config.side_at(epoch), time.monotonic(), []
        torch.manual_seed(config.seed * 100_003 + epoch)
        draws = np.random.default_rng([config.seed, epoch])
        rng = torch.Generator().manual_seed(config.seed * 100_003 + epoch)
        model.train()
        bar = tqdm(task.batches(epoch, draws), total=steps, desc=f"epoch {epoch + 1}", unit="step")
        for index, batch in enumerate(bar):
            step = epoch * steps + index
            share = max(step / (steps * config.epochs), clock.share())
            rate = _learning_rate(share, config.learning_rate)
            for group in optimizer.param_groups:
                group["lr"] = rate
            moved = tuple(t.to(device(), non_blocking=True) for t in batch)
            with context():
                loss = task.loss(model, moved, rng)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            scaler.step(optimizer)
            scaler.update()
            averaged.update(model, step)
            losses.append(float(loss.detach()))
            bar.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}")
        with context():
            figures = task.validate(averaged.model, side)
        row = {"epoch": epoch + 1, "side": side, "loss": float(np.mean(losses)), **figures}
        row["seconds"] = time.monotonic() - started
        _append(folder / "log.csv", row)
        log.info("%s", {k: round(v, 4) for k, v in row.items()})
        part = checkpoint.with_suffix(".part")
        torch.save(
            {
                "model": model.state_dict(),
                "averaged": averaged.model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scaler": scaler.state_dict(),
                "epoch": epoch,
                "seconds": clock.seconds(),
            },
            part,
        )
        part.replace(checkpoint)
    tensors = {k: v.contiguous().cpu() for k, v in averaged.model.state_dict().items()}
    # Whoever sees the file may take the run for finished, so it appears whole.
    save_file(tensors, folder / "weights.part")
    (folder / "weights.part").replace(folder / "weights.safetensors")
    return averaged.model


def _make_ready(config: RunConfig, folder: Path, resume: bool) -> None:
    """Record configuration and command, beside nothing that belongs to another run."""
    path, checkpoint = folder / "config.json", folder / "checkpoint.pt"
    if resume and checkpoint.exists():
        kept = RunConfig.load(path)
        names = [f.name for f in fields(config) if getattr(kept, f.name) != getattr(config, f.name)]
        if names:
            raise ValueError(
                f"{path} holds other options than the ones given ({', '.join(names)}). Resume with "
                "its options, or give another run folder."
            )
    else:
        if resume and (folder / "weights.safetensors").exists():
            raise ValueError(
                f"{folder} holds finished weights and no checkpoint to go on from. Give another "
                "run folder, or start anew without --resume."
            )
        begins = [Path(config.init).parent] if Path(config.init).is_file() else []
        begins += [Path(config.teacher)] if config.teacher else []
        if folder.resolve() in [place.resolve() for place in begins]:
            raise ValueError(
                f"{folder} holds what the run would begin with, and a new run removes it. Give "
                "another run folder."
            )
        folder.mkdir(parents=True, exist_ok=True)
        # The checkpoint goes first: whatever is left, nobody goes on from it with other options.
        for name in ("checkpoint.pt", "weights.safetensors", "log.csv"):
            (folder / name).unlink(missing_ok=True)
        config.save(path)
    write_command(config, folder)


def _drop_rows(path: Path, first: int) -> None:
    """Drop the log's rows of epochs that will run again (killed between log and checkpoint)."""
    if path.exists():
        header, *rows = path.read_text().splitlines(keepends=True)
        path.write_text(header + "".join(r for r in rows if int(r.split(",")[0]) <= first))


def _optimizer(model: nn.Module, config: RunConfig) -> torch.optim.Optimizer:
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


def _learning_rate(share: float, peak: float) -> float:
    """Linear warm-up, then a half cosine down to 1 % of the peak.

    Args:
        share: how much of the run is done, 0 to 1; what lies beyond counts as 1.
        peak: the highest rate.
    """
    if share < WARM_UP_SHARE:
        return peak * max(0.01, share / WARM_UP_SHARE)
    progress = min(1.0, (share - WARM_UP_SHARE) / (1 - WARM_UP_SHARE))
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


class _Clock:
    """The wall time a run has had, over all its resumptions, against what it may have."""

    def __init__(self, spent: float, minutes: float) -> None:
        self._began = time.monotonic() - spent
        self._allowed = 60 * minutes

    def seconds(self) -> float:
        """Wall time so far."""
        return time.monotonic() - self._began

    def share(self) -> float:
        """Share of the allowed time that is over; 0 where there is no limit."""
        return self.seconds() / self._allowed if self._allowed else 0.0


def _append(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as handle:
        writer = csv.DictWriter(handle, row.keys(), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)
