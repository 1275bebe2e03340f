"""The four-class answers by patient: many slices of one patient are one mistake, or one success."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.types import CLASSES
from train.evaluation.bootstrap import intervals


def patient_report(
    truth: np.ndarray,
    found: np.ndarray,
    blocks: Sequence[str],
    known: np.ndarray,
    resamples: int,
) -> dict[str, Any]:
    """Answers by patient, where the patient is known.

    Args:
        truth: (n,), class numbers.
        found: (n,), the most probable classes.
        blocks: (n,), the patient, or the group of copies, that a scan belongs to.
        known: bool (n,), whether the block is a patient.
        resamples: of the bootstrap.

    Returns:
        ``per_patient``, a row for each patient (and class, should one have two): ``patient`` (the
        block), ``class``, ``slices``, ``right``, ``called`` (slices by the wrong class they were
        given) and ``most_common_wrong`` (a class, or None). ``patient_sensitivity``: for each class
        with known patients the mean over them of the share of slices that were called right, with
        its interval, and ``patients``, how many there are.
    """
    names = np.asarray(blocks)
    rows, means = [], {}
    for number, name in enumerate(CLASSES):
        mine = known & (truth == number)
        if not mine.any():
            continue
        right, owners = found[mine] == number, names[mine]
        for patient in np.unique(owners):
            said = found[mine][owners == patient]
            wrong = Counter(CLASSES[one] for one in said if one != number)
            rows.append(
                {
                    "patient": str(patient),
                    "class": str(name),
                    "slices": len(said),
                    "right": int((said == number).sum()),
                    "called": {str(one): wrong[one] for one in CLASSES if wrong[one]},
                    "most_common_wrong": str(wrong.most_common(1)[0][0]) if wrong else None,
                }
            )
        weights = equal_weights(owners)

        def statistic(
            at: np.ndarray, right: np.ndarray = right, weights: np.ndarray = weights
        ) -> dict[str, float]:
            return {"mean": float(np.average(right[at], weights=weights[at]))}

        everything = {"mean": np.ones(len(right), bool)}
        figure = intervals(statistic, owners.tolist(), None, resamples, proportions=everything)
        means[str(name)] = {**figure["mean"], "patients": len(np.unique(owners))}
    return {"per_patient": rows, "patient_sensitivity": means}


def equal_weights(owners: Sequence[str] | np.ndarray) -> np.ndarray:
    """Weights (n,) of scans with which each patient weighs the same, namely 1.

    They hold in a resample of whole patients, too: one that was drawn twice weighs twice.
    """
    scans = Counter(owners)
    return np.array([1 / scans[owner] for owner in owners])
