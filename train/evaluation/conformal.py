"""Prediction sets: the classes that cannot be ruled out, with a stated coverage.

Split conformal prediction with the score "1 - probability of the class" (Sadinle, Lei, Wasserman
2019, "Least ambiguous set-valued classifiers with bounded error levels", J. Am. Stat. Assoc. 114).
Class-conditional: each class has a limit of its own, so that the coverage holds in every class and
not only on the average of an arbitrary class mix. The guarantee supposes that ``val`` and the scans
it is used on are exchangeable; slices of one patient are not, so it is checked on ``test``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.types import CLASSES


def fit_limits(probabilities: np.ndarray, truth: np.ndarray, coverage: float) -> np.ndarray:
    """The largest score a class may have and still be in the set, one a class.

    Args:
        probabilities: (n, classes), calibrated, of ``val``.
        truth: (n,), class numbers.
        coverage: share of the scans of a class whose set holds it, 0 to 1.

    Returns:
        (classes,); 1 for a class with too few scans to promise the coverage: it is always in.
    """
    limits = np.ones(probabilities.shape[1])
    for number in range(probabilities.shape[1]):
        scores = np.sort(1 - probabilities[truth == number, number])
        rank = int(np.ceil((len(scores) + 1) * coverage))
        if 1 <= rank <= len(scores):
            limits[number] = scores[rank - 1]
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
