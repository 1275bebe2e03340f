"""Running the served engine over prepared scans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from core.imaging import SIDE, map_to_source
from core.types import BoolArray, FloatArray, Geometry, UInt8Array
from train.evaluation.scans import ScanSet
from train.metrics import dice

if TYPE_CHECKING:
    from core.inference import Engine

BATCH = 16


@dataclass(frozen=True, eq=False)
class Classified:
    """What the classifier says of a set and of its mirror images.

    Attributes:
        logits: float32 (n, 4), uncalibrated.
        mirrored_logits: float32 (n, 4), of the mirror images.
        ood_scores: float32 (n,); higher is stranger.
    """

    logits: FloatArray
    mirrored_logits: FloatArray
    ood_scores: FloatArray


@dataclass(frozen=True, eq=False)
class Segmented:
    """What the segmenter draws on a set and on its mirror images.

    Attributes:
        masks: bool (n, 224, 224), by the engine's rule (``Engine.square_mask``).
        mirror_dice: float (n,), overlap of the scan's mask with its mirror image's, mirrored back;
            1 where both are empty. Compared in the picture's own coordinates, because the two
            squares may differ by a pixel of padding.
    """

    masks: BoolArray
    mirror_dice: np.ndarray


def classify(engine: Engine, scans: ScanSet, title: str) -> Classified:
    """Run the classifier over a set and its mirror images."""
    logits, mirrored, scores = [], [], []
    for part in _batches(len(scans.samples), f"classifying {title}"):
        output = engine.runtime.classify(scans.images[part])
        logits.append(output.logits)
        scores.append(engine.ood_scores(output))
        mirrored.append(engine.runtime.classify(scans.mirrored[part]).logits)
    return Classified(*(np.concatenate(one) for one in (logits, mirrored, scores)))


def segment(engine: Engine, scans: ScanSet, title: str) -> Segmented:
    """Run the segmenter over a set and its mirror images."""
    count = len(scans.samples)
    masks, overlap = np.zeros((count, SIDE, SIDE), bool), np.zeros(count)
    for part in _batches(count, f"segmenting {title}"):
        straight = engine.runtime.segment(scans.images[part])
        mirrored = engine.runtime.segment(scans.mirrored[part])
        for offset, i in enumerate(range(part.start, part.stop)):
            mask = engine.square_mask(straight[offset], scans.heads[i], scans.kinds[i])
            other = engine.square_mask(mirrored[offset], scans.mirrored_heads[i], scans.kinds[i])
            masks[i] = mask > 0
            overlap[i] = dice(
                _in_picture(mask, scans.geometries[i]),
                _in_picture(other, scans.mirrored_geometries[i])[:, ::-1],
            )
    return Segmented(masks, overlap)


def _in_picture(mask: UInt8Array, geometry: Geometry) -> BoolArray:
    return map_to_source(mask.astype(np.float32) / 255, geometry) >= 0.5


def _batches(count: int, title: str) -> tqdm[slice]:
    starts = range(0, count, BATCH)
    return tqdm([slice(s, min(s + BATCH, count)) for s in starts], desc=title, unit="batch")
