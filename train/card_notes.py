"""Sentences of the model card beside its tables: calibration, sizes of lesions, specificity."""

from __future__ import annotations

import math
import textwrap
from typing import Any

from train.card_rows import shown

_WIDTH = 100


def temperature(calibration: dict[str, Any]) -> str:
    """Whether the temperature, fitted on ``val``, made ``test`` better; and what chance leaves."""
    measures = {
        "calibration error": ("expected_calibration_error", _value),
        "Brier score": ("brier", float),
        "log loss": ("log_loss", float),
    }
    said = []
    for name, (key, read) in measures.items():
        before, after = (f"{read(calibration[when][key]):.3f}" for when in ("before", "after"))
        change = "unchanged" if before == after else "worse" if after > before else "better"
        said.append(f"{name} {change} ({before} without it, {after} with it)")
    chance = calibration["of_a_perfect_model"]
    return _filled(
        f"What the temperature did to `test`: {', '.join(said)}. A model that is exactly as right "
        f"as it is sure would show a calibration error of {chance['mean']:.3f} on the average, by "
        f"chance alone, and of up to {chance['percentile_95']:.3f} in 95 of 100 sets of so many "
        "scans; more where the slices of a patient are alike. The intervals of the error lie too "
        "high: resampling adds noise, and noise counts as error."
    )


def composites(report: dict[str, Any]) -> str:
    """How far said and found tumour probabilities of LGG's composites lie apart over one half."""
    bins = [one for one in report["reliability"] if one["low"] >= 0.5]
    if not bins:
        return "No composite was given a tumour probability in the bins over 0.5."
    less_sure = [one for one in bins if one["high"] < 1]
    words = (
        "The probabilities were calibrated on the four-class scans, not on these slices. In the "
        f"bins of composites over 0.5 {_said_and_found(bins)}"
    )
    if less_sure and len(less_sure) < len(bins):
        words += f"; in those under {less_sure[-1]['high']:.2f} {_said_and_found(less_sure)}"
    return _filled(f"{words}.")


def _said_and_found(bins: list[dict[str, float]]) -> str:
    slices = sum(one["count"] for one in bins)
    said, found = (
        sum(one[name] * one["count"] for one in bins) / slices
        for name in ("confidence", "accuracy")
    )
    return f"the mean probability is {said:.0%} and {found:.0%} of {slices} slices have a lesion"


def sizes(figshare: dict[str, Any]) -> str:
    """The point on masks by the size of the lesion."""
    quarters = "; ".join(
        f"{one['smallest_area']} to {one['largest_area']} px: {shown(one['dice'])}, "
        f"{one['missed_share']['value']:.0%} without overlap, {one['patients']} patients"
        for one in figshare["by_size"]
    )
    return _point(
        f"{figshare['missed_share']['value']:.0%} of figshare's lesion slices get no mask that "
        "overlaps. Mean Dice by the size of the true lesion, the slices in quarters, in pixels of "
        f"the square of 224 × 224: {quarters}."
    )


def specificity(four: dict[str, Any], scans: int) -> str:
    """The point on how well the specificity is known."""
    figure = four["tumour_specificity"]
    points = math.ceil(100 * (figure["high"] - figure["low"]))
    return _point(
        f"The tumour-free class rests on {scans} distinct test scans: its specificity is known "
        f"to within {points} points at best."
    )


def _value(figure: dict[str, float]) -> float:
    return figure["value"]


def _filled(words: str) -> str:
    return textwrap.fill(words, _WIDTH, break_on_hyphens=False)


def _point(words: str) -> str:
    return textwrap.fill(f"- {words}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
