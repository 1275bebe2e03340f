"""Figures of the segmenter, on boolean masks in the network's square.

True and found masks are compared at 224 x 224 pixels, in the square that ``core.imaging.prepare``
cuts: what was drawn outside it (none in these sets) would not count. The found mask follows the
engine's own rule: the probability is enlarged to the square, cut at the manifest's threshold, and
connected parts smaller than the manifest's share of the head are dropped. A slice has "any mask"
where a pixel is left after that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from train.evaluation.bootstrap import intervals
from train.metrics import dice, iou


def slice_report(
    truth: np.ndarray,
    found: np.ndarray,
    mirror_dice: np.ndarray,
    labels: Sequence[str],
    blocks: Sequence[str],
    resamples: int,
) -> dict[str, Any]:
    """Overlap per lesion slice; a missed lesion counts as 0.

    Args:
        truth: bool (n, height, width), every one with a lesion.
        found: bool, the same shape.
        mirror_dice: (n,), overlap of a scan's mask with its mirror image's.
        labels: (n,), class names; the stratum of a resample.
        blocks: (n,), what is resampled together.
        resamples: of the bootstrap.

    Returns:
        Figures with intervals, and ``by_size``: the same for the quarters of the slices by the true
        lesion's area, the smallest first.
    """
    dices = np.array([dice(f, t) for f, t in zip(found, truth, strict=True)])
    ious = np.array([iou(f, t) for f, t in zip(found, truth, strict=True)])
    names = np.array(labels)

    def statistic(at: np.ndarray) -> dict[str, float]:
        return {
            "dice": float(dices[at].mean()),
            "iou": float(ious[at].mean()),
            "dice_median": float(np.median(dices[at])),
            "missed_share": float((dices[at] == 0).mean()),
            "mirror_dice": float(mirror_dice[at].mean()),
            **{f"dice_{name}": _mean(dices[at][names[at] == name]) for name in np.unique(names)},
        }

    proportions = {"missed_share": np.ones(len(dices), bool)}
    figures = intervals(statistic, blocks, labels, resamples, proportions=proportions)
    areas = truth.sum(axis=(1, 2))
    return {
        "slices": len(dices),
        **figures,
        "by_size": _by_size(areas, dices, names, np.array(blocks), resamples),
    }


def _by_size(
    areas: np.ndarray, dices: np.ndarray, labels: np.ndarray, blocks: np.ndarray, resamples: int
) -> list[dict[str, Any]]:
    """A row for each quarter by area; equal areas stay together, so that one may be missing."""
    quarters = np.searchsorted(np.quantile(areas, [0.25, 0.5, 0.75]), areas)
    rows = []
    for quarter in np.unique(quarters):
        mine = quarters == quarter
        own = dices[mine]

        def statistic(at: np.ndarray, own: np.ndarray = own) -> dict[str, float]:
            return {"dice": float(own[at].mean()), "missed_share": float((own[at] == 0).mean())}

        proportions = {"missed_share": np.ones(len(own), bool)}
        figures = intervals(
            statistic, blocks[mine].tolist(), labels[mine].tolist(), resamples,
            proportions=proportions,
        )  # fmt: skip
        rows.append(
            {
                "smallest_area": int(areas[mine].min()),
                "largest_area": int(areas[mine].max()),
                "slices": len(own),
                "patients": len(np.unique(blocks[mine])),
                **figures,
            }
        )
    return rows


def patient_report(
    truth: np.ndarray,
    found: np.ndarray,
    mirror_dice: np.ndarray,
    patients: Sequence[str],
    resamples: int,
) -> dict[str, Any]:
    """Overlap per lesion slice and pooled per patient, and masks on lesion-free slices.

    Pooled means: all pixels of all slices of a patient, lesion-free ones included, form one Dice;
    the figure is the mean over patients that have a lesion.

    Args:
        truth: bool (n, height, width); empty for lesion-free slices.
        found: bool, the same shape.
        mirror_dice: (n,), overlap of a slice's mask with its mirror image's.
        patients: (n,); patients are resampled.
        resamples: of the bootstrap.
    """
    lesion, masked = truth.any(axis=(1, 2)), found.any(axis=(1, 2))
    dices = np.array([dice(f, t) for f, t in zip(found, truth, strict=True)])
    ious = np.array([iou(f, t) for f, t in zip(found, truth, strict=True)])
    names = np.array(patients)
    table = [
        _patient(name, truth, found, dices, lesion, masked, names) for name in np.unique(names)
    ]
    pooled = {row["patient"]: (row["pooled_dice"], row["pooled_iou"]) for row in table}
    first = {name: int(np.flatnonzero(names == name)[0]) for name in pooled}

    def statistic(at: np.ndarray) -> dict[str, float]:
        with_lesion = at[lesion[at]]
        # A patient drawn twice brings its first slice twice, hence its weight.
        drawn = [names[i] for i in at if first[names[i]] == i and not np.isnan(pooled[names[i]][0])]
        return {
            "pooled_dice": _mean(np.array([pooled[name][0] for name in drawn])),
            "pooled_iou": _mean(np.array([pooled[name][1] for name in drawn])),
            "slice_dice": _mean(dices[with_lesion]),
            "slice_iou": _mean(ious[with_lesion]),
            "slice_missed_share": _mean(dices[with_lesion] == 0),
            "lesion_free_masked_share": _mean(masked[at[~lesion[at]]]),
            "mirror_dice": float(mirror_dice[at].mean()),
            "mirror_dice_lesion_slices": _mean(mirror_dice[with_lesion]),
        }

    proportions = {"slice_missed_share": lesion, "lesion_free_masked_share": ~lesion}
    return {
        "patients": len(table),
        "lesion_slices": int(lesion.sum()),
        "lesion_free_slices": int((~lesion).sum()),
        **intervals(statistic, patients, None, resamples, proportions=proportions),
        "per_patient": table,
    }


def masked_share(found: np.ndarray, blocks: Sequence[str], resamples: int) -> dict[str, Any]:
    """Share of tumour-free scans with any mask.

    Args:
        found: bool (n, height, width).
        blocks: (n,), what is resampled together.
        resamples: of the bootstrap.
    """
    masked = found.any(axis=(1, 2))
    share = intervals(
        lambda at: {"masked_share": _mean(masked[at])}, blocks, None, resamples,
        proportions={"masked_share": np.ones(len(masked), bool)},
    )  # fmt: skip
    return {"scans": len(masked), **share}


def _patient(
    name: str,
    truth: np.ndarray,
    found: np.ndarray,
    dices: np.ndarray,
    lesion: np.ndarray,
    masked: np.ndarray,
    names: np.ndarray,
) -> dict[str, Any]:
    """One row of the table; pooled figures are NaN for a patient without any lesion."""
    mine = names == name
    ill = bool((mine & lesion).any())
    return {
        "patient": str(name),
        "lesion_slices": int((mine & lesion).sum()),
        "lesion_free_slices": int((mine & ~lesion).sum()),
        "pooled_dice": dice(found[mine], truth[mine]) if ill else float("nan"),
        "pooled_iou": iou(found[mine], truth[mine]) if ill else float("nan"),
        "slice_dice": _mean(dices[mine & lesion]),
        "lesion_free_masked_share": _mean(masked[mine & ~lesion]),
    }


def _mean(values: np.ndarray) -> float:
    """Mean; NaN of nothing."""
    return float(np.mean(values)) if len(values) else float("nan")
