"""The networks as they are served, run over packs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.inference.runtime import ClassifierOutput, Runtime
from core.types import UInt8Array
from train.data.pack import Pack


def classify(runtime: Runtime, pack: Pack, channel: int = -1) -> ClassifierOutput:
    """The classifier's output on a whole pack; ``channel`` shows one channel in gray."""
    parts = [runtime.classify(images) for images in batches(pack, 32, channel)]
    return ClassifierOutput(
        *(
            np.concatenate([getattr(p, name) for p in parts])
            for name in ("logits", "features", "maps")
        )
    )


def batches(pack: Pack, size: int, channel: int = -1) -> Iterator[UInt8Array]:
    """A pack's squares as the runtime takes them, uint8 (size or less, side, side, 3)."""
    for start in range(0, len(pack.samples), size):
        images = pack.images[start : start + size]
        if channel >= 0:
            images = images[..., channel : channel + 1]
        if images.shape[3] == 1:
            images = np.repeat(images, 3, axis=3)
        yield np.ascontiguousarray(images)
