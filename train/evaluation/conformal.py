"""Prediction sets: the classes that cannot be ruled out, with a stated coverage.

Split conformal prediction with the score "1 - probability of the class" (Sadinle, Lei, Wasserman
2019, "Least ambiguous set-valued classifiers with bounded error levels", J. Am. Stat. Assoc. 114).
Class-conditional: each class has a limit of its own, so that the coverage holds in every class and
not only on the average of an arbitrary class mix.

Slices of one patient are alike, so what is new is a patient and not a slice: each patient of the
class weighs the same, and one more stands for the patient to come (Lee, Barber, Willett 2023,
"Distribution-free inference with hierarchical data", arXiv 2306.06342). What is promised is the
coverage of a scan of a patient like those of ``val``; it is checked on ``test``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.types import CLASSES

# Sums of shares that are equal on paper differ in their last digits.
_ROUNDING = 1e-9


def fit_limits(
    probabilities: np.ndarray, truth: np.ndarray, blocks: Sequence[str], coverage: float
) -> np.ndarray:
    """The largest score a class may have and still be in the set, one a class.

    Args:
        probabilities: (n, classes), calibrated, of ``val``.
        truth: (n,), class numbers.
        blocks: (n,), the patient, or the group of copies, that a scan belongs to.
        coverage: share of the scans of a class whose set holds it, 0 to 1.

    Returns:
        (classes,); 1 for a class with too few patients to promise the coverage: it is always in.
    """
    limits = np.ones(probabilities.shape[1])
    for number in range(probabilities.shape[1]):
        of_class = truth == number
        owners = [block for block, one in zip(blocks, of_class, strict=True) if one]
        scans = Counter(owners)
        scores = 1 - probabilities[of_class, number]
        order = np.argsort(scores)
        shares = np.array([1 / ((len(scans) + 1) * scans[owner]) for owner in owners])
        enough = np.flatnonzero(np.cumsum(shares[order]) >= coverage - _ROUNDING)
        if len(enough):
            limits[number] = scores[order[enough[0]]]
    return limits


def prediction_sets(probabilities: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Bool (n, classes): whether a class is in the scan's set. A set may be empty."""
    return 1 - probabilities <= limits


def coverage_report(
    probabilities: np.ndarray, truth: np.ndarray, limits: np.ndarray, coverage: float
) -> dict[str, Any]:
    """What the sets are worth on scans that the limits were not fitted on.

    Args:
        probabilities: (n, classes), calibrated.
        truth: (n,), class numbers.
        limits: from ``fit_limits``.
        coverage: the coverage they were fitted for.
    """
    sets = prediction_sets(probabilities, limits)
    hit = sets[np.arange(len(truth)), truth]
    sizes = sets.sum(axis=1)
    return {
        "stated_coverage": coverage,
        "coverage": float(hit.mean()),
        "coverage_by_class": {
            name: float(hit[truth == number].mean())
            for number, name in enumerate(CLASSES)
            if (truth == number).any()
        },
        "mean_set_size": float(sizes.mean()),
        "share_of_size": {str(n): float((sizes == n).mean()) for n in range(len(CLASSES) + 1)},
        "limits": {name: float(limits[number]) for number, name in enumerate(CLASSES)},
    }
