"""How far probabilities can be taken at their word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import brier_score_loss, log_loss

from core.types import CLASSES
from train.evaluation.bootstrap import RESAMPLES, SEED, intervals
from train.metrics import expected_calibration_error


def calibration(
    truth: np.ndarray, probabilities: np.ndarray, blocks: Sequence[str], resamples: int
) -> dict[str, Any]:
    """Calibration error (15 bins), Brier score (summed over classes, 0 to 2), log loss (nats).

    The error has an interval. It is biased upwards: a resample's own noise counts as error.

    Args:
        truth: (n,), class numbers.
        probabilities: (n, classes).
        blocks: (n,), what is resampled together; drawn within each class.
        resamples: of the bootstrap.
    """
    numbers = list(range(len(CLASSES)))
    # Float32 rows sum to 1 only to seven digits, which scikit-learn warns about.
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)

    def statistic(at: np.ndarray) -> dict[str, float]:
        error = expected_calibration_error(probabilities[at], truth[at])
        return {"expected_calibration_error": error}

    return {
        **intervals(statistic, blocks, [CLASSES[number] for number in truth], resamples),
        "brier": float(brier_score_loss(truth, exact, labels=numbers, scale_by_half=False)),
        "log_loss": float(log_loss(truth, exact, labels=numbers)),
    }


def error_of_a_perfect_model(
    probabilities: np.ndarray, draws: int = RESAMPLES, seed: int = SEED
) -> dict[str, float]:
    """The calibration error that chance alone leaves: of a model that is as right as it is sure.

    In each draw a scan is right with the probability of its most probable class, each scan by
    itself. Slices of one patient are alike, which would leave more.

    Args:
        probabilities: (n, classes), whose confidences the model has.
        draws: how many times the answers are drawn.
        seed: of the draws.

    Returns:
        ``mean`` and ``percentile_95`` over the draws.
    """
    rng = np.random.default_rng(seed)
    found, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    errors = [
        # -1 is no class: wrong.
        expected_calibration_error(
            probabilities, np.where(rng.random(len(found)) < confidence, found, -1)
        )
        for _ in range(draws)
    ]
    return {"mean": float(np.mean(errors)), "percentile_95": float(np.percentile(errors, 95))}
