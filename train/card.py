"""``weights/MODEL_CARD.md``, from the manifest and metrics.json; no figure on `test` is typed."""

# ruff: noqa: E501 - the text below is Markdown, with fields longer than what stands for them.

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.inference.weights import load_manifest
from core.types import CLASSES

_TEXT = """\
# Model card

**Research and demonstration use; not a medical device.** The model orders and explains scans. It does
not find or rule out disease, and "none of the three suspected" does not mean normal.

Version `{version}`, preprocessing {preprocessing}. Made by:

{commands}

## What it is

A ResNet50 with four outputs ({classes}), seen at {classifier_side} px on a picture{mirrored}; and a
ResUNet that draws the tumour mask at {segmenter_side} px. Class probabilities are scaled by the
temperature {temperature:.2f}; a tumour is suspected from a tumour probability of {decision:.3f}
({fitted_on}). The mask outlines what the training masks did: enhancing tumour on T1 with contrast for
gray scans (figshare), signal abnormality on FLAIR for composites (LGG).

## Data

{data}. Split: {split}. Test: {scans} distinct four-class scans ({per_class}) and {lgg_slices} slices
of {lgg_patients} LGG patients, none of whom was seen in training.

## Figures on `test`

One vote per distinct scan; 95 % bootstrap intervals in brackets. `python -m train evaluate` makes them.

| four classes (LGG apart) | |
|---|---|
{four_class}

| class | precision | recall | specificity | F1 | scans |
|---|---|---|---|---|---|
{per_class_rows}

| true \\ predicted | {classes_columns} |
|---|{dashes}|
{confusion}

| masks | |
|---|---|
{masks}

| LGG slices, lesion or not | AUC | sensitivity | specificity | mirror agreement |
|---|---|---|---|---|
{lgg}

## How far the figures can be trusted

**Prediction sets** (class-conditional conformal sets, fitted on `val`, counted on `test`): the share
of scans whose set holds the true class.

| stated | found | lowest class | mean classes a set |
|---|---|---|---|
{sets}

**Changed pictures**: the same scans as other viewers, exporters and scanners would have given them.

| change | balanced accuracy | same answer as unchanged | tumour sensitivity | specificity | rejected |
|---|---|---|---|---|---|
{robustness}

**Pictures that are no brain MRI** ({strangers} of them, damaged scans included), each score at a limit
that accepts {accepted} of `val`. "Served" is the one the application uses.

| score | AUROC | good scans rejected | strangers rejected | rejected least |
|---|---|---|---|---|
{ood}

**The modality shortcut**: a probe that knows nothing of a scan but its presumed sequence reaches a
balanced accuracy of {shortcut_accuracy} and a tumour AUC of {shortcut_auc} (chance: 0.25 and 0.5): so
much of the four-class figures may be the sequence and not the tumour. It presumes the sequence from
brightness alone, rightly in {probe_accuracy} of LGG's channels (chance 0.333), so that a better probe
might find more. Within scans of one presumed sequence:

| presumed sequence | tumour scans | tumour-free | tumour AUC | sensitivity | specificity |
|---|---|---|---|---|---|
{within}

## How the weights came about

On two CPU cores, without ImageNet weights for the ResNet50: it learnt from the labels and from the
answers of an EfficientNet-Lite0. Each command above names the last part of a training in two parts;
`train/RESULTS.md` has the whole story, and what each step gave.

## Limits

- Masks of small and diffuse lesions are the weakest part: {missed} of figshare's lesion slices get
  no mask that overlaps.
- The tumour-free class rests on {no_tumor} distinct test scans: its specificity is known to a few
  percent only.
- Tumours and tumour-free scans of the public sets were mostly made with different sequences, and the
  classifier may use that: see the modality shortcut above.
- The public sets come from few hospitals and scanners. Elsewhere the figures will be lower.
- figshare gives no patient numbers in the copy used; its split is by contiguous blocks of slices.
- Children, operated brains, metastases, other tumours and other diseases are not in the classes.
- LGG channels alone in gray: the mask was trained on FLAIR alone and on composites, not on T1 alone.
- The out-of-distribution score is a warning, no guarantee: some pictures that are no brain MRI pass.
- The prediction sets' guarantee supposes scans like those of `val`; slices of one patient are alike,
  so it holds only roughly.

## Licence

{licence}.
"""


def write_card(folder: Path) -> Path:
    """Write the model card of a weights folder.

    Args:
        folder: holds manifest.json and metrics.json of the same model version.

    Returns:
        The card's path.

    Raises:
        ValueError: the metrics are of another model version.
    """
    manifest = load_manifest(folder)
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    if metrics["model_version"] != manifest.model_version:
        raise ValueError("metrics.json is of other weights: run `python -m train evaluate` again")
    four, masks, counts = metrics["four_class"], metrics["segmentation"], metrics["counts"]
    scans = counts["four_class_distinct_scans"]
    card = folder / "MODEL_CARD.md"
    card.write_text(
        _TEXT.format(
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
            four_class="\n".join((_rows(four), _calibration_rows(four["calibration"]))),
            per_class_rows="\n".join(_class_row(c, four["per_class"][c]) for c in CLASSES),
            classes_columns=" | ".join(CLASSES),
            dashes="|".join("---" for _ in CLASSES),
            confusion="\n".join(
                f"| {c} | {' | '.join(map(str, row))} |"
                for c, row in zip(
                    CLASSES, four["confusion_matrix"]["rows_true_columns_predicted"], strict=True
                )
            ),
            masks=_mask_rows(masks),
            lgg="\n".join(_lgg_row(n, r) for n, r in metrics["lgg"].items()),
            no_tumor=scans["no_tumor"],
            missed=f"{masks['figshare']['missed_share']['value']:.0%}",
            **_trust(metrics["trust"]),
            licence=manifest.provenance.licence,
        )
    )
    return card


def _shown(figure: Any) -> str:
    if figure is None:
        return "none"
    if isinstance(figure, dict) and "value" in figure:
        low, high = figure.get("low"), figure.get("high")
        interval = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
        return ("none" if figure["value"] is None else f"{figure['value']:.3f}") + interval
    return f"{figure:.3f}" if isinstance(figure, float) else str(figure)


def _rows(report: dict[str, Any], prefix: str = "") -> str:
    """A row for each figure of a report; nested tables and curves are left to metrics.json."""
    return "\n".join(
        f"| {prefix}{name.replace('_', ' ')} | {_shown(figure)} |"
        for name, figure in report.items()
        if isinstance(figure, int | float) or (isinstance(figure, dict) and "value" in figure)
    )


def _calibration_rows(report: dict[str, Any]) -> str:
    return "\n".join(
        f"| expected calibration error {when} the temperature | "
        f"{report[when]['expected_calibration_error']:.3f} |"
        for when in ("before", "after")
    )


def _class_row(name: str, row: dict[str, Any]) -> str:
    cells = [_shown(row[key]) for key in ("precision", "recall", "specificity", "f1")]
    return f"| {name} | {' | '.join(cells)} | {row['support']} |"


def _mask_rows(masks: dict[str, Any]) -> str:
    parts = []
    for name, report in masks.items():
        if isinstance(report, dict):
            parts.append(_rows(report, f"{name.replace('_', ' ')}: "))
    return "\n".join(part for part in parts if part)


def _lgg_row(name: str, report: dict[str, Any]) -> str:
    keys = ("roc_auc", "sensitivity", "specificity", "mirror_agreement")
    return f"| {name.replace('_', ' ')} | {' | '.join(_shown(report[k]) for k in keys)} |"


def _trust(trust: dict[str, Any]) -> dict[str, str]:
    """The fields of the template's section on trust."""
    strange, shortcut = trust["out_of_distribution"], trust["modality"]
    alone = shortcut["class_from_sequence_alone"]
    return {
        "sets": "\n".join(
            f"| {name} | {_shown(one['coverage'])} | {_shown(min(one['coverage_by_class'].values()))}"
            f" | {one['mean_set_size']:.2f} |"
            for name, one in trust["prediction_sets"].items()
        ),
        "robustness": "\n".join(
            f"| {name} | {' | '.join(_shown(one[key]) for key in _ROBUST)} |"
            for name, one in trust["robustness"].items()
        ),
        "strangers": str(sum(strange["pictures"].values())),
        "accepted": f"{strange['accepted_share_of_val']:.0%}",
        "ood": "\n".join(_ood_row(name, one) for name, one in strange["scores"].items()),
        "probe_accuracy": _shown(shortcut["sequence_probe_balanced_accuracy_on_lgg"]),
        "shortcut_accuracy": _shown(alone["balanced_accuracy"]),
        "shortcut_auc": _shown(alone["tumour_auc"]),
        "within": "\n".join(
            f"| {name.replace('_', ' ')} | {' | '.join(_shown(one[key]) for key in _WITHIN)} |"
            for name, one in shortcut["classifier_within_presumed_sequence"].items()
        ),
    }


_ROBUST = (
    "balanced_accuracy", "agreement", "tumour_sensitivity", "tumour_specificity", "rejected",
)  # fmt: skip
_WITHIN = (
    "tumour_scans", "tumour_free_scans", "tumour_auc", "tumour_sensitivity", "tumour_specificity",
)  # fmt: skip


def _ood_row(name: str, score: dict[str, Any]) -> str:
    by_kind = {kind: share for kind, share in score["rejected"].items() if kind != "all"}
    least = min(by_kind, key=by_kind.__getitem__)
    cells = [score["auroc"], score["good_scans_rejected"], score["rejected"]["all"]]
    return (
        f"| {name} | {' | '.join(_shown(cell) for cell in cells)} | {least} "
        f"({_shown(by_kind[least])}) |"
    )
