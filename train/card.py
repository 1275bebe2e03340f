"""``weights/MODEL_CARD.md``, from the manifest and metrics.json; no figure on `test` is typed."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from core.inference.weights import load_manifest
from core.types import CLASSES
from train import folds, sources
from train.anew import FOLDS as FOLD_REPORTS
from train.anew import NOT_SHOWN
from train.anew import SOURCES as LEFT_OUT
from train.card_text import FOLDS, SOURCES, TEXT
from train.card_words import failures, history


def write_card(folder: Path) -> Path:
    """Write the model card of a weights folder.

    Args:
        folder: holds manifest.json and metrics.json of the same model version. What
            ``train.anew`` took over into it is shown; of a report that it refused, why.

    Returns:
        The card's path.

    Raises:
        ValueError: the metrics are of another model version, of another split than ``test``, or of
            an earlier form.
    """
    manifest = load_manifest(folder)
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    if metrics["model_version"] != manifest.model_version:
        raise ValueError("metrics.json is of other weights: run `python -m train evaluate` again")
    if metrics["split"] != "test":
        raise ValueError(
            f"metrics.json is of {metrics['split']}, and the card tells of test: run "
            "`python -m train evaluate` again"
        )
    four, masks, counts = metrics["four_class"], metrics["segmentation"], metrics["counts"]
    if "four_class_scans_of_no_known_patient" not in counts:
        raise ValueError(
            "metrics.json was made by an earlier version: run `python -m train evaluate` again"
        )
    scans, val = counts["four_class_distinct_scans"], manifest.val_metrics.get("balanced_accuracy")
    card = folder / "MODEL_CARD.md"
    card.write_text(
        TEXT.format(
            version=manifest.model_version,
            preprocessing=manifest.preprocessing_version,
            commands="\n".join(f"    {c}" for c in manifest.provenance.commands),
            classes=", ".join(CLASSES),
            classifier_side=manifest.classifier.input_side,
            mirrored=" and its mirror image, averaged" if manifest.classifier.mirrored else "",
            segmenter_side=manifest.segmenter.input_side,
            temperature=manifest.calibration.temperature,
            decision=manifest.calibration.decision_threshold,
            fitted_on=manifest.calibration.fitted_on,
            data=manifest.provenance.data,
            split=manifest.provenance.split,
            scans=sum(scans.values()),
            per_class=", ".join(f"{n} {c}" for c, n in scans.items()),
            lgg_slices=counts["lgg_slices"],
            lgg_patients=counts["lgg_patients"],
            nobodys=counts["four_class_scans_of_no_known_patient"],
            four_class="\n".join((_rows(four), _calibration_rows(four["calibration"]))),
            val_accuracy=_shown(val),
            harder=" Its scans are the harder ones." if _lower(val, four) else "",
            by_construction=_BY_CONSTRUCTION if manifest.classifier.mirrored else "",
            per_class_rows="\n".join(_class_row(c, four) for c in CLASSES),
            classes_columns=" | ".join(CLASSES),
            dashes="|".join("---" for _ in CLASSES),
            confusion="\n".join(
                f"| {c} | {' | '.join(map(str, row))} |"
                for c, row in zip(
                    CLASSES, four["confusion_matrix"]["rows_true_columns_predicted"], strict=True
                )
            ),
            masks=_mask_rows(masks),
            lgg="\n".join(_row(n, [r[k] for k in _LGG]) for n, r in metrics["lgg"].items()),
            failures=failures(metrics),
            no_tumor=scans["no_tumor"],
            missed=f"{masks['figshare']['missed_share']['value']:.0%}",
            **_trust(metrics["trust"]),
            **_shortcut(metrics["trust"]["modality"], metrics["lgg"]),
            sources=_sources(metrics["trust"].get(LEFT_OUT)),
            folds=_folds(metrics["trust"].get("folds", {})),
            history=history(manifest.provenance.commands),
            licence=manifest.provenance.licence,
        )
    )
    return card


_BY_CONSTRUCTION = """

The classifier averages a picture with its mirror image, so that the mirror agreement is high by
construction."""
_LGG = ("roc_auc", "sensitivity", "specificity", "mirror_agreement")
_ONE_SEQUENCE = ("roc_auc", "sensitivity", "specificity")
_CLASS = ("precision", "recall", "specificity", "f1")
_ROBUST = (
    "balanced_accuracy", "agreement", "tumour_sensitivity", "tumour_specificity", "rejected",
)  # fmt: skip


def _lower(val: float | None, four: dict[str, Any]) -> bool:
    return val is not None and val < four["balanced_accuracy"]["value"]


def _sources(report: dict[str, Any] | None) -> str:
    """The section on sources left out; empty where that was not measured."""
    if report is None:
        return ""
    if NOT_SHOWN in report:
        return _refused(
            "Sources", "how well a source is told that the training never saw", sources.REPORT,
            report[NOT_SHOWN], "sources",
        )  # fmt: skip
    return SOURCES.format(table=sources.markdown(report), **report["config"])


def _folds(reports: dict[str, dict[str, Any]]) -> str:
    """The section on other cuts of the patients; empty where they were not measured."""
    tables = []
    for network, report in reports.items():
        if NOT_SHOWN in report:
            tables.append(_refused(
                f"Folds, {network}", "the spread over other cuts of the patients",
                FOLD_REPORTS[network], report[NOT_SHOWN], f"folds {network}",
            ))  # fmt: skip
        else:
            about, _, table = folds.markdown(report).partition("\n\n")
            words = f"The {network}: {about}, {report['config']['epoch_size']} draws an epoch."
            tables.append(f"\n{textwrap.fill(words, 100)}\n\n{table}\n")
    return FOLDS + "".join(tables) if tables else ""


def _refused(title: str, what: str, name: str, wrong: str, command: str) -> str:
    words = (
        f"**{title}**: {what} is not shown. What lies in `{name}` was measured {wrong}; "
        f"`python -m train {command}` measures anew."
    )
    return f"\n{textwrap.fill(words, 100, break_on_hyphens=False)}\n"


def _shown(figure: Any) -> str:
    if figure is None:
        return "none"
    if isinstance(figure, dict) and "value" in figure:
        low, high = figure.get("low"), figure.get("high")
        interval = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
        return ("none" if figure["value"] is None else f"{figure['value']:.3f}") + interval
    return f"{figure:.3f}" if isinstance(figure, float) else str(figure)


def _row(name: str, cells: list[Any]) -> str:
    return f"| {name.replace('_', ' ')} | {' | '.join(_shown(cell) for cell in cells)} |"


def _rows(report: dict[str, Any], prefix: str = "") -> str:
    """A row for each figure of a report; nested tables and curves are left to metrics.json."""
    return "\n".join(
        _row(f"{prefix}{name}", [figure])
        for name, figure in report.items()
        if isinstance(figure, int | float) or (isinstance(figure, dict) and "value" in figure)
    )


def _calibration_rows(report: dict[str, Any]) -> str:
    return "\n".join(
        f"| expected calibration error {when} the temperature | "
        f"{report[when]['expected_calibration_error']:.3f} |"
        for when in ("before", "after")
    )


def _class_row(name: str, four: dict[str, Any]) -> str:
    """Figures of one class, with intervals."""
    figures, support = four["per_class_intervals"][name], four["per_class"][name]["support"]
    return f"| {name} | {' | '.join(_shown(figures[key]) for key in _CLASS)} | {support} |"


def _mask_rows(masks: dict[str, Any]) -> str:
    parts = [_rows(one, f"{name}: ") for name, one in masks.items() if isinstance(one, dict)]
    return "\n".join(part for part in parts if part)


def _unlimited(limits: dict[str, float]) -> str:
    """The classes that prediction sets never rule out, in words."""
    return ", ".join(name for name, limit in limits.items() if limit >= 1) or "none"


def _trust(trust: dict[str, Any]) -> dict[str, str]:
    """The fields of the template's section on trust, but for the shortcut's."""
    strange = trust["out_of_distribution"]
    return {
        "sets": "\n".join(
            f"| {name} | {_shown(one['coverage'])} | {_lowest(one['coverage_by_class'])}"
            f" | {one['mean_set_size']:.2f} | {_unlimited(one['limits'])} |"
            for name, one in trust["prediction_sets"].items()
        ),
        "robustness": "\n".join(
            f"| {name} | {' | '.join(_shown(one[key]) for key in _ROBUST)} |"
            for name, one in trust["robustness"].items()
        ),
        "strangers": str(sum(strange["pictures"].values())),
        "accepted": f"{strange['accepted_share_of_val']:.0%}",
        "ood": "\n".join(_ood_row(name, one) for name, one in strange["scores"].items()),
        "application_strangers": _shown(strange["application"]["rejected"]["all"]),
        "application_good": _shown(strange["application"]["good_scans_rejected"]),
    }


def _lowest(by_class: dict[str, float | None]) -> str:
    return _shown(min((one for one in by_class.values() if one is not None), default=None))


def _shortcut(modality: dict[str, Any], lgg: dict[str, Any]) -> dict[str, str]:
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
            f"accuracy of the three kinds {_shown(tumours['balanced_accuracy'])} (chance: 0.333); "
            f"{_shown(tumours['balanced_accuracy_of_four'])} where no_tumor may be answered too "
            "and is wrong."
        )
        words = "\n" + textwrap.fill(f"- {words}", 100, subsequent_indent="  ") + "\n"
    return {
        "bright_accuracy": _shown(bright["balanced_accuracy"]),
        "bright_auc": _shown(bright["tumour_auc"]),
        "one_sequence": "\n".join(
            _row(name, [*(lgg[name][key] for key in _ONE_SEQUENCE), auc])
            for name, auc in by_channel.items()
        ),
        "figshare_tumours": words,
    }


def _ood_row(name: str, score: dict[str, Any]) -> str:
    by_kind = {kind: share for kind, share in score["rejected"].items() if kind != "all"}
    least = min(by_kind, key=by_kind.__getitem__)
    cells = [score["auroc"], score["good_scans_rejected"], score["rejected"]["all"]]
    return (
        f"| {name} | {' | '.join(_shown(cell) for cell in cells)} | {least} "
        f"({_shown(by_kind[least])}) |"
    )
