"""The modality shortcut: how much of the answer a scan's brightness gives away by itself.

Tumour slices of the public sets are nearly all T1 with contrast, tumour-free ones mostly other
sequences, so a model may tell classes apart by telling sequences apart. The sequence of most scans
is not recorded, so it cannot be taken out of the figures; measured is what can be:

1. Probes that see the brightness within the head, but not where anything lies, say the class. That
   is an upper estimate of the shortcut and no pure one: besides the sequence it holds what scanner,
   export and contrast medium do to brightness, and a bright tumour's own pixels.
2. Among figshare's slices, all T1 with contrast and all with a tumour, the sequence cannot help:
   the classifier's figures on them alone.
3. The same within one known sequence against lesion-free slices is what metrics.json has under
   ``lgg`` for each channel alone. To be compared with it, probes as in 1 are fitted to one channel:
   what brightness tells of a lesion where the sequence tells nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import entropy, skew
from sklearn.ensemble import RandomForestClassifier

from core.types import CLASSES, BoolArray, UInt8Array
from train.evaluation.bootstrap import RESAMPLES, Figure, intervals
from train.metrics import balanced_accuracy, rank_auc

# The channels of LGG's composites, by the names that metrics.json has for them.
LGG_CHANNELS = ("pre_contrast", "flair", "post_contrast")
NO_TUMOR = CLASSES.index("no_tumor")
TUMOURS = [number for number in range(len(CLASSES)) if number != NO_TUMOR]
TREES = 300
SEED = 0
_QUANTILES = np.linspace(0.02, 0.98, 25)
_BINS = 32


@dataclass(frozen=True, eq=False)
class Bright:
    """Some pictures as the probe sees them.

    Attributes:
        rows: (n, features), of ``brightness``.
        truth: (n,), numbers of what is to be told.
        blocks: (n,), what is resampled together.
    """

    rows: np.ndarray
    truth: np.ndarray
    blocks: Sequence[str]


def brightness(images: UInt8Array, heads: BoolArray) -> np.ndarray:
    """How brightness is spread within each head; nothing of where anything lies, or of its size.

    Quantiles, the same over the mean, spread over the mean, skewness, and the entropy of the
    histogram.

    Args:
        images: uint8 (n, side, side, 3), gray pictures.
        heads: bool (n, side, side).

    Returns:
        (n, features).
    """
    return np.array([_spread(i, h) for i, h in zip(images, heads, strict=True)])


def _spread(image: np.ndarray, head: np.ndarray) -> np.ndarray:
    values = image[..., 0][head] if head.any() else image[..., 0].ravel()
    values = values.astype(np.float64)
    quantiles, mean = np.quantile(values, _QUANTILES), max(float(values.mean()), 1.0)
    counts = np.histogram(values, _BINS, (0, 256))[0]
    lopsided = float(skew(values)) if values.std() > 0 else 0.0
    return np.array(
        [*quantiles / 255, *quantiles / mean, values.std() / mean, lopsided, entropy(counts)]
    )


def class_from_brightness(
    fitted: Bright, tested: Bright, resamples: int = RESAMPLES
) -> dict[str, Figure]:
    """What a probe reaches that tells the class by brightness alone.

    Args:
        fitted: of ``train``, one row a distinct four-class scan; classes weigh the same.
        tested: the same of the split reported on.
        resamples: of the bootstrap.

    Returns:
        ``balanced_accuracy`` (chance 0.25) and ``tumour_auc`` (chance 0.5), with intervals over
        blocks drawn within each class.
    """
    probe = _probe().fit(fitted.rows, fitted.truth)
    shares = probe.predict_proba(tested.rows)
    found = probe.classes_[shares.argmax(axis=1)]
    tumour = 1 - shares[:, probe.classes_ == NO_TUMOR].sum(axis=1)
    truth = tested.truth

    def statistic(at: np.ndarray) -> dict[str, float]:
        return {
            "balanced_accuracy": balanced_accuracy(truth[at], found[at], len(CLASSES)),
            "tumour_auc": rank_auc(truth[at] != NO_TUMOR, tumour[at]),
        }

    return intervals(statistic, tested.blocks, [CLASSES[i] for i in truth], resamples)


def lesion_from_brightness(fitted: Bright, tested: Bright, resamples: int = RESAMPLES) -> Figure:
    """The AUC (chance 0.5) of a probe that tells lesion slices of one sequence by brightness alone.

    Args:
        fitted: slices of ``train``; the truth is whether there is a lesion.
        tested: slices of other patients, who are resampled.
        resamples: of the bootstrap.
    """
    probe = _probe().fit(fitted.rows, fitted.truth)
    lesion = probe.predict_proba(tested.rows)[:, probe.classes_ == 1].sum(axis=1)

    def statistic(at: np.ndarray) -> dict[str, float]:
        return {"roc_auc": rank_auc(tested.truth[at] == 1, lesion[at])}

    return intervals(statistic, tested.blocks, None, resamples)["roc_auc"]


def tumours_of_one_sequence(
    truth: np.ndarray, found: np.ndarray, blocks: Sequence[str], resamples: int = RESAMPLES
) -> dict[str, Any]:
    """The classifier among tumours that were all taken with the same sequence.

    Args:
        truth: (n,), class numbers, none of them no_tumor.
        found: (n, 4), class probabilities.
        blocks: (n,), what is resampled together; drawn within each class.
        resamples: of the bootstrap.

    Returns:
        ``scans`` by class; ``balanced_accuracy`` of the most probable of the three tumour classes
        (chance 0.333); ``balanced_accuracy_of_four``: no_tumor may be answered too, and is wrong.
        Empty where there are no such scans.
    """
    if not len(truth):
        return {}
    among_three = np.array(TUMOURS)[found[:, TUMOURS].argmax(axis=1)]
    among_four = found.argmax(axis=1)

    def statistic(at: np.ndarray) -> dict[str, float]:
        return {
            "balanced_accuracy": balanced_accuracy(truth[at], among_three[at], len(CLASSES)),
            "balanced_accuracy_of_four": balanced_accuracy(truth[at], among_four[at], len(CLASSES)),
        }

    return {
        "scans": {CLASSES[number]: int((truth == number).sum()) for number in TUMOURS},
        **intervals(statistic, blocks, [CLASSES[i] for i in truth], resamples),
    }


def _probe() -> RandomForestClassifier:
    return RandomForestClassifier(
        TREES, min_samples_leaf=2, class_weight="balanced", random_state=SEED, n_jobs=1
    )
