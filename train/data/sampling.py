"""Class-balanced draws for the classifier and mixed draws for the segmenter.

One draw is a scan, not a file: first a class, then a source, then a distinct scan, then one of its
copies. LGG slices come as composites or as one of their three channels in gray, lesion and
lesion-free alike, so that the sequence says nothing of the class.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.types import CLASSES
from train.data.pack import Pack

# Draws per class. The two classes that LGG fills too are drawn a little more often.
CLASS_SHARES = {"glioma": 0.28, "meningioma": 0.24, "no_tumor": 0.28, "pituitary": 0.20}
LGG_SHARE = 0.3  # of the glioma and no_tumor draws
COMPOSITE_SHARE = 0.4  # of the LGG draws; the rest is one channel in gray
FLAIR = 1


@dataclass(frozen=True)
class Draw:
    """One training example: a position in one of the packs, its class and the channel to show."""

    source: str
    position: int
    label: int
    channel: int  # -1: all three, or the only one


class Draws:
    """The training examples of an epoch.

    Args:
        four_class: gray pack of the four-class sets, any splits.
        lgg: composite pack of the LGG slices, any splits.
        split: the split to draw from.
    """

    def __init__(self, four_class: Pack, lgg: Pack, split: str = "train") -> None:
        self.four_class, self.lgg = four_class, lgg
        self._scans: dict[str, list[list[int]]] = defaultdict(list)
        groups: dict[str, list[int]] = defaultdict(list)
        for position, sample in enumerate(four_class.samples):
            if sample.split == split:
                groups[sample.group].append(position)
        for positions in groups.values():
            self._scans[four_class.samples[positions[0]].label].append(positions)
        self._slices: dict[str, list[int]] = defaultdict(list)
        for position, sample in enumerate(lgg.samples):
            if sample.split == split:
                self._slices[sample.label].append(position)
        self._masked = [
            p
            for p, s in enumerate(four_class.samples)
            if s.split == split and four_class.has_mask[p]
        ]

    def for_classifier(self, count: int, rng: np.random.Generator) -> list[Draw]:
        """``count`` draws with the classes in the shares of ``CLASS_SHARES``."""
        shares = np.array([CLASS_SHARES[c] for c in CLASSES])
        return [
            self._draw(int(label), rng)
            for label in rng.choice(len(CLASSES), size=count, p=shares / shares.sum())
        ]

    def for_segmenter(self, count: int, rng: np.random.Generator) -> list[Draw]:
        """``count`` draws: figshare's masked slices, LGG's, and tumour-free scans as negatives."""
        draws = []
        for kind in rng.choice(4, size=count, p=[0.52, 0.26, 0.12, 0.10]):
            if kind == 0:
                draws.append(Draw("four_class", int(rng.choice(self._masked)), 0, -1))
            elif kind == 3:
                scan = self._scans["no_tumor"][rng.integers(len(self._scans["no_tumor"]))]
                draws.append(Draw("four_class", int(rng.choice(scan)), 2, -1))
            else:
                label = "glioma" if kind == 1 else "no_tumor"
                # FLAIR alone shows what the mask outlines; T1 alone does not.
                channel = FLAIR if rng.random() < 0.25 else -1
                position = int(rng.choice(self._slices[label]))
                draws.append(Draw("lgg", position, 0 if kind == 1 else 2, channel))
        return draws

    def _draw(self, label: int, rng: np.random.Generator) -> Draw:
        name = CLASSES[label]
        scans, slices = self._scans.get(name, []), self._slices.get(name, [])
        if slices and (not scans or rng.random() < LGG_SHARE):
            channel = -1 if rng.random() < COMPOSITE_SHARE else int(rng.integers(3))
            return Draw("lgg", int(rng.choice(slices)), label, channel)
        return Draw("four_class", int(rng.choice(scans[rng.integers(len(scans))])), label, -1)

    def batches(self, draws: list[Draw], size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Batches of images (n, 3, side, side) in 0..1, masks (n, 1, side, side), labels (n,)."""
        for start in range(0, len(draws), size):
            part = draws[start : start + size]
            pairs = [self._pixels(draw) for draw in part]
            images = torch.from_numpy(np.stack([p[0] for p in pairs])).permute(0, 3, 1, 2)
            masks = torch.from_numpy(np.stack([p[1] for p in pairs]))[:, None]
            labels = torch.tensor([draw.label for draw in part])
            yield images.float() / 255, masks.float() / 255, labels

    def _pixels(self, draw: Draw) -> tuple[np.ndarray, np.ndarray]:
        pack = self.four_class if draw.source == "four_class" else self.lgg
        image = pack.images[draw.position]
        if draw.channel >= 0:
            image = image[..., draw.channel : draw.channel + 1]
        if image.shape[2] == 1:
            image = np.repeat(image, 3, axis=2)
        return image, pack.masks[draw.position]
