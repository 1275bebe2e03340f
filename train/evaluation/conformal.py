"""Prediction sets: the classes that cannot be ruled out, with a stated coverage.

Split conformal prediction with the score "1 - probability of the class" (Sadinle, Lei, Wasserman
2019, "Least ambiguous set-valued classifiers with bounded error levels", J. Am. Stat. Assoc. 114).
Class-conditional: each class has a limit of its own, so that the coverage holds in every class and
not only on the average of an arbitrary class mix.

Slices of one patient are alike, so what is new is a patient and not a slice: each patient of the
class weighs the same, and one more stands for the patient to come (Lee, Barber, Willett 2023,
"Distribution-free inference with hierarchical data", arXiv 2306.06342). What is promised is the
coverage of a scan of a patient like those of ``val``; it is checked on ``test`` as the mean over
patients. Counted by slice it is another figure, which patients with many slices decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.types import CLASSES
from train.evaluation.bootstrap import RESAMPLES, intervals
from train.evaluation.patients import equal_weights

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
    probabilities: np.ndarray,
    truth: np.ndarray,
    blocks: Sequence[str],
    limits: np.ndarray,
    coverage: float,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """What the sets are worth on scans that the limits were not fitted on.

    Args:
        probabilities: (n, classes), calibrated.
        truth: (n,), class numbers.
        blocks: (n,), the patient, or the group of copies, that a scan belongs to; drawn within
            each class.
        limits: from ``fit_limits``.
        coverage: the coverage they were fitted for.
        resamples: of the bootstrap.

    Returns:
        ``patient_coverage`` and ``coverage``: the mean over blocks, which is what was promised, and
        that over scans, each also ``..._by_class``; ``patients_by_class``, how many blocks there
        are; ``empty_sets``, the share of scans with no class in the set; sizes and limits.
    """
    sets = prediction_sets(probabilities, limits)
    hit = sets[np.arange(len(truth)), truth]
    sizes = sets.sum(axis=1)
    owners, scans = np.asarray(blocks), np.ones(len(truth))
    cases = {"": scans > 0}
    cases |= {name: truth == n for n, name in enumerate(CLASSES) if (truth == n).any()}
    # A class weighs its own blocks' scans alone, should a block have two classes.
    weights = {("coverage", name): scans for name in cases}
    for name, mine in cases.items():
        weights["patient_coverage", name] = np.zeros(len(truth))
        weights["patient_coverage", name][mine] = equal_weights(owners[mine])

    def statistic(at: np.ndarray) -> dict[str, float]:
        figures = {"empty_sets": float((sizes[at] == 0).mean())}
        for (kind, name), weight in weights.items():
            mine = at[cases[name][at]]
            figures[f"{kind} {name}"] = (
                float(np.average(hit[mine], weights=weight[mine])) if len(mine) else np.nan
            )
        return figures

    proportions = {f"{kind} {name}": cases[name] for kind, name in weights}
    proportions["empty_sets"] = cases[""]
    strata = [CLASSES[number] for number in truth]
    found = intervals(statistic, blocks, strata, resamples, proportions=proportions)
    report: dict[str, Any] = {"stated_coverage": coverage}
    for kind in ("patient_coverage", "coverage"):
        report[kind] = found[f"{kind} "]
        report[f"{kind}_by_class"] = {name: found[f"{kind} {name}"] for name in cases if name}
    return report | {
        "patients_by_class": {
            name: len(np.unique(owners[mine])) for name, mine in cases.items() if name
        },
        "empty_sets": found["empty_sets"],
        "mean_set_size": float(sizes.mean()),
        "share_of_size": {str(n): float((sizes == n).mean()) for n in range(len(CLASSES) + 1)},
        "limits": {name: float(limits[number]) for number, name in enumerate(CLASSES)},
    }
