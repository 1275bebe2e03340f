"""The two training tasks: what they draw, what they minimise, what they report on ``val``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from core.types import CLASSES
from train.config import RunConfig
from train.data.augment import Augmentation, augment, mixed, quarter_turns, standardise
from train.data.pack import Pack
from train.data.sampling import Draw, Draws
from train.evaluation.views import mask_probabilities, one_per_group, probabilities
from train.losses import distillation, segmentation
from train.metrics import balanced_accuracy, dice, rank_auc
from train.teacher import Teacher

NO_TUMOR = CLASSES.index("no_tumor")


class _StagedDraws:
    """Draws at the resolution of the epoch; one resolution is kept in memory at a time."""

    def __init__(self, four_class: Pack, lgg: Pack) -> None:
        self._packs = (four_class, lgg)
        self._side, self._draws = 0, None

    def at(self, side: int) -> Draws:
        if self._draws is None or side != self._side:
            self._draws = None  # freed before the next is made
            self._draws = Draws(*(pack.resized(side) for pack in self._packs))
            self._side = side
        return self._draws


class ClassifierTask:
    """Four classes, from labels and, where there is one, from a teacher."""

    def __init__(
        self, config: RunConfig, four_class: Pack, lgg: Pack, teacher: Teacher | None = None
    ) -> None:
        self.config, self.teacher = config, teacher
        self._staged = _StagedDraws(four_class, lgg)
        self._val = one_per_group(four_class, "val")
        self._val_lgg = lgg.subset(lgg.positions("val")[::3])

    def batches(self, epoch: int, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
        """Class-balanced batches of images and labels."""
        draws = self._staged.at(self.config.side_at(epoch))
        chosen: list[Draw] = draws.for_classifier(self.config.epoch_size, rng)
        for images, _, labels in draws.batches(chosen, self.config.batch_size):
            yield images, labels

    def loss(self, model: nn.Module, batch: tuple[Tensor, ...], rng: torch.Generator) -> Tensor:
        """Cross entropy with distillation on the augmented batch."""
        images, labels = batch
        images, _ = augment(images, None, Augmentation(), rng)
        if self.config.mix:
            images, labels = mixed(images, labels, len(CLASSES), self.config.mix, rng)
        images = standardise(images).contiguous(memory_format=torch.channels_last)
        wanted = None
        if self.teacher is not None:
            wanted = self.teacher(images)
        images, _ = quarter_turns(images, None, self.config.quarter_turns, rng)
        return distillation(
            model(images).float(),
            labels,
            wanted,
            self.config.teacher_weight,
            self.config.teacher_temperature,
            self.config.label_smoothing,
        )

    def validate(self, model: nn.Module, side: int) -> dict[str, float]:
        """Balanced accuracy, log loss and tumour AUC on the four-class sets; AUC on LGG."""
        truth = np.array([CLASSES.index(s.label) for s in self._val.samples])
        found = probabilities(model, self._val, side)
        truth_lgg = np.array([s.label == "glioma" for s in self._val_lgg.samples])
        found_lgg = probabilities(model, self._val_lgg, side)
        return {
            "val_balanced": balanced_accuracy(truth, found.argmax(1), len(CLASSES)),
            "val_log_loss": float(-np.log(found[np.arange(len(truth)), truth] + 1e-9).mean()),
            "val_tumour_auc": rank_auc(truth != NO_TUMOR, 1 - found[:, NO_TUMOR]),
            "val_lgg_auc": rank_auc(truth_lgg, 1 - found_lgg[:, NO_TUMOR]),
        }


class SegmenterTask:
    """Tumour masks of figshare and LGG, with tumour-free scans as negatives."""

    def __init__(self, config: RunConfig, four_class: Pack, lgg: Pack) -> None:
        self.config = config
        self._staged = _StagedDraws(four_class, lgg)
        masked = np.flatnonzero(four_class.has_mask)
        val = set(four_class.positions("val"))
        self._val = four_class.subset(np.array([i for i in masked if i in val]))
        self._val_lgg = lgg.subset(lgg.positions("val"))

    def batches(self, epoch: int, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
        """Batches of images and masks."""
        draws = self._staged.at(self.config.side_at(epoch))
        chosen = draws.for_segmenter(self.config.epoch_size, rng)
        for images, masks, _ in draws.batches(chosen, self.config.batch_size):
            yield images, masks

    def loss(self, model: nn.Module, batch: tuple[Tensor, ...], rng: torch.Generator) -> Tensor:
        """Focal Tversky plus cross entropy on the augmented batch."""
        images, masks = augment(*batch, Augmentation(), rng)
        images, masks = quarter_turns(images, masks, self.config.quarter_turns, rng)
        images = standardise(images).contiguous(memory_format=torch.channels_last)
        return segmentation(model(images), masks)

    def validate(self, model: nn.Module, side: int) -> dict[str, float]:
        """Mean Dice a figshare slice, and Dice pooled over all pixels of an LGG patient."""
        figures = mask_figures(model, self._val, self._val_lgg, side)
        return {f"val_{name}": value for name, value in figures.items()}


def mask_figures(model: nn.Module, figshare: Pack, lgg: Pack, side: int) -> dict[str, float]:
    """What masks at 0.5 are worth, without a mirror image or a threshold that was chosen.

    Args:
        model: the segmenter.
        figshare: slices with a lesion.
        lgg: all slices of some patients, as composites.
        side: input side in pixels.

    Returns:
        ``figshare_dice``: mean over slices; ``lgg_dice``: mean over patients of the Dice of all
        their pixels.
    """
    found = mask_probabilities(model, figshare, side) >= 0.5
    truth = figshare.resized(side).masks > 0
    slices = [dice(f, t) for f, t in zip(found, truth, strict=True)]
    found = mask_probabilities(model, lgg, side) >= 0.5
    truth = lgg.resized(side).masks > 0
    patients = np.array([s.block for s in lgg.samples])
    pooled = [dice(found[patients == p], truth[patients == p]) for p in np.unique(patients)]
    return {"figshare_dice": float(np.mean(slices)), "lgg_dice": float(np.mean(pooled))}
