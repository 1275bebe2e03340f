"""What is fitted on ``val`` after training: temperature and thresholds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np
from scipy.optimize import minimize_scalar

from core.inference.calibration import calibrated
from train.metrics import dice

MASK_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99)
MIN_AREAS = (0.0, 0.001, 0.002, 0.004, 0.008)
# A mask on a lesion-free slice costs less than a missed lesion, yet many of them are noise.
FALSE_MASK_COST = 0.5


def fit_temperature(logits: np.ndarray, truth: np.ndarray, blocks: Sequence[str]) -> float:
    """The softmax temperature with the lowest log loss (Guo et al. 2017, arXiv 1706.04599).

    Each patient weighs the same, however many slices there are: those of one patient are alike, and
    a handful of patients with many easy ones would have the network called too modest.

    Args:
        logits: (n, classes).
        truth: (n,), class numbers.
        blocks: (n,), the patient, or the group of copies, that a scan belongs to.
    """
    scans = Counter(blocks)
    weights = np.array([1 / scans[block] for block in blocks])

    def log_loss(log_temperature: float) -> float:
        found = calibrated(logits, float(np.exp(log_temperature)))
        losses = -np.log(found[np.arange(len(truth)), truth] + 1e-9)
        return float(np.average(losses, weights=weights))

    best = minimize_scalar(log_loss, bounds=(-1.5, 1.5), method="bounded")
    return float(np.exp(best.x))


def fit_decision_threshold(
    tumour: np.ndarray, is_tumour: np.ndarray, least_sensitivity: float, highest: float = 0.5
) -> float:
    """The highest threshold on the tumour probability that keeps a stated sensitivity.

    It lies half-way between the last scan that must be found and the next lower score, so that a
    scan at the edge does not decide alone, and never above ``highest``: a scan that shows a tumour
    more likely than not is not to be called free of suspicion because others were surer.

    Args:
        tumour: (n,), tumour probability.
        is_tumour: (n,), bool.
        least_sensitivity: share of the tumour scans at or above the threshold.
        highest: the most that it may be.
    """
    scores = np.sort(tumour[is_tumour])[::-1]
    needed = int(np.ceil(least_sensitivity * len(scores)))
    last = float(scores[needed - 1])
    lower = tumour[tumour < last]
    fitted = (last + float(lower.max())) / 2 if len(lower) else last
    return min(fitted, highest)


def cleaned(probability: np.ndarray, threshold: float, smallest: float) -> np.ndarray:
    """Mask of one slice, bool, less connected parts of fewer than ``smallest`` pixels."""
    above = (probability >= threshold).astype(np.uint8)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    keep = np.zeros(count, bool)
    keep[1:] = stats[1:, cv2.CC_STAT_AREA] >= smallest
    return keep[parts]


def fit_mask_rule(
    probability: np.ndarray, truth: np.ndarray, patients: np.ndarray, head_areas: np.ndarray
) -> tuple[float, float]:
    """Pixel threshold and smallest part, as a share of the head, that serve ``val`` best.

    Maximised is the mean Dice of lesion slices that stand alone, plus the mean Dice pooled per
    patient, less ``FALSE_MASK_COST`` times the share of lesion-free slices with any mask; what the
    slices do not allow is left out.

    Args:
        probability: (n, s, s), the segmenter's output.
        truth: bool (n, s, s).
        patients: (n,), patient of a slice, or an empty string for slices that stand alone.
        head_areas: (n,), head area in pixels of the same square.
    """
    lesion = truth.any(axis=(1, 2))
    alone = patients == ""
    best = (-np.inf, 0.5, 0.0)
    for threshold in MASK_THRESHOLDS:
        for area in MIN_AREAS:
            found = np.stack(
                [
                    cleaned(p, threshold, area * a)
                    for p, a in zip(probability, head_areas, strict=True)
                ]
            )
            slices = [
                dice(f, t)
                for f, t in zip(found[alone & lesion], truth[alone & lesion], strict=True)
            ]
            pooled = [
                dice(found[patients == p], truth[patients == p])
                for p in np.unique(patients[~alone])
            ]
            false = found[~lesion].any(axis=(1, 2))
            value = sum(float(np.mean(one)) for one in (slices, pooled) if one)
            value -= FALSE_MASK_COST * float(false.mean()) if len(false) else 0.0
            best = max(best, (value, threshold, area))
    return best[1], best[2]
