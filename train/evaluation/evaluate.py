"""``python -m train evaluate``: what the exported weights are worth, measured on what is served."""

from __future__ import annotations

import datetime
import json
import logging
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import DataError
from core.inference.calibration import calibrated
from core.types import CLASSES, ScanKind
from train import checkout
from train.data.splits import FOUR_CLASS_LIST, LGG_LIST, Sample, read_list
from train.evaluation.bootstrap import COVERAGE, RESAMPLES, SEED
from train.evaluation.classification import four_class_report, lesion_report
from train.evaluation.failures import write_worst_masks, write_wrong_answers
from train.evaluation.modality import LGG_CHANNELS
from train.evaluation.outputs import classify, segment
from train.evaluation.patients import patient_report as answers_by_patient
from train.evaluation.scans import ScanSet, load_scans
from train.evaluation.segmentation import masked_share, patient_report, slice_report
from train.evaluation.trust import TRUST_DEFINITIONS, trust_report
from train.evaluation.views import representatives

if TYPE_CHECKING:
    from core.inference import Engine

log = logging.getLogger(__name__)

DEFINITIONS = {
    "intervals": (
        f"{COVERAGE:.0%} percentile bootstrap, {RESAMPLES} resamples, seed {SEED}. Four-class "
        "figures: blocks (figshare's patients as told by eye, groups of copies) drawn within "
        "each class. LGG: patients."
    ),
    "scans": (
        "Four-class figures count one vote per distinct scan: one file stands for all its copies, "
        "figshare's own before any other. LGG is reported apart."
    ),
    "tumour_probability": "1 - calibrated probability of no_tumor.",
    "tumour_sensitivity": (
        "Share of tumour scans whose tumour probability reaches the manifest's decision "
        "threshold; with _argmax: whose most probable class is not no_tumor. Specificity: share "
        "of tumour-free scans that do not."
    ),
    "mirror_agreement": (
        "Share of scans with the same most probable class as their mirror image; the picture is "
        "mirrored left to right before the preprocessing."
    ),
    "roc_auc": "Of calibrated probabilities, each class against the rest; macro is their mean.",
    "per_class": (
        "Each class against the rest by the most probable class; per_class_intervals holds the "
        "same figures with their intervals."
    ),
    "per_patient": (
        "Scans by the patient, where one is known (figshare's as told by eye), and their most "
        "probable classes. patient_sensitivity: the share of a patient's scans given the right "
        "class, mean over the known patients of the class."
    ),
    "expected_calibration_error": (
        "Most probable class, 15 bins of equal width; before and after the temperature. The "
        "interval lies too high: a resample's own noise counts as error. of_a_perfect_model: the "
        f"error of a model that is as right as it is sure, mean and 95th percentile of {RESAMPLES} "
        "draws in which each scan is right with its stated probability."
    ),
    "brier": "Squared error of the probabilities summed over the four classes, 0 to 2.",
    "out_of_distribution_rejected": "Share of these good scans over the manifest's threshold.",
    "lgg": (
        "Lesion slices (the mask holds a pixel) against lesion-free slices of the same patients: "
        "as composites of three sequences, and each sequence alone as a gray picture. "
        "tumour_calibration_error: of the tumour probability against the share of slices with a "
        "lesion, 15 bins of equal width (reliability); its interval lies too high, too."
    ),
    "masks": (
        "Compared in the network's square of 224 x 224 pixels, after the engine's own rule: "
        "threshold, then connected parts under a share of the head dropped, gray scans and "
        "composites each by their own (mask_rules). Any mask: a pixel is left after that."
    ),
    "dice": (
        "Mean over lesion slices; a missed lesion counts as 0. by_size: quarters of the slices by "
        "the true lesion's area in pixels of the same square."
    ),
    "pooled_dice": (
        "All pixels of all slices of a patient, lesion-free ones included, form one Dice; mean "
        "over patients that have a lesion."
    ),
    "mirror_dice": (
        "Dice of a scan's mask and its mirror image's mask, mirrored back; 1 where both are empty."
    ),
}


def evaluate(
    engine: Engine,
    root: Path,
    split: str = "test",
    command: str = "",
    four_class: Sequence[Sample] | None = None,
    lgg: Sequence[Sample] | None = None,
    resamples: int = RESAMPLES,
    pictures: Path | None = None,
) -> dict[str, Any]:
    """Measure an engine.

    Args:
        engine: what is served.
        root: the data folder.
        split: ``test``, or ``val`` while something is still being chosen.
        command: the command line, for the record.
        four_class: rows of the four-class list; the committed ones by default.
        lgg: rows of the LGG list; the committed ones by default.
        resamples: of the bootstrap.
        pictures: folder for sheets of the scans that went wrong; None for none.

    Returns:
        What metrics.json holds.

    Raises:
        DataError: a list has no row of the split, or a file is missing.
    """
    if split not in ("val", "test"):
        raise DataError(f"Figures are reported on test or val, not on {split!r}.")
    rows = read_list(FOUR_CLASS_LIST) if four_class is None else list(four_class)
    chosen = [rows[i] for i in representatives(rows, split)]
    all_slices = read_list(LGG_LIST) if lgg is None else list(lgg)
    slices = [s for s in all_slices if s.split == split]
    if not chosen or not slices:
        raise DataError(f"The split lists hold no {split} scans of one of the two sets.")

    scans = load_scans(chosen, root, title="four-class scans")
    report: dict[str, Any] = {
        "model_version": engine.manifest.model_version,
        "split": split,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": command,
        "commit": checkout.commit() or "unknown",
        "runtime": engine.runtime.name,
        "decision_threshold": engine.manifest.calibration.decision_threshold,
        "mask_rules": {
            kind: {"threshold": rule.threshold, "min_area_fraction": rule.min_area_fraction}
            for kind in ScanKind
            for rule in (engine.manifest.segmenter.rule(kind),)
        },
        "counts": _counts(rows, chosen, slices, split),
        "four_class": _four_class(engine, scans, resamples, pictures),
        "segmentation": _four_class_masks(engine, scans, resamples, pictures),
    }
    del scans  # room for the LGG set
    composites = load_scans(slices, root, title="LGG composites")
    report["lgg"] = {"composite": _lgg(engine, composites, "LGG composites", resamples)}
    drawn = segment(engine, composites, "LGG composites")
    report["segmentation"]["lgg_composites"] = patient_report(
        composites.masks, drawn.masks, drawn.mirror_dice, composites.blocks, resamples
    )
    if pictures:
        write_worst_masks(composites, drawn.masks, pictures, "lgg")
    del composites
    for channel, name in enumerate(LGG_CHANNELS):
        alone = load_scans(slices, root, channel, title=f"LGG {name}")
        report["lgg"][name] = _lgg(engine, alone, f"LGG {name}", resamples)
    report["trust"] = trust_report(engine, rows, all_slices, root, split, resamples)
    report["definitions"] = DEFINITIONS | TRUST_DEFINITIONS
    return report


def write(report: dict[str, Any], path: Path) -> None:
    """Write a report as JSON; figures that do not exist become null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(_plain(report), indent=1, allow_nan=False) + "\n")
    part.replace(path)


def _four_class(
    engine: Engine, scans: ScanSet, resamples: int, pictures: Path | None
) -> dict[str, Any]:
    said = classify(engine, scans, "four-class scans")
    if pictures:
        temperature = engine.manifest.calibration.temperature
        write_wrong_answers(scans, calibrated(said.logits, temperature), pictures)
    truth = np.array([CLASSES.index(label) for label in scans.labels])
    report = four_class_report(
        truth,
        said.logits,
        said.mirrored_logits,
        scans.blocks,
        engine.manifest.calibration.temperature,
        engine.manifest.calibration.decision_threshold,
        resamples,
    )
    known = np.array([one.block != one.group for one in scans.samples])
    report |= answers_by_patient(truth, said.logits.argmax(axis=1), scans.blocks, known, resamples)
    report["out_of_distribution_rejected"] = _rejected(engine, said.ood_scores)
    return report


def _lgg(engine: Engine, scans: ScanSet, title: str, resamples: int) -> dict[str, Any]:
    said = classify(engine, scans, title)
    report = lesion_report(
        np.array([label != "no_tumor" for label in scans.labels]),
        said.logits,
        said.mirrored_logits,
        scans.blocks,
        engine.manifest.calibration.temperature,
        engine.manifest.calibration.decision_threshold,
        resamples,
    )
    report["out_of_distribution_rejected"] = _rejected(engine, said.ood_scores)
    return report


def _four_class_masks(
    engine: Engine, scans: ScanSet, resamples: int, pictures: Path | None
) -> dict[str, Any]:
    """Figshare's lesion slices, and masks on tumour-free scans; a set without scans is left out."""
    drawn = segment(engine, scans, "four-class scans")
    if pictures:
        write_worst_masks(scans, drawn.masks, pictures, "four-class")
    lesion = scans.has_mask & scans.masks.any(axis=(1, 2))
    free = np.array([label == "no_tumor" for label in scans.labels])
    report: dict[str, Any] = {}
    if lesion.any():
        report["figshare"] = slice_report(
            scans.masks[lesion],
            drawn.masks[lesion],
            drawn.mirror_dice[lesion],
            _keep(scans.labels, lesion),
            _keep(scans.blocks, lesion),
            resamples,
        )
    if free.any():
        report["tumour_free"] = masked_share(
            drawn.masks[free], _keep(scans.blocks, free), resamples
        )
    return report


def _keep(values: Sequence[str], chosen: np.ndarray) -> list[str]:
    return [value for value, one in zip(values, chosen, strict=True) if one]


def _rejected(engine: Engine, scores: np.ndarray) -> float:
    return float((scores > engine.manifest.ood.threshold).mean())


def _counts(
    rows: Sequence[Sample], chosen: Sequence[Sample], slices: Sequence[Sample], split: str
) -> dict[str, Any]:
    labels = Counter(sample.label for sample in chosen)
    return {
        "four_class_distinct_scans": {name: labels[name] for name in CLASSES},
        "four_class_files_they_stand_for": sum(sample.split == split for sample in rows),
        "four_class_blocks": len({sample.block for sample in chosen}),
        # Their block is the group of copies, since no list says whose scan it is.
        "four_class_scans_of_no_known_patient": sum(one.block == one.group for one in chosen),
        "lgg_patients": len({sample.block for sample in slices}),
        "lgg_slices": len(slices),
        "lgg_lesion_slices": sum(sample.label != "no_tumor" for sample in slices),
    }


def _plain(value: Any) -> Any:
    """JSON's own types: NaN as null, floats to six digits."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
