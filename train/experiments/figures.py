"""The figures that the source documents print, and those that make them honest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import metrics as sk

from train.evaluation.bootstrap import intervals
from train.metrics import balanced_accuracy, confusion_matrix, dice, iou, rank_auc, rates


def classification_figures(
    truth: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], blocks: Sequence[str]
) -> dict[str, Any]:
    """Figures of class calls.

    ``recall`` and ``precision`` are means weighted by class size (document 002 prints one of each),
    ``f1_average`` the plain mean over the classes.

    Args:
        truth: (n,), class numbers.
        probabilities: (n, classes).
        classes: their names.
        blocks: what is drawn together for the intervals, such as the patient, (n,).
    """
    found, count = probabilities.argmax(axis=1), len(classes)
    # Of a class that was never called, the precision counts as none.
    options = {"average": "weighted", "zero_division": 0}

    def resampled(positions: np.ndarray) -> dict[str, float]:
        right = truth[positions] == found[positions]
        balanced = balanced_accuracy(truth[positions], found[positions], count)
        return {"accuracy": float(right.mean()), "balanced_accuracy": balanced}

    ranged = intervals(resampled, blocks)
    figures: dict[str, Any] = {
        "accuracy": ranged["accuracy"]["value"],
        "balanced_accuracy": ranged["balanced_accuracy"]["value"],
        "recall": float(sk.recall_score(truth, found, **options)),
        "f1_weighted": float(sk.f1_score(truth, found, **options)),
        "f1_average": float(sk.f1_score(truth, found, average="macro", zero_division=0)),
        "precision": float(sk.precision_score(truth, found, **options)),
        "intervals": {name: [one["low"], one["high"]] for name, one in ranged.items()},
        "count": len(truth),
        "blocks": len(set(blocks)),
        "classes": list(classes),
        "confusion": confusion_matrix(truth, found, count).tolist(),
        "per_class": {},
    }
    for number, name in enumerate(classes):
        sensitivity, specificity = rates(truth == number, found == number)
        called = found == number
        figures["per_class"][name] = {
            "sensitivity": sensitivity,
            "specificity": specificity,
            "precision": float((truth[called] == number).mean()) if called.any() else float("nan"),
            "auc": rank_auc(truth == number, probabilities[:, number]),
            "count": int((truth == number).sum()),
        }
    return figures


def outline_figures(
    found: np.ndarray, truth: np.ndarray, patients: Sequence[str]
) -> dict[str, Any]:
    """Figures of outlined tumours.

    Dice is pooled over the pixels of a patient and averaged over patients, as the literature on
    these slices reports it; slices are also told apart by whether anything is outlined at all.

    Args:
        found: bool (n, side, side).
        truth: bool (n, side, side).
        patients: of each slice, (n,).
    """
    has, called = truth.any(axis=(1, 2)), found.any(axis=(1, 2))
    members = np.asarray(patients)
    pooled = np.array([dice(found[members == p], truth[members == p]) for p in patients])
    first = np.unique(members, return_index=True)[1]

    def resampled(positions: np.ndarray) -> dict[str, float]:
        return {"dice": float(pooled[first][positions].mean())}

    ranged = intervals(resampled, [str(p) for p in members[first]])
    lesions = [dice(f, t) for f, t in zip(found[has], truth[has], strict=True)]
    sensitivity, specificity = rates(has, called)
    return {
        "dice": ranged["dice"]["value"],
        "dice_all_pixels": dice(found, truth),
        "dice_lesion_slices": float(np.mean(lesions)) if lesions else float("nan"),
        "iou_all_pixels": iou(found, truth),
        "pixel_accuracy": float((found == truth).mean()),
        "slice_sensitivity": sensitivity,
        "slice_specificity": specificity,
        "intervals": {"dice": [ranged["dice"]["low"], ranged["dice"]["high"]]},
        "count": len(truth),
        "blocks": len(first),
        "classes": ["no_tumor", "tumor"],
        "confusion": confusion_matrix(has.astype(int), called.astype(int), 2).tolist(),
    }
