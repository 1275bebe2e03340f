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
from train.evaluation.bootstrap import RESAMPLES
from train.evaluation.conformal import coverage_report, fit_limits
from train.evaluation.distribution import distribution_report
from train.evaluation.modality import (
    LGG_CHANNELS,
    Bright,
    brightness,
    class_from_brightness,
    lesion_from_brightness,
    tumours_of_one_sequence,
)
from train.evaluation.robustness import robustness
from train.evaluation.scans import single_channel
from train.evaluation.views import representatives

if TYPE_CHECKING:
    from core.inference import Engine

# For more than 90 % no class of tumours has enough patients in ``val``.
COVERAGES = (0.8, 0.9)
BATCH = 16
# LGG's neighbouring slices are alike; every so many-th stands for the others.
LGG_EVERY = 3

TRUST_DEFINITIONS = {
    "prediction_sets": (
        "Class-conditional split conformal sets, each patient of a class weighing the same: limits "
        "from val, coverage counted on the split. Promised is the coverage of a scan of a new "
        "patient: patient_coverage, the mean over patients (groups of copies where none is known) "
        "of the share of their scans whose set holds the true class. coverage counts scans. "
        "empty_sets: scans for which every class is ruled out. A class with a limit of 1 has too "
        "few patients in val and is in every set."
    ),
    "robustness": (
        "Each distinct scan with its uploaded picture changed; agreement: same most probable class "
        "as unchanged; rejected: called out of distribution."
        " The interval is of blocks drawn within each class."
    ),
    "out_of_distribution": (
        "Pictures that are no brain MRI, and every eighth scan damaged beyond reading, against the "
        "split's distinct scans; each score rejects what exceeds 99 % of val's distinct scans. "
        "Photographs, drawings and patterns of test are not measured with on other splits. In the "
        "intervals a stranger is a block of its own, a damaged scan goes with its patient."
    ),
    "modality": (
        "class_from_brightness_alone: a random forest, fitted on train's distinct scans, that sees "
        "how brightness is spread within the head but not where; it holds the sequence, and not "
        "only that. figshare_tumours: the classifier among tumours that are all T1 with contrast. "
        "lesion_from_brightness_alone: the same kind of forest on slices of one LGG channel, to be "
        "compared with the classifier's roc_auc of that channel under lgg."
    ),
    "intervals_at_the_edge": (
        "A proportion of exactly 0 or 1 of the classifier's has the exact interval of Clopper and "
        "Pearson, each block that holds one of its cases counted as one trial. An AUC or balanced "
        "accuracy of exactly 1 keeps its bootstrap interval, which is too narrow there."
    ),
}


def trust_report(
    engine: Engine,
    four_class: Sequence[Sample],
    lgg: Sequence[Sample],
    root: Path,
    split: str,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """The four parts that ``TRUST_DEFINITIONS`` names.

    Args:
        engine: what is served.
        four_class: rows of the four-class list, all splits.
        lgg: rows of the LGG list, all splits.
        root: the data folder.
        split: the split that is reported on.
        resamples: of the bootstrap.
    """
    train, val, chosen = (
        [four_class[i] for i in representatives(four_class, name)]
        for name in ("train", "val", split)
    )
    temperature = engine.manifest.calibration.temperature
    truth, val_truth = _numbers(chosen), _numbers(val)
    images, heads = _prepared(chosen, root, split)
    found = calibrated(_logits(engine, images), temperature)
    tested = Bright(brightness(images, heads), truth, _blocks(chosen))
    val_found = calibrated(_logits(engine, _prepared(val, root, "val")[0]), temperature)
    fitted = Bright(brightness(*_prepared(train, root, "train")), _numbers(train), _blocks(train))
    figshare = np.array([s.dataset == "figshare" and s.label != "no_tumor" for s in chosen])
    return {
        "prediction_sets": {
            f"{coverage:.0%}": coverage_report(
                found,
                truth,
                _blocks(chosen),
                fit_limits(val_found, val_truth, _blocks(val), coverage),
                coverage,
                resamples,
            )
            for coverage in COVERAGES
        },
        "robustness": robustness(engine, chosen, root, resamples),
        "out_of_distribution": distribution_report(
            engine, train, val, chosen, root, split, resamples
        ),
        "modality": {
            "class_from_brightness_alone": class_from_brightness(fitted, tested, resamples),
            "figshare_tumours": tumours_of_one_sequence(
                truth[figshare],
                found[figshare],
                [s.block for s, one in zip(chosen, figshare, strict=True) if one],
                resamples,
            ),
            "lesion_from_brightness_alone": {
                name: lesion_from_brightness(
                    _channel(lgg, "train", channel, root),
                    _channel(lgg, split, channel, root),
                    resamples,
                )
                for channel, name in enumerate(LGG_CHANNELS)
            },
        },
    }


def _numbers(samples: Sequence[Sample]) -> np.ndarray:
    return np.array([CLASSES.index(sample.label) for sample in samples])


def _blocks(samples: Sequence[Sample]) -> list[str]:
    return [sample.block for sample in samples]


def _prepared(samples: Sequence[Sample], root: Path, title: str) -> tuple[UInt8Array, BoolArray]:
    """Images (n, side, side, 3) and heads (n, side, side)."""
    bar = tqdm(samples, desc=f"preparing {title}", unit="scan")
    prepared = [prepare(read_scan(sample, root)) for sample in bar]
    return np.stack([one.image for one in prepared]), np.stack([one.head for one in prepared])


def _logits(engine: Engine, images: UInt8Array) -> np.ndarray:
    parts = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
    return np.concatenate([engine.runtime.classify(part).logits for part in parts])


def _channel(lgg: Sequence[Sample], split: str, channel: int, root: Path) -> Bright:
    """One channel alone of every ``LGG_EVERY``-th slice of a split; the truth: 1 for a lesion."""
    slices = [sample for sample in lgg if sample.split == split][::LGG_EVERY]
    bar = tqdm(slices, desc=f"LGG {LGG_CHANNELS[channel]} of {split}", unit="scan")
    scans = [(sample, read_scan(sample, root)) for sample in bar]
    # A slice whose sequences were missing is not known to be of this one.
    full = [(one, scan) for one, scan in scans if scan.pixels.shape[2] == len(LGG_CHANNELS)]
    prepared = [prepare(single_channel(scan, channel)) for _, scan in full]
    return Bright(
        brightness(
            np.stack([one.image for one in prepared]), np.stack([one.head for one in prepared])
        ),
        np.array([int(sample.label != "no_tumor") for sample, _ in full]),
        _blocks([sample for sample, _ in full]),
    )
