"""From logits to probabilities that mean what they say."""

from __future__ import annotations

import numpy as np

from core.types import FloatArray


def calibrated(logits: FloatArray, temperature: float) -> FloatArray:
    """Softmax of logits (n, classes) at the temperature fitted on ``val``.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv 1706.04599).
    """
    scaled = logits.astype(np.float64) / temperature
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return (scaled / scaled.sum(axis=1, keepdims=True)).astype(np.float32)
