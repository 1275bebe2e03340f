"""``weights/MODEL_CARD.md``, from the manifest and metrics.json; no figure on `test` is typed."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from core.inference.weights import load_manifest
from core.types import CLASSES
from train import card_notes, folds, sources
from train.anew import FOLDS as FOLD_REPORTS
from train.anew import NOT_SHOWN
from train.anew import SOURCES as LEFT_OUT
from train.card_rows import calibration_rows, class_row, mask_rows, row, rows, shown
from train.card_text import FOLDS, SOURCES, TEXT
from train.card_trust import shortcut, trust
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
    if "four_class_scans_of_no_known_patient" not in counts or "per_patient" not in four:
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
            four_class="\n".join((rows(four), calibration_rows(four["calibration"]))),
            temperature_on_test=card_notes.temperature(four["calibration"]),
            val_accuracy=shown(val),
            harder=" Its scans are the harder ones." if _lower(val, four) else "",
            by_construction=_BY_CONSTRUCTION if manifest.classifier.mirrored else "",
            per_class_rows="\n".join(class_row(c, four) for c in CLASSES),
            classes_columns=" | ".join(CLASSES),
            dashes="|".join("---" for _ in CLASSES),
            confusion="\n".join(
                f"| {c} | {' | '.join(map(str, line))} |"
                for c, line in zip(
                    CLASSES, four["confusion_matrix"]["rows_true_columns_predicted"], strict=True
                )
            ),
            masks=mask_rows(masks),
            lgg="\n".join(row(n, [r[k] for k in _LGG]) for n, r in metrics["lgg"].items()),
            composites=card_notes.composites(metrics["lgg"]["composite"]),
            failures=failures(metrics),
            sizes=card_notes.sizes(masks["figshare"]),
            specificity=card_notes.specificity(four, scans["no_tumor"]),
            **trust(metrics["trust"]),
            **shortcut(metrics["trust"]["modality"], metrics["lgg"]),
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
_LGG = (
    "roc_auc", "sensitivity", "specificity", "tumour_calibration_error", "mirror_agreement",
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
