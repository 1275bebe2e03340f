"""Training of one experiment: its stages, on pictures or on features that a frozen body gave."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from train.distributed import Team
from train.experiments.config import Experiment, Stage
from train.experiments.data import Parts, to_tensor
from train.experiments.objectives import Labels, Objective, Outlines, averages
from train.loop import autocast, device

log = logging.getLogger(__name__)

EVALUATION_BATCH = 32
_SECONDS_BETWEEN_CHECKPOINTS = 60.0

Row = dict[str, float]


@dataclass(frozen=True, eq=False)
class _Features:
    """What a frozen body says of pictures and of their mirror images.

    Attributes:
        straight: float32 (n, width).
        mirrored: the same of the mirror images, or None where none are drawn.
        row_of: the row of each picture, by its position in the pack.
    """

    straight: Tensor
    mirrored: Tensor | None
    row_of: np.ndarray

    def of(self, positions: np.ndarray, flipped: np.ndarray | None = None) -> Tensor:
        rows = torch.from_numpy(self.row_of[positions])
        if self.mirrored is None or flipped is None:
            return self.straight[rows]
        choice = torch.from_numpy(flipped)[:, None]
        return torch.where(choice, self.mirrored[rows], self.straight[rows])


class Fitting:
    """One network in training.

    Args:
        network: drawn alike on every process.
        parts: the pictures.
        experiment: the schedule.
        team: the processes that share the work.
        checkpoint: file to keep the state in; what lies there is gone on from. None: keep none.
    """

    def __init__(
        self,
        network: nn.Module,
        parts: Parts,
        experiment: Experiment,
        team: Team,
        checkpoint: Path | None = None,
    ) -> None:
        self.network = network.to(device(), memory_format=torch.channels_last)
        self.history: list[Row] = []
        self._parts, self._experiment, self._team = parts, experiment, team
        self._training, self._checkpoint = experiment.training, checkpoint
        outlines = experiment.task == "localisation"
        self._objective: Objective = Outlines(parts, team) if outlines else Labels(parts, team)
        self._context = autocast(self._training.precision)
        self._kept_at = time.monotonic()

    def run(self, after_epoch: Callable[[Row], None] = lambda row: None) -> list[Row]:
        """Go through the stages.

        Args:
            after_epoch: hears of each epoch as it ends; what it raises ends the training.

        Returns:
            One row for each epoch: number, stage, rate, loss and accuracy (or Dice) of both sides.
        """
        state = self._kept()
        if state is not None:
            self.network.load_state_dict(state["network"])
            self.history = state["history"]
            log.info("going on after epoch %d", len(self.history))
        start = 0
        for number, stage in enumerate(self._training.stages, 1):
            end = start + stage.epochs
            if len(self.history) < end:
                begun = len(self.history) > start
                self._stage(number, stage, end, state if begun else None, after_epoch)
            start = end
        return self.history

    def outputs(self, positions: np.ndarray) -> np.ndarray:
        """The network's outputs for the pictures at ``positions``, float32."""
        self._team.align(self.network)
        return self._outputs(self.network, positions, flip=False)

    def _stage(
        self,
        number: int,
        stage: Stage,
        end: int,
        state: dict[str, Any] | None,
        after_epoch: Callable[[Row], None],
    ) -> None:
        self._check_sizes()
        features, module = None, self.network
        if stage.train == "head":
            features, module = self._features(), self.network.head
        shared = self._team.wrapped(module)
        optimizer = self._optimizer(module, stage.learning_rate)
        scheduler, adaptive = None, self._training.adaptive
        if adaptive is not None:
            scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, factor=adaptive.factor, patience=adaptive.patience
            )
        if state is not None:
            optimizer.load_state_dict(state["optimizer"])
            if scheduler is not None:
                scheduler.load_state_dict(state["scheduler"])
        figure = self._objective.figure
        for epoch in range(len(self.history), end):
            began, rate = time.monotonic(), optimizer.param_groups[0]["lr"]
            row: Row = {"epoch": epoch + 1, "stage": number, "learning_rate": rate}
            row["loss"], row[figure] = self._epoch(shared, optimizer, features, epoch)
            row["watch_loss"], row[f"watch_{figure}"] = self._watched(features)
            row["seconds"] = time.monotonic() - began
            if scheduler is not None:
                scheduler.step(row["watch_loss"])
            self.history.append(row)
            if self._team.first:
                log.info("%s", {k: round(v, 5) for k, v in row.items()})
                self._keep(optimizer, scheduler, now=epoch + 1 == end)
            after_epoch(row)

    def _check_sizes(self) -> None:
        """Every process needs two pictures of every batch, for the norms."""
        count, wanted = len(self._parts.fit), self._training.batch_size
        smallest = count // math.ceil(count / wanted)
        if smallest < 2 * self._team.size:
            raise ValueError(
                f"Batches of {smallest} pictures are too small for {self._team.size} processes, "
                f"which need two each: raise training.batch_size ({wanted}) or use fewer."
            )

    def _optimizer(self, module: nn.Module, rate: float) -> torch.optim.Optimizer:
        if self._training.optimizer == "sgd":
            return torch.optim.SGD(module.parameters(), rate, momentum=self._training.momentum)
        return torch.optim.Adam(module.parameters(), rate)

    def _features(self) -> _Features:
        """The frozen body's features of everything the stage needs, computed once."""
        positions = np.union1d(self._parts.fit, self._parts.watch)
        row_of = np.full(len(self._parts.labels), -1)
        row_of[positions] = np.arange(len(positions))
        body = self.network.body
        straight = torch.from_numpy(self._outputs(body, positions, flip=False))
        mirrored = None
        if self._experiment.input.flip:
            mirrored = torch.from_numpy(self._outputs(body, positions, flip=True))
        return _Features(straight, mirrored, row_of)

    def _epoch(
        self,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        features: _Features | None,
        epoch: int,
    ) -> tuple[float, float]:
        """Loss and figure of the epoch's batches, as they were met."""
        seed = self._training.seed * 100_003 + epoch
        torch.manual_seed(seed * 1009 + self._team.rank)  # dropout differs between the processes
        draws = np.random.default_rng([self._training.seed, epoch])
        order = draws.permutation(self._parts.fit)
        flips = (draws.random(len(order)) < 0.5) & self._experiment.input.flip
        self._train_mode(module)
        # Parts of nearly equal size: no last batch is too small for a norm.
        count = math.ceil(len(order) / self._training.batch_size)
        batches = zip(np.array_split(order, count), np.array_split(flips, count), strict=True)
        sums = np.zeros(4)
        title = f"epoch {epoch + 1}"
        for whole, flipped in tqdm(batches, total=count, desc=title, disable=not self._team.first):
            mine, mirror = self._team.share(whole), self._team.share(flipped)
            if features is not None:
                outputs = module(features.of(mine, mirror).to(device()))
            else:
                images = to_tensor(self._parts.pack.images[mine], self._experiment.input, mirror)
                with self._context():
                    outputs = module(images.to(device())).float()
            loss, part = self._objective.loss(outputs, mine, mirror, len(whole))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            sums += part
        return averages(self._team.summed(sums))

    def _train_mode(self, module: nn.Module) -> None:
        module.train()
        if self._training.freeze_norm:
            for part in module.modules():
                if isinstance(part, nn.modules.batchnorm._BatchNorm):
                    part.eval()

    def _watched(self, features: _Features | None) -> tuple[float, float]:
        watch = self._parts.watch
        if features is None:
            return self._objective.of(self.outputs(watch), watch)
        self._team.align(self.network)
        head = self.network.head.eval()
        with torch.no_grad():
            outputs = head(features.of(watch).to(device())).cpu().numpy()
        return self._objective.of(outputs, watch)

    @torch.no_grad()
    def _outputs(self, module: nn.Module, positions: np.ndarray, flip: bool) -> np.ndarray:
        """What a module says of pictures; each process computes its share."""
        module.eval()
        parts = []
        for part in _slices(self._team.share(positions)):
            pictures = self._parts.pack.images[part]
            images = to_tensor(pictures, self._experiment.input, np.full(len(part), flip))
            with self._context():
                parts.append(module(images.to(device())).float().cpu().numpy())
        return self._team.gathered(np.concatenate(parts))

    def _kept(self) -> dict[str, Any] | None:
        if self._checkpoint is None or not self._checkpoint.exists():
            return None
        return torch.load(self._checkpoint, map_location="cpu", weights_only=True)

    def _keep(
        self,
        optimizer: torch.optim.Optimizer,
        scheduler: torch.optim.lr_scheduler.ReduceLROnPlateau | None,
        now: bool,
    ) -> None:
        """Keep the state, at most once a minute: epochs of a head alone take a second."""
        waited = time.monotonic() - self._kept_at >= _SECONDS_BETWEEN_CHECKPOINTS
        if self._checkpoint is None or not (now or waited):
            return
        state = {
            "network": self.network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict() if scheduler is not None else None,
            "history": self.history,
        }
        part = self._checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(self._checkpoint)
        self._kept_at = time.monotonic()


def _slices(positions: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(positions), EVALUATION_BATCH):
        yield positions[start : start + EVALUATION_BATCH]
