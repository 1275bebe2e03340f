"""Figures of the classifier, on plain arrays.

Throughout, ``truth`` holds class numbers in the order of ``core.types.CLASSES`` and the tumour
probability is 1 minus the calibrated probability of ``no_tumor``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_fscore_support, roc_curve

from core.types import CLASSES
from train.evaluation.bootstrap import Figure, intervals
from train.evaluation.calibration import calibration, error_of_a_perfect_model
from train.evaluation.views import softmax
from train.metrics import (
    balanced_accuracy,
    confusion_matrix,
    expected_calibration_error,
    rank_auc,
    rates,
    reliability_bins,
)

NO_TUMOR = CLASSES.index("no_tumor")
GLIOMA = CLASSES.index("glioma")
ROC_POINTS = 101


def four_class_report(
    truth: np.ndarray,
    logits: np.ndarray,
    mirrored_logits: np.ndarray,
    blocks: Sequence[str],
    temperature: float,
    threshold: float,
    resamples: int,
) -> dict[str, Any]:
    """Everything measured on the four-class sets.

    Args:
        truth: (n,), class numbers.
        logits: (n, 4).
        mirrored_logits: (n, 4), of the mirror images.
        blocks: (n,), what is resampled together; drawn within each class.
        temperature: the calibration's.
        threshold: tumour probability from which a scan is suspected.
        resamples: of the bootstrap.
    """
    found, mirrored = logits.argmax(axis=1), mirrored_logits.argmax(axis=1)
    plain, calibrated = softmax(logits), softmax(logits, temperature)
    tumour, is_tumour = 1 - calibrated[:, NO_TUMOR], truth != NO_TUMOR

    def statistic(at: np.ndarray) -> dict[str, float]:
        figures = {
            "accuracy": float((found[at] == truth[at]).mean()),
            "balanced_accuracy": balanced_accuracy(truth[at], found[at], len(CLASSES)),
        }
        aucs = []
        for number, name in enumerate(CLASSES):
            auc = rank_auc(truth[at] == number, calibrated[at, number])
            figures[f"roc_auc_{name}"] = auc
            aucs.append(auc)
        figures["roc_auc_macro"] = float(np.mean(aucs))
        figures["roc_auc_tumour"] = rank_auc(is_tumour[at], tumour[at])
        by_threshold = rates(is_tumour[at], tumour[at] >= threshold)
        by_class = rates(is_tumour[at], found[at] != NO_TUMOR)
        figures["tumour_sensitivity"], figures["tumour_specificity"] = by_threshold
        figures["tumour_sensitivity_argmax"], figures["tumour_specificity_argmax"] = by_class
        figures["mirror_agreement"] = float((found[at] == mirrored[at]).mean())
        return figures

    strata = [CLASSES[number] for number in truth]
    everything = np.ones(len(truth), bool)
    proportions = {
        "accuracy": everything,
        "mirror_agreement": everything,
        "tumour_sensitivity": is_tumour,
        "tumour_sensitivity_argmax": is_tumour,
        "tumour_specificity": ~is_tumour,
        "tumour_specificity_argmax": ~is_tumour,
    }
    return {
        **intervals(statistic, blocks, strata, resamples, proportions=proportions),
        "per_class": per_class(truth, found),
        "per_class_intervals": per_class_intervals(truth, found, blocks, resamples),
        "confusion_matrix": {
            "classes": list(CLASSES),
            "rows_true_columns_predicted": confusion_matrix(truth, found, len(CLASSES)).tolist(),
        },
        "roc_curves": {
            **{
                name: roc_points(truth == number, calibrated[:, number])
                for number, name in enumerate(CLASSES)
            },
            "tumour": roc_points(is_tumour, tumour),
        },
        "calibration": {
            "temperature": temperature,
            "before": calibration(truth, plain, blocks, resamples),
            "after": calibration(truth, calibrated, blocks, resamples),
            "of_a_perfect_model": error_of_a_perfect_model(calibrated),
            "reliability": reliability_bins(calibrated, truth),
        },
    }


def lesion_report(
    lesion: np.ndarray,
    logits: np.ndarray,
    mirrored_logits: np.ndarray,
    patients: Sequence[str],
    temperature: float,
    threshold: float,
    resamples: int,
) -> dict[str, Any]:
    """How lesion slices of LGG are told from lesion-free ones of the same patients.

    Args:
        lesion: bool (n,), whether the slice's mask holds a pixel.
        logits: (n, 4).
        mirrored_logits: (n, 4), of the mirror images.
        patients: (n,); patients are resampled.
        temperature: the calibration's.
        threshold: tumour probability from which a slice is suspected.
        resamples: of the bootstrap.

    Returns:
        Figures with intervals, and ``reliability``: the bins of the tumour probability, where
        ``confidence`` is what was said and ``accuracy`` the share of slices with a lesion.
    """
    found, mirrored = logits.argmax(axis=1), mirrored_logits.argmax(axis=1)
    tumour = 1 - softmax(logits, temperature)[:, NO_TUMOR]
    # With one column the bins are those of the tumour probability, and "right" is a lesion.
    said, free = tumour[:, None], (~lesion).astype(int)

    def statistic(at: np.ndarray) -> dict[str, float]:
        by_threshold = rates(lesion[at], tumour[at] >= threshold)
        by_class = rates(lesion[at], found[at] != NO_TUMOR)
        seen = found[at][lesion[at]]
        return {
            "roc_auc": rank_auc(lesion[at], tumour[at]),
            "sensitivity": by_threshold[0],
            "specificity": by_threshold[1],
            "sensitivity_argmax": by_class[0],
            "specificity_argmax": by_class[1],
            "lesion_slices_called_glioma": float((seen == GLIOMA).mean()) if len(seen) else np.nan,
            "mirror_agreement": float((found[at] == mirrored[at]).mean()),
            "tumour_calibration_error": expected_calibration_error(said[at], free[at]),
        }

    proportions = {
        "sensitivity": lesion,
        "specificity": ~lesion,
        "sensitivity_argmax": lesion,
        "specificity_argmax": ~lesion,
        "lesion_slices_called_glioma": lesion,
        "mirror_agreement": np.ones(len(lesion), bool),
    }
    return {
        **intervals(statistic, patients, None, resamples, proportions=proportions),
        "reliability": reliability_bins(said, free),
    }


def per_class(truth: np.ndarray, found: np.ndarray) -> dict[str, dict[str, float]]:
    """Precision, recall, specificity, F1 and support of each class against the rest.

    Precision is 0 for a class that was never predicted; recall and F1 are 0 for one that does not
    occur (its support says so); specificity is NaN where all scans are of the class.
    """
    numbers = list(range(len(CLASSES)))
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, found, labels=numbers, zero_division=0
    )
    return {
        CLASSES[i]: {
            "precision": float(precision[i]),
            "recall": float(recall[i]),
            "specificity": rates(truth == i, found == i)[1],
            "f1": float(f1[i]),
            "support": int(support[i]),
        }
        for i in numbers
    }


def per_class_intervals(
    truth: np.ndarray, found: np.ndarray, blocks: Sequence[str], resamples: int
) -> dict[str, dict[str, Figure]]:
    """The figures of ``per_class`` with their intervals, resampled like all the others.

    Where the denominator of a figure is 0, such as the precision of a class that was never
    predicted, the figure is NaN and the resample is left out. All but F1 are proportions.
    """

    def statistic(at: np.ndarray) -> dict[str, float]:
        counts = confusion_matrix(truth[at], found[at], len(CLASSES))
        right, ill, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
        well = len(at) - ill
        parts = {
            "precision": (right, called),
            "recall": (right, ill),
            "specificity": (well - (called - right), well),
            "f1": (2 * right, ill + called),
        }
        return {
            f"{name} {figure}": float(above[i] / below[i]) if below[i] else float("nan")
            for figure, (above, below) in parts.items()
            for i, name in enumerate(CLASSES)
        }

    proportions = {}
    for i, name in enumerate(CLASSES):
        proportions |= {
            f"{name} precision": found == i,
            f"{name} recall": truth == i,
            f"{name} specificity": truth != i,
        }
    strata = [CLASSES[number] for number in truth]
    figures = intervals(statistic, blocks, strata, resamples, proportions=proportions)
    report: dict[str, dict[str, Figure]] = {name: {} for name in CLASSES}
    for key, figure in figures.items():
        name, _, kind = key.partition(" ")
        report[name][kind] = figure
    return report


def roc_points(positive: np.ndarray, score: np.ndarray) -> dict[str, list[float]]:
    """Points of the ROC curve, at most ``ROC_POINTS``; empty where one of the kinds is absent."""
    if not positive.any() or positive.all():
        return {"false_positive_rate": [], "true_positive_rate": []}
    false, true, _ = roc_curve(positive, score)
    if len(false) > ROC_POINTS:
        keep = np.unique(np.linspace(0, len(false) - 1, ROC_POINTS).round().astype(int))
        false, true = false[keep], true[keep]
    return {
        "false_positive_rate": [round(float(v), 5) for v in false],
        "true_positive_rate": [round(float(v), 5) for v in true],
    }
