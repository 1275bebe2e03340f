"""What ``python -m train evaluate`` measured: ``metrics.json``, typed.

A section that the file does not have, or has in another form, is None; what it has beyond these is
left alone. So a page can say what is missing, and files of earlier and later versions can be read.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import WeightsError
from core.types import CLASSES, TumourClass

log = logging.getLogger(__name__)

_CURE = "Run `python -m train evaluate` to measure the weights."
# A number must not part with its sign at the end of a line.
_PERCENT = "\N{NO-BREAK SPACE}%"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Figure(_Section):
    """A figure, with its 95 % interval where one was computed; None where it does not exist."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain_number(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {"value": value}


def value_in_words(figure: Figure, *, share: bool = True) -> str:
    """A figure's value; a dash where it does not exist.

    Args:
        figure: the figure.
        share: whether to write it as a percentage.
    """
    if figure.value is None:
        return "–"
    return f"{figure.value * 100:.1f}{_PERCENT}" if share else f"{figure.value:.3f}"


def interval_in_words(figure: Figure, *, share: bool = True) -> str:
    """The 95 % interval of a figure; a dash where there is none.

    Args:
        figure: the figure.
        share: whether to write it as a percentage.
    """
    if figure.low is None or figure.high is None:
        return "–"
    if share:
        return f"{figure.low * 100:.1f} to {figure.high * 100:.1f}{_PERCENT}"
    return f"{figure.low:.3f} to {figure.high:.3f}"


class ClassFigures(_Section):
    """Figures of one class against the rest, 0 to 1, and its number of scans."""

    precision: Figure
    recall: Figure
    specificity: Figure
    f1: Figure
    support: int


class Confusion(_Section):
    """Counts of scans: true class by row, most probable class by column."""

    classes: tuple[TumourClass, ...]
    counts: tuple[tuple[int, ...], ...] = Field(alias="rows_true_columns_predicted")


class RocCurve(_Section):
    """Points of a ROC curve, from (0, 0) to (1, 1)."""

    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]


class ReliabilityBin(_Section):
    """Scans whose highest probability lies between ``low`` and ``high``."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


class CalibrationFigures(_Section):
    """Calibration error (0 to 1), Brier score (0 to 2), log loss (nats)."""

    expected_calibration_error: float
    brier: float
    log_loss: float


class Calibration(_Section):
    """How far probabilities can be taken at their word, before and after the temperature."""

    before: CalibrationFigures
    after: CalibrationFigures
    reliability: tuple[ReliabilityBin, ...] = ()


class FourClass(_Section):
    """The four-class test scans. ``figures`` by name, such as ``balanced_accuracy``."""

    figures: dict[str, Figure]
    per_class: dict[TumourClass, ClassFigures]
    confusion: Confusion | None
    roc_curves: dict[str, RocCurve]
    calibration: Calibration | None


class Counts(_Section):
    """What was measured on."""

    four_class_distinct_scans: dict[TumourClass, int]
    lgg_patients: int
    lgg_slices: int
    lgg_lesion_slices: int


class PredictionSets(_Section):
    """Sets of classes that cannot be ruled out: coverage promised, and found on the test scans."""

    stated_coverage: float
    coverage: float
    coverage_by_class: dict[TumourClass, float | None]
    mean_set_size: float


class Robustness(_Section):
    """The classifier on test scans that were changed in one way, 0 to 1."""

    balanced_accuracy: float | None
    agreement: float | None
    tumour_sensitivity: float | None
    tumour_specificity: float | None
    rejected: float | None


class StrangeScore(_Section):
    """How well a score tells scans from other pictures; ``rejected`` by kind of picture."""

    auroc: float | None
    good_scans_rejected: float | None
    rejected: dict[str, float | None]


class Strangers(_Section):
    """Pictures that are no readable brain MRI: their number by kind, and each score."""

    pictures: dict[str, int]
    scores: dict[str, StrangeScore]


class Shortcut(_Section):
    """What a guess from a scan's brightness alone reaches, without looking for a tumour."""

    balanced_accuracy: Figure
    tumour_auc: Figure


class ModelMetrics(_Section):
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


_Kind = TypeVar("_Kind", bound=_Section)


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
