"""Running a network over a pack without augmentation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from train.data.augment import standardise
from train.data.pack import Pack
from train.data.splits import Sample


def representatives(samples: Sequence[Sample], split: str) -> list[int]:
    """Positions of one representative of each distinct scan of a split, ascending.

    The first of a group stands for it, figshare's own file before any copy.
    """
    chosen: dict[str, int] = {}
    positions = [i for i, sample in enumerate(samples) if sample.split == split]
    for position in sorted(positions, key=lambda i: (samples[i].dataset != "figshare", i)):
        chosen.setdefault(samples[position].group, position)
    return sorted(chosen.values())


def one_per_group(pack: Pack, split: str) -> Pack:
    """The pack of a split's ``representatives``."""
    return pack.subset(np.array(representatives(pack.samples, split), dtype=int))


@torch.no_grad()
def _outputs(model: nn.Module, pack: Pack, side: int, mirror: bool, size: int) -> np.ndarray:
    pack = pack.resized(side)
    device = next(model.parameters()).device
    model.eval()
    parts = []
    for start in range(0, len(pack.samples), size):
        images = torch.from_numpy(np.ascontiguousarray(pack.images[start : start + size]))
        images = images.permute(0, 3, 1, 2)
        images = images.expand(-1, 3, -1, -1).float().to(device) / 255
        if mirror:
            images = images.flip(3)
        images = standardise(images).contiguous(memory_format=torch.channels_last)
        parts.append(model(images).float().cpu())
    return torch.cat(parts).numpy()


def logits(model: nn.Module, pack: Pack, side: int, mirror: bool = False) -> np.ndarray:
    """Classifier logits (n, classes), of the mirror images if wanted."""
    return _outputs(model, pack, side, mirror, 64)


def probabilities(model: nn.Module, pack: Pack, side: int) -> np.ndarray:
    """Uncalibrated class probabilities (n, classes)."""
    return softmax(logits(model, pack, side))


def softmax(values: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Softmax over the last axis at a temperature."""
    scaled = values / temperature
    scaled = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return scaled / scaled.sum(axis=-1, keepdims=True)


def mask_probabilities(model: nn.Module, pack: Pack, side: int) -> np.ndarray:
    """Tumour probability per pixel, float32 (n, side, side)."""
    values = _outputs(model, pack, side, False, 32)[:, 0]
    return 1 / (1 + np.exp(-values))
