"""What ``python -m train evaluate`` measured: ``metrics.json``, typed.

A section that the file does not have, or has in another form, is None; what it has beyond these is
left alone. So a page can say what is missing, and files of earlier and later versions can be read.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from core.errors import WeightsError
from core.services.metric_sections import (
    Calibration,
    ClassFigures,
    Confusion,
    Counts,
    Figure,
    Folds,
    FourClass,
    PredictionSets,
    Robustness,
    RocCurve,
    Section,
    Shortcut,
    SourceLeftOut,
    Strangers,
)
from core.types import CLASSES, TumourClass

log = logging.getLogger(__name__)

_CURE = "Run `python -m train evaluate` to measure the weights."


class ModelMetrics(Section):
    """The figures of one model version on one split."""

    model_version: str
    split: str
    created: str
    decision_threshold: float
    counts: Counts | None
    four_class: FourClass | None
    masks: dict[str, dict[str, Figure]]
    lgg: dict[str, dict[str, Figure]]
    prediction_sets: dict[str, PredictionSets]
    robustness: dict[str, Robustness]
    strangers: Strangers | None
    shortcut: Shortcut | None
    sources: dict[str, SourceLeftOut]
    folds: dict[str, Folds]


def read_metrics(folder: Path) -> ModelMetrics:
    """Read ``metrics.json`` of a weights folder.

    Raises:
        WeightsError: it is missing, no JSON, or does not say which model it is of.
    """
    path = folder / "metrics.json"
    try:
        raw = json.loads(path.read_bytes())
    except OSError as error:
        raise WeightsError(f"{path} cannot be read. {_CURE}") from error
    except ValueError as error:
        raise WeightsError(f"{path} is damaged. {_CURE}") from error
    raw = raw if isinstance(raw, dict) else {}
    trust = _mapping(raw, "trust")
    try:
        return ModelMetrics(
            model_version=raw.get("model_version"),
            split=raw.get("split"),
            created=raw.get("created"),
            decision_threshold=raw.get("decision_threshold"),
            counts=_section(Counts, raw.get("counts")),
            four_class=_four_class(_mapping(raw, "four_class")),
            masks=_tables(_mapping(raw, "segmentation")),
            lgg=_tables(_mapping(raw, "lgg")),
            prediction_sets=_sections(PredictionSets, _mapping(trust, "prediction_sets")),
            robustness=_sections(Robustness, _mapping(trust, "robustness")),
            strangers=_section(Strangers, trust.get("out_of_distribution")),
            shortcut=_section(
                Shortcut, _mapping(trust, "modality").get("class_from_brightness_alone")
            ),
            sources=_sections(
                SourceLeftOut, _mapping(_mapping(trust, "leave_one_source_out"), "sources")
            ),
            # A report that was refused says only why, and that is no fault of the file.
            folds=_sections(
                Folds,
                {
                    name: one
                    for name, one in _mapping(trust, "folds").items()
                    if not (isinstance(one, dict) and "not_shown" in one)
                },
            ),
        )
    except ValidationError as error:
        raise WeightsError(f"{path} does not say which model it is of. {_CURE}") from error


def _four_class(raw: dict[str, Any]) -> FourClass | None:
    if not raw:
        return None
    per_class = _mapping(raw, "per_class")
    with_intervals = _mapping(raw, "per_class_intervals")
    merged = {
        name: {**row, **_mapping(with_intervals, name)}
        for name, row in per_class.items()
        if name in CLASSES and isinstance(row, dict)
    }
    return FourClass(
        figures=_figures(raw),
        per_class={TumourClass(name): row for name, row in _sections(ClassFigures, merged).items()},
        confusion=_section(Confusion, raw.get("confusion_matrix")),
        roc_curves=_sections(RocCurve, _mapping(raw, "roc_curves")),
        calibration=_section(Calibration, raw.get("calibration")),
    )


_Kind = TypeVar("_Kind", bound=Section)


def _section(kind: type[_Kind], raw: Any) -> _Kind | None:
    """A section, or None where it is absent or has another form."""
    if raw is None:
        return None
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        log.warning("metrics.json has a %s of another form: %s", kind.__name__, error)
        return None


def _sections(kind: type[_Kind], raw: dict[str, Any]) -> dict[str, _Kind]:
    read = {name: _section(kind, one) for name, one in raw.items()}
    return {name: one for name, one in read.items() if one is not None}


def _tables(raw: dict[str, Any]) -> dict[str, dict[str, Figure]]:
    return {name: _figures(table) for name, table in raw.items() if isinstance(table, dict)}


def _figures(raw: dict[str, Any]) -> dict[str, Figure]:
    """Everything in a section that is a figure."""
    found = {
        name: one
        for name, one in raw.items()
        if (isinstance(one, int | float) and not isinstance(one, bool))
        or (isinstance(one, dict) and "value" in one)
    }
    return _sections(Figure, found)


def _mapping(raw: dict[str, Any], name: str) -> dict[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}
