"""Figures of classification and segmentation, on plain arrays."""

from __future__ import annotations

import numpy as np


def confusion_matrix(truth: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes): true class by row, predicted class by column."""
    matrix = np.zeros((classes, classes), dtype=int)
    np.add.at(matrix, (truth, found), 1)
    return matrix


def balanced_accuracy(truth: np.ndarray, found: np.ndarray, classes: int) -> float:
    """Mean recall of the classes that occur in ``truth``."""
    matrix = confusion_matrix(truth, found, classes)
    support = matrix.sum(axis=1)
    present = support > 0
    return float((np.diag(matrix)[present] / support[present]).mean())


def rank_auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a positive outranks a negative, ties half.

    NaN where one of the two kinds is absent.
    """
    positive = np.asarray(positive, dtype=bool)
    count, total = int(positive.sum()), len(positive)
    if count in (0, total):
        return float("nan")
    _, inverse, sizes = np.unique(score, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(sizes) - (sizes - 1) / 2
    ranks = mean_rank[inverse]
    negatives = total - count
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * negatives))


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    """Dice overlap of two boolean arrays of any shape; 1 where both are empty."""
    total = int(found.sum()) + int(truth.sum())
    return 1.0 if total == 0 else 2 * int((found & truth).sum()) / total


def iou(found: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two boolean arrays; 1 where both are empty."""
    union = int((found | truth).sum())
    return 1.0 if union == 0 else int((found & truth).sum()) / union


def expected_calibration_error(
    probabilities: np.ndarray, truth: np.ndarray, bins: int = 15
) -> float:
    """Expected calibration error of the predicted class (Guo et al. 2017, arXiv 1706.04599).

    Args:
        probabilities: (n, classes).
        truth: (n,), class numbers.
        bins: equal-width bins of confidence.
    """
    confidence, found = probabilities.max(axis=1), probabilities.argmax(axis=1)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    error = 0.0
    for one in range(bins):
        inside = place == one
        if inside.any():
            gap = abs(float((found[inside] == truth[inside]).mean()) - confidence[inside].mean())
            error += inside.mean() * gap
    return float(error)


def rates(positive: np.ndarray, called: np.ndarray) -> tuple[float, float]:
    """Sensitivity and specificity of boolean calls; NaN where the kind is absent."""
    positive, called = np.asarray(positive, dtype=bool), np.asarray(called, dtype=bool)
    sensitivity = float(called[positive].mean()) if positive.any() else float("nan")
    specificity = float((~called[~positive]).mean()) if (~positive).any() else float("nan")
    return sensitivity, specificity


def reliability_bins(
    probabilities: np.ndarray, truth: np.ndarray, bins: int = 15
) -> list[dict[str, float]]:
    """Confidence against accuracy of the predicted class, in the bins of the calibration error.

    Empty bins are left out.

    Args:
        probabilities: (n, classes).
        truth: (n,), class numbers.
        bins: equal-width bins of confidence.
    """
    confidence, found = probabilities.max(axis=1), probabilities.argmax(axis=1)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = []
    for one in np.unique(place):
        inside = place == one
        rows.append(
            {
                "low": float(one / bins),
                "high": float((one + 1) / bins),
                "count": int(inside.sum()),
                "confidence": float(confidence[inside].mean()),
                "accuracy": float((found[inside] == truth[inside]).mean()),
            }
        )
    return rows
