"""Figures of metrics.json as cells and rows of Markdown tables."""

from __future__ import annotations

from typing import Any

_CLASS = ("precision", "recall", "specificity", "f1")


def shown(figure: Any) -> str:
    """A figure, with its interval where it has one; ``none`` where it does not exist."""
    if figure is None:
        return "none"
    if isinstance(figure, dict) and "value" in figure:
        low, high = figure.get("low"), figure.get("high")
        interval = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
        return ("none" if figure["value"] is None else f"{figure['value']:.3f}") + interval
    return f"{figure:.3f}" if isinstance(figure, float) else str(figure)


def row(name: str, cells: list[Any]) -> str:
    """A row of a table: a name, then figures."""
    return f"| {name.replace('_', ' ')} | {' | '.join(shown(cell) for cell in cells)} |"


def rows(report: dict[str, Any], prefix: str = "") -> str:
    """A row for each figure of a report; nested tables and curves are left to metrics.json."""
    return "\n".join(
        row(f"{prefix}{name}", [figure])
        for name, figure in report.items()
        if isinstance(figure, int | float) or (isinstance(figure, dict) and "value" in figure)
    )


def calibration_rows(report: dict[str, Any]) -> str:
    """The calibration error before and after the temperature."""
    return "\n".join(
        row(
            f"expected calibration error {when} the temperature",
            [report[when]["expected_calibration_error"]],
        )
        for when in ("before", "after")
    )


def class_row(name: str, four: dict[str, Any]) -> str:
    """Figures of one class, with intervals; the recall also as the mean over known patients."""
    figures, support = four["per_class_intervals"][name], four["per_class"][name]["support"]
    mean = four["patient_sensitivity"].get(name)
    by_patient = f"{shown(mean)}, {_patients(mean['patients'])}" if mean else "no known patient"
    cells = [*(figures[key] for key in _CLASS), by_patient, support]
    return f"| {name} | {' | '.join(shown(cell) for cell in cells)} |"


def mask_rows(masks: dict[str, Any]) -> str:
    """The figures of each set of masks."""
    parts = [rows(one, f"{name}: ") for name, one in masks.items() if isinstance(one, dict)]
    return "\n".join(part for part in parts if part)


def lowest(by_class: dict[str, Any], patients: dict[str, int] | None = None) -> str:
    """The class with the lowest figure, with its number of patients where that is given."""
    known = {name: one for name, one in by_class.items() if one["value"] is not None}
    if not known:
        return "none"
    name = min(known, key=lambda one: known[one]["value"])
    of = f", {_patients(patients[name])}" if patients else ""
    return f"{name} {shown(known[name])}{of}"


def _patients(count: int) -> str:
    return f"{count} patient{'s' if count != 1 else ''}"
