"""The fields of the model card's section on how far its figures can be trusted."""

from __future__ import annotations

import textwrap
from typing import Any

from train.card_rows import lowest, row, shown

_ONE_SEQUENCE = ("roc_auc", "sensitivity", "specificity")
_ROBUST = (
    "balanced_accuracy", "agreement", "tumour_sensitivity", "tumour_specificity", "rejected",
)  # fmt: skip


def trust(report: dict[str, Any]) -> dict[str, str]:
    """The fields on sets, changed pictures and strangers."""
    strange = report["out_of_distribution"]
    return {
        "sets": "\n".join(_set_row(name, one) for name, one in report["prediction_sets"].items()),
        "robustness": "\n".join(
            f"| {name} | {' | '.join(shown(one[key]) for key in _ROBUST)} |"
            for name, one in report["robustness"].items()
        ),
        "strangers": str(sum(strange["pictures"].values())),
        "accepted": f"{strange['accepted_share_of_val']:.0%}",
        "ood": "\n".join(_ood_row(name, one) for name, one in strange["scores"].items()),
        "application_strangers": shown(strange["application"]["rejected"]["all"]),
        "application_good": shown(strange["application"]["good_scans_rejected"]),
    }


def shortcut(modality: dict[str, Any], lgg: dict[str, Any]) -> dict[str, str]:
    """The fields of the paragraph on the modality shortcut."""
    bright, by_channel = (
        modality[name] for name in ("class_from_brightness_alone", "lesion_from_brightness_alone")
    )
    tumours = modality["figshare_tumours"]
    words = ""
    if tumours:
        scans = ", ".join(f"{count} {name}" for name, count in tumours["scans"].items())
        words = (
            f"figshare's slices, all T1 with contrast and all with a tumour ({scans}): balanced "
            f"accuracy of the three kinds {shown(tumours['balanced_accuracy'])} (chance: 0.333); "
            f"{shown(tumours['balanced_accuracy_of_four'])} where no_tumor may be answered too "
            "and is wrong."
        )
        words = "\n" + textwrap.fill(f"- {words}", 100, subsequent_indent="  ") + "\n"
    return {
        "bright_accuracy": shown(bright["balanced_accuracy"]),
        "bright_auc": shown(bright["tumour_auc"]),
        "one_sequence": "\n".join(
            row(name, [*(lgg[name][key] for key in _ONE_SEQUENCE), auc])
            for name, auc in by_channel.items()
        ),
        "figshare_tumours": words,
    }


def _set_row(name: str, one: dict[str, Any]) -> str:
    """What was promised first, then what is found by slice."""
    unlimited = ", ".join(name for name, limit in one["limits"].items() if limit >= 1) or "none"
    cells = [
        one["patient_coverage"],
        lowest(one["patient_coverage_by_class"], one["patients_by_class"]),
        one["coverage"],
        lowest(one["coverage_by_class"]),
        one["empty_sets"],
        f"{one['mean_set_size']:.2f}",
        unlimited,
    ]
    return row(name, cells)


def _ood_row(name: str, score: dict[str, Any]) -> str:
    by_kind = {kind: share for kind, share in score["rejected"].items() if kind != "all"}
    least = min(by_kind, key=by_kind.__getitem__)
    cells = [score["auroc"], score["good_scans_rejected"], score["rejected"]["all"]]
    return (
        f"| {name} | {' | '.join(shown(cell) for cell in cells)} | {least} "
        f"({shown(by_kind[least])}) |"
    )
