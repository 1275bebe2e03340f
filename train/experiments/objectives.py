"""What an experiment minimises and follows: labels, or outlines of tumours."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from train.distributed import Team
from train.experiments.data import Parts
from train.loop import device
from train.losses import focal_tversky
from train.metrics import dice


class Objective(Protocol):
    """Loss and figure of a task. ``positions`` are those of the pictures in ``Parts``."""

    figure: str

    def loss(
        self, outputs: Tensor, positions: np.ndarray, flipped: np.ndarray, count: int
    ) -> tuple[Tensor, np.ndarray]:
        """The loss of this process's share of a batch, and sums for ``averages``.

        The gradient, averaged over the processes, is that of the whole batch's loss.

        Args:
            outputs: of the network, for this process's pictures.
            positions: this process's pictures.
            flipped: which of them were mirrored.
            count: pictures of the whole batch.
        """

    def of(self, outputs: np.ndarray, positions: np.ndarray) -> tuple[float, float]:
        """Loss and figure of a whole part."""


def averages(sums: np.ndarray) -> tuple[float, float]:
    """Loss and figure from the sums that ``Objective.loss`` gave, added up."""
    loss, numerator, denominator, count = sums
    return float(loss / count), float(numerator / denominator) if denominator else 1.0


class Labels:
    """Cross entropy of class numbers; follows accuracy."""

    figure = "accuracy"

    def __init__(self, parts: Parts, team: Team) -> None:
        self._labels, self._team = parts.labels, team

    def loss(
        self, outputs: Tensor, positions: np.ndarray, flipped: np.ndarray, count: int
    ) -> tuple[Tensor, np.ndarray]:
        """The share of the mean over the batch. A mirrored picture keeps its class."""
        labels = torch.from_numpy(self._labels[positions]).to(device())
        loss = functional.cross_entropy(outputs, labels, reduction="sum")
        right = float((outputs.detach().argmax(1) == labels).sum())
        sums = np.array([float(loss.detach()), right, len(positions), len(positions)])
        return loss * (self._team.size / count), sums

    def of(self, outputs: np.ndarray, positions: np.ndarray) -> tuple[float, float]:
        """Mean cross entropy and accuracy."""
        labels = self._labels[positions]
        loss = functional.cross_entropy(torch.from_numpy(outputs), torch.from_numpy(labels))
        return float(loss), float((outputs.argmax(1) == labels).mean())


class Outlines:
    """Focal Tversky loss of masks; follows the Dice overlap pooled over all pixels."""

    figure = "dice"

    def __init__(self, parts: Parts, team: Team) -> None:
        self._masks, self._team = parts.pack.masks, team

    def loss(
        self, outputs: Tensor, positions: np.ndarray, flipped: np.ndarray, count: int
    ) -> tuple[Tensor, np.ndarray]:
        """The whole batch's loss, known to each process; masks are mirrored as pictures were."""
        masks = np.ascontiguousarray(self._masks[positions])
        masks[flipped] = masks[flipped][..., ::-1]
        truth = torch.from_numpy(masks)[:, None].to(device()).float() / 255
        loss = focal_tversky(outputs, truth, total=self._team.total)
        found = (outputs.detach() >= 0).float()
        overlap = 2 * float((found * truth).sum())
        share = count / self._team.size
        pixels = float(found.sum() + truth.sum())
        return loss, np.array([float(loss.detach()) * share, overlap, pixels, share])

    def of(self, outputs: np.ndarray, positions: np.ndarray) -> tuple[float, float]:
        """Loss over all pixels of the part, and Dice."""
        truth = self._masks[positions] > 0
        masks = torch.from_numpy(truth)[:, None].float()
        loss = focal_tversky(torch.from_numpy(outputs), masks)
        return float(loss), dice(outputs[:, 0] >= 0, truth)
