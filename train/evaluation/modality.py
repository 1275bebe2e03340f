"""The modality shortcut: how much of the answer the kind of sequence gives away by itself.

Tumour slices of the public sets are nearly all T1 with contrast, tumour-free ones mostly other
sequences, so a model may tell classes apart by telling sequences apart. Measured here:

1. A probe learns the sequence (T1, FLAIR or T1 with contrast) from brightness quantiles of the head
   alone, on the channels of LGG, where every slice exists in all three and the lesion cannot help.
2. A second one predicts the class of a four-class scan from nothing but the first one's answer.
3. The classifier's own figures are given within the scans of one presumed sequence, where the
   sequence cannot help it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from core.types import CLASSES, BoolArray, UInt8Array
from train.metrics import balanced_accuracy, rank_auc, rates

SEQUENCES = ("t1", "flair", "t1_contrast")
NO_TUMOR = CLASSES.index("no_tumor")
_QUANTILES = np.linspace(0.02, 0.98, 25)


def brightness(images: UInt8Array, heads: BoolArray) -> np.ndarray:
    """Brightness quantiles of each head, over its mean; nothing of where anything lies.

    Args:
        images: uint8 (n, side, side, 3), gray pictures.
        heads: bool (n, side, side).

    Returns:
        (n, quantiles).
    """
    rows = []
    for image, head in zip(images, heads, strict=True):
        values = image[..., 0][head] if head.any() else image[..., 0].ravel()
        rows.append(np.quantile(values, _QUANTILES) / max(float(values.mean()), 1.0))
    return np.array(rows)


def fit_sequence_probe(channels: list[np.ndarray]) -> Pipeline:
    """The first probe, from the ``brightness`` of LGG's channels in the order of ``SEQUENCES``."""
    rows = np.concatenate(channels)
    sequence = np.repeat(np.arange(len(channels)), [len(c) for c in channels])
    return _probe().fit(rows, sequence)


def shortcut_report(
    probe: Pipeline,
    lgg_test: list[np.ndarray],
    fitted: tuple[np.ndarray, np.ndarray],
    tested: tuple[np.ndarray, np.ndarray],
    tumour_probability: np.ndarray,
    threshold: float,
) -> dict[str, Any]:
    """The figures of the three steps.

    Args:
        probe: from ``fit_sequence_probe``.
        lgg_test: brightness of the channels of LGG patients that the probe did not see.
        fitted: brightness and class numbers of ``train``, one row a distinct four-class scan.
        tested: the same of ``test``.
        tumour_probability: (n,), the classifier's on ``tested``.
        threshold: the decision threshold.
    """
    sequence = np.repeat(np.arange(len(lgg_test)), [len(c) for c in lgg_test])
    told = probe.predict(np.concatenate(lgg_test))
    by_sequence = _probe().fit(probe.predict_proba(fitted[0]), fitted[1])
    rows, truth = probe.predict_proba(tested[0]), tested[1]
    guessed = by_sequence.predict_proba(rows)
    tumour_free = list(by_sequence.classes_).index(NO_TUMOR)
    is_tumour, presumed = truth != NO_TUMOR, rows.argmax(axis=1)
    within = {}
    for number, name in enumerate(SEQUENCES):
        at = presumed == number
        sensitivity, specificity = rates(is_tumour[at], tumour_probability[at] >= threshold)
        within[name] = {
            "tumour_scans": int(is_tumour[at].sum()),
            "tumour_free_scans": int((~is_tumour[at]).sum()),
            "tumour_auc": rank_auc(is_tumour[at], tumour_probability[at]),
            "tumour_sensitivity": sensitivity,
            "tumour_specificity": specificity,
        }
    found = by_sequence.classes_[guessed.argmax(axis=1)]
    return {
        "sequence_probe_balanced_accuracy_on_lgg": balanced_accuracy(
            sequence, told, len(SEQUENCES)
        ),
        "class_from_sequence_alone": {
            "balanced_accuracy": balanced_accuracy(truth, found, len(CLASSES)),
            "tumour_auc": rank_auc(is_tumour, 1 - guessed[:, tumour_free]),
        },
        "classifier_within_presumed_sequence": within,
    }


def _probe() -> Pipeline:
    return make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000)
    )
