"""What the figures themselves are worth: sets, robustness, strangers and the modality shortcut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from core.imaging import prepare
from core.inference.calibration import calibrated
from core.types import CLASSES, BoolArray, UInt8Array
from train.data.layouts import read_scan
from train.data.splits import Sample
from train.evaluation.conformal import coverage_report, fit_limits
from train.evaluation.distribution import distribution_report
from train.evaluation.modality import (
    NO_TUMOR,
    SEQUENCES,
    brightness,
    fit_sequence_probe,
    shortcut_report,
)
from train.evaluation.robustness import robustness
from train.evaluation.scans import single_channel
from train.evaluation.views import representatives

if TYPE_CHECKING:
    from core.inference import Engine

COVERAGES = (0.9, 0.95)
BATCH = 16
# LGG's neighbouring slices are alike; these many stand for the others.
LGG_EVERY = 6

TRUST_DEFINITIONS = {
    "prediction_sets": (
        "Class-conditional split conformal sets: limits from val, coverage counted on the split."
    ),
    "robustness": (
        "Each distinct scan with its uploaded picture changed; agreement: same most probable class "
        "as unchanged; rejected: called out of distribution."
    ),
    "out_of_distribution": (
        "Pictures that are no brain MRI, and every eighth scan damaged beyond reading, against the "
        "split's distinct scans; each score rejects what exceeds 99 % of val's distinct scans."
    ),
    "modality": (
        "The sequence is presumed from brightness quantiles of the head by a probe trained on "
        "LGG's channels; class_from_sequence_alone knows nothing but the probe's answer."
    ),
}


def trust_report(
    engine: Engine,
    four_class: Sequence[Sample],
    lgg: Sequence[Sample],
    root: Path,
    split: str,
) -> dict[str, Any]:
    """The four parts that ``TRUST_DEFINITIONS`` names.

    Args:
        engine: what is served.
        four_class: rows of the four-class list, all splits.
        lgg: rows of the LGG list, all splits.
        root: the data folder.
        split: the split that is reported on.
    """
    train, val, chosen = (
        [four_class[i] for i in representatives(four_class, name)]
        for name in ("train", "val", split)
    )
    temperature = engine.manifest.calibration.temperature
    truth, val_truth = _numbers(chosen), _numbers(val)
    images, heads = _prepared(chosen, root, split)
    found = calibrated(_logits(engine, images), temperature)
    tested_rows = brightness(images, heads)
    val_found = calibrated(_logits(engine, _prepared(val, root, "val")[0]), temperature)
    fitted_rows = brightness(*_prepared(train, root, "train"))
    probe = fit_sequence_probe(_channels(lgg, "train", root))
    return {
        "prediction_sets": {
            f"{coverage:.0%}": coverage_report(
                found, truth, fit_limits(val_found, val_truth, coverage), coverage
            )
            for coverage in COVERAGES
        },
        "robustness": robustness(engine, chosen, root),
        "out_of_distribution": distribution_report(engine, train, val, chosen, root),
        "modality": shortcut_report(
            probe,
            _channels(lgg, split, root),
            (fitted_rows, _numbers(train)),
            (tested_rows, truth),
            1 - found[:, NO_TUMOR],
            engine.manifest.calibration.decision_threshold,
        ),
    }


def _numbers(samples: Sequence[Sample]) -> np.ndarray:
    return np.array([CLASSES.index(sample.label) for sample in samples])


def _prepared(samples: Sequence[Sample], root: Path, title: str) -> tuple[UInt8Array, BoolArray]:
    """Images (n, side, side, 3) and heads (n, side, side)."""
    bar = tqdm(samples, desc=f"preparing {title}", unit="scan")
    prepared = [prepare(read_scan(sample, root)) for sample in bar]
    return np.stack([one.image for one in prepared]), np.stack([one.head for one in prepared])


def _logits(engine: Engine, images: UInt8Array) -> np.ndarray:
    parts = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
    return np.concatenate([engine.runtime.classify(part).logits for part in parts])


def _channels(lgg: Sequence[Sample], split: str, root: Path) -> list[np.ndarray]:
    """Brightness of each channel of every ``LGG_EVERY``-th slice of a split."""
    slices = [sample for sample in lgg if sample.split == split][::LGG_EVERY]
    scans = [read_scan(sample, root) for sample in tqdm(slices, desc="LGG channels", unit="scan")]
    scans = [scan for scan in scans if scan.pixels.shape[2] == len(SEQUENCES)]
    columns = []
    for channel in range(len(SEQUENCES)):
        prepared = [prepare(single_channel(scan, channel)) for scan in scans]
        columns.append(
            brightness(
                np.stack([one.image for one in prepared]), np.stack([one.head for one in prepared])
            )
        )
    return columns
