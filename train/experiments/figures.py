"""The figures that the source documents print, and those that make them honest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn import metrics as sk

from train.data.splits import Sample
from train.evaluation.bootstrap import intervals
from train.evaluation.views import softmax
from train.experiments.data import Parts
from train.metrics import balanced_accuracy, confusion_matrix, dice, iou, rank_auc, rates


def classification_figures(
    truth: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], blocks: Sequence[str]
) -> dict[str, Any]:
    """Figures of class calls.

    ``recall`` and ``precision`` are means weighted by class size (document 002 prints one of each),
    ``f1_average`` the plain mean over the classes (the document's own is a micro average, which is
    the accuracy).

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

    everything = {"accuracy": np.ones(len(truth), bool)}
    ranged = intervals(resampled, blocks, proportions=everything)
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

    Dice is pooled over all pixels of a patient's slices here and averaged over the patients who
    have a lesion on one of them, as the literature on these slices reports it. A patient without
    one, of whom the random split may have drawn only such slices, has nothing to be outlined and
    does not count: nor does a lesion outlined there. It does in ``dice_all_pixels`` and in
    ``slice_specificity``, for which slices are told apart by whether anything is outlined at all.

    Args:
        found: bool (n, side, side).
        truth: bool (n, side, side).
        patients: of each slice, (n,).

    Returns:
        ``dice`` and its interval (NaN where no slice has a lesion), ``patients``: how many it is
        the mean of, ``blocks``: how many there are in all, and the others.
    """
    has, called = truth.any(axis=(1, 2)), found.any(axis=(1, 2))
    members = np.asarray(patients)
    ill = [str(patient) for patient in np.unique(members[has])]
    pooled = np.array([dice(found[members == p], truth[members == p]) for p in ill])
    ranged = {"value": float("nan"), "low": float("nan"), "high": float("nan")}
    if ill:
        ranged = intervals(lambda at: {"dice": float(pooled[at].mean())}, ill)["dice"]
    lesions = [dice(f, t) for f, t in zip(found[has], truth[has], strict=True)]
    sensitivity, specificity = rates(has, called)
    return {
        "dice": ranged["value"],
        "dice_all_pixels": dice(found, truth),
        "dice_lesion_slices": float(np.mean(lesions)) if lesions else float("nan"),
        "iou_all_pixels": iou(found, truth),
        "pixel_accuracy": float((found == truth).mean()),
        "slice_sensitivity": sensitivity,
        "slice_specificity": specificity,
        "intervals": {"dice": [ranged["low"], ranged["high"]]},
        "count": len(truth),
        "patients": len(ill),
        "blocks": len(np.unique(members)),
        "classes": ["no_tumor", "tumor"],
        "confusion": confusion_matrix(has.astype(int), called.astype(int), 2).tolist(),
    }


def classified(
    classes: Sequence[str], parts: Parts, outputs: np.ndarray
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Figures and predictions of a classifier's outputs for the test part."""
    probabilities, truth = softmax(outputs), parts.labels[parts.test]
    samples = [parts.pack.samples[i] for i in parts.test]
    figures = classification_figures(truth, probabilities, classes, [s.block for s in samples])
    rows = [
        {
            "dataset": sample.dataset,
            "path": sample.path,
            "block": sample.block,
            "truth": classes[label],
            "found": classes[int(values.argmax())],
            **{f"p_{c}": round(float(v), 5) for c, v in zip(classes, values, strict=True)},
        }
        for sample, label, values in zip(samples, truth, probabilities, strict=True)
    ]
    return figures, rows


def outlined(parts: Parts, found: np.ndarray) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Figures and predictions of the outlines found in the test part."""
    truth = parts.pack.masks[parts.test] > 0
    samples = [parts.pack.samples[i] for i in parts.test]
    figures = outline_figures(found, truth, [s.block for s in samples])
    return figures, list(_outline_rows(samples, found, truth))


def _outline_rows(
    samples: list[Sample], found: np.ndarray, truth: np.ndarray
) -> Iterator[dict[str, Any]]:
    for sample, mine, theirs in zip(samples, found, truth, strict=True):
        yield {
            "dataset": sample.dataset,
            "path": sample.path,
            "block": sample.block,
            "truth_pixels": int(theirs.sum()),
            "found_pixels": int(mine.sum()),
            "shared_pixels": int((mine & theirs).sum()),
        }
