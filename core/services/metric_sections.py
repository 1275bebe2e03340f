"""The sections of ``metrics.json``, typed, and their figures in words."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.types import TumourClass

# A number must not part with its sign at the end of a line.
_PERCENT = "\N{NO-BREAK SPACE}%"


class Section(BaseModel):
    """A part of the file; what it has beyond the named fields is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Figure(Section):
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


def figure_in_words(figure: Figure | None, *, share: bool = True) -> str:
    """A figure's value, and its interval in brackets where it has one; a dash for none.

    Args:
        figure: the figure.
        share: whether to write it as a percentage.
    """
    if figure is None:
        return "–"
    interval = interval_in_words(figure, share=share)
    value = value_in_words(figure, share=share)
    return value if interval == "–" else f"{value} ({interval})"


class ClassFigures(Section):
    """Figures of one class against the rest, 0 to 1, and its number of scans."""

    precision: Figure
    recall: Figure
    specificity: Figure
    f1: Figure
    support: int


class Confusion(Section):
    """Counts of scans: true class by row, most probable class by column."""

    classes: tuple[TumourClass, ...]
    counts: tuple[tuple[int, ...], ...] = Field(alias="rows_true_columns_predicted")


class RocCurve(Section):
    """Points of a ROC curve, from (0, 0) to (1, 1)."""

    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]


class ReliabilityBin(Section):
    """Scans whose highest probability lies between ``low`` and ``high``."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


class CalibrationFigures(Section):
    """Calibration error (0 to 1), Brier score (0 to 2), log loss (nats)."""

    expected_calibration_error: Figure
    brier: float
    log_loss: float


class ErrorByChance(Section):
    """The calibration error of a model that is as right as it is sure, over drawn answers."""

    mean: float
    percentile_95: float


class Calibration(Section):
    """How far probabilities can be taken at their word, before and after the temperature."""

    before: CalibrationFigures
    after: CalibrationFigures
    of_a_perfect_model: ErrorByChance | None = None
    reliability: tuple[ReliabilityBin, ...] = ()


class FourClass(Section):
    """The four-class test scans. ``figures`` by name, such as ``balanced_accuracy``."""

    figures: dict[str, Figure]
    per_class: dict[TumourClass, ClassFigures]
    confusion: Confusion | None
    roc_curves: dict[str, RocCurve]
    calibration: Calibration | None


class Counts(Section):
    """What was measured on."""

    four_class_distinct_scans: dict[TumourClass, int]
    lgg_patients: int
    lgg_slices: int
    lgg_lesion_slices: int
    four_class_scans_of_no_known_patient: int | None = None


class PredictionSets(Section):
    """Sets of classes that cannot be ruled out: coverage promised, and found on the test scans.

    Promised is that of a new patient's scans: ``patient_coverage``, the mean over patients, which
    earlier files do not have. ``coverage`` counts scans.
    """

    stated_coverage: float
    coverage: Figure
    coverage_by_class: dict[TumourClass, Figure]
    mean_set_size: float
    patient_coverage: Figure | None = None
    patient_coverage_by_class: dict[TumourClass, Figure] = Field(default_factory=dict)
    empty_sets: Figure | None = None


class Robustness(Section):
    """The classifier on test scans that were changed in one way, 0 to 1."""

    balanced_accuracy: Figure
    agreement: float | None
    tumour_sensitivity: float | None
    tumour_specificity: float | None
    rejected: float | None


class StrangeScore(Section):
    """How well a score tells scans from other pictures; ``rejected`` by kind of picture."""

    auroc: Figure
    good_scans_rejected: Figure
    rejected: dict[str, float | None]


class Strangers(Section):
    """Pictures that are no readable brain MRI: their number by kind, and each score."""

    pictures: dict[str, int]
    scores: dict[str, StrangeScore]


class Shortcut(Section):
    """What a guess from a scan's brightness alone reaches, without looking for a tumour."""

    balanced_accuracy: Figure
    tumour_auc: Figure


class SourceLeftOut(Section):
    """Test scans of one source, told by networks trained ``with`` it and ``without`` it.

    Figures by name, such as ``tumour_sensitivity``; ``scans`` by class.
    """

    scans: dict[TumourClass, int]
    with_it: dict[str, Figure | None] = Field(alias="with")
    without_it: dict[str, Figure | None] = Field(alias="without")


class Spread(Section):
    """Mean and sample standard deviation of a figure over folds; None for a single fold."""

    mean: float
    sd: float | None


class Folds(Section):
    """One recipe trained anew on other cuts of the patients: each figure's spread, by name."""

    folds: tuple[dict[str, Any], ...] = Field(min_length=1)
    summary: dict[str, Spread]
