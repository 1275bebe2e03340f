"""What is known of the model that is served, and how it fares in this installation."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from core.errors import WeightsError
from core.inference.weights import Manifest, load_manifest
from core.services.installation import Installation, now
from core.services.model_metrics import ModelMetrics, read_metrics
from core.store import statistics
from core.store.rows import utc
from core.store.statistics import DayScores, DayVolume
from core.types import CLASSES, TumourClass

__all__ = [
    "ClassAgreement",
    "DayScores",
    "DayVolume",
    "LiveFigures",
    "ModelCard",
    "live_figures",
    "model_card",
]

_DATA_SETS = {
    "figshare": "figshare (Cheng 2017): T1-weighted slices with contrast of glioma, meningioma and "
    "pituitary tumour, each tumour outlined by radiologists.",
    "lgg": "TCGA-LGG (Buda 2019): slices of low-grade glioma before contrast, in FLAIR and with "
    "contrast, with the signal abnormality on FLAIR outlined. Most of them show no lesion.",
    "sartaj": "sartaj (Bhuvaji 2020): a public set of the four classes, largely copies of "
    "figshare.",
    "nickparvar": "nickparvar: a public set of the four classes; its tumours are largely copies of "
    "figshare.",
    "br35h": "Br35H: tumour-free slices of a public set, many of them copies of one another.",
}
_BULLET = re.compile(r"^- (.+(?:\n  .+)*)", re.MULTILINE)


@dataclass(frozen=True)
class ModelCard:
    """The model that is served.

    Attributes:
        version: identity of the weights.
        created: when they were exported, ISO 8601.
        architecture: what the two networks are, in words.
        data: what they were trained on, as the manifest has it.
        data_in_words: what is in those of the data sets that are known here, one line each.
        mirrored: whether the classifier averages a picture with its mirror image.
        split: how patients were kept apart.
        commands: how the weights were made, oldest first.
        licence: of the weights.
        temperature: by which the classifier's outputs are divided before the softmax.
        decision_threshold: tumour probability from which a tumour is suspected, 0 to 1.
        fitted_on: what temperature and threshold were chosen on.
        limits: what the model is known not to do, in words; empty where nobody wrote them down.
        metrics: what was measured of this version; None where nothing was.
        metrics_problem: why there are no metrics, in words; None where there are.
    """

    version: str
    created: str
    architecture: str
    data: str
    data_in_words: tuple[str, ...]
    mirrored: bool
    split: str
    commands: tuple[str, ...]
    licence: str
    temperature: float
    decision_threshold: float
    fitted_on: str
    limits: tuple[str, ...]
    metrics: ModelMetrics | None
    metrics_problem: str | None


@dataclass(frozen=True)
class ClassAgreement:
    """How often readers agreed where the model had given one class.

    Attributes:
        model_finding: the class.
        readings: readings of cases that the model had given it.
        agreed: of them, those that gave it too.
        low: lower end of the 95 % interval of agreed over readings, 0 to 1.
        high: its upper end.
    """

    model_finding: TumourClass
    readings: int
    agreed: int
    low: float
    high: float


@dataclass(frozen=True)
class LiveFigures:
    """How the model fares in this installation.

    Attributes:
        since: first day, UTC.
        until: last day, UTC.
        volume: a row a day, days without anything included.
        scores: tumour probabilities of the scans analysed on each day, likewise.
        readings: readings by the model's class and the reader's; of a reader who changed their
            mind about a case only the last. Pairs that did not occur are absent.
        agreement: a row a class that the model gave, in the order of the classes.
        model_versions: whose results were read.
    """

    since: date
    until: date
    volume: tuple[DayVolume, ...]
    scores: tuple[DayScores, ...]
    readings: dict[tuple[TumourClass, TumourClass], int]
    agreement: tuple[ClassAgreement, ...]
    model_versions: tuple[str, ...]


def model_card(installation: Installation) -> ModelCard:
    """What is known of the weights that an installation serves.

    Raises:
        WeightsError: there are no usable weights; the text names the file and the cure.
    """
    folder = installation.settings.weights
    manifest = load_manifest(folder)
    metrics, problem = _metrics_of(folder, manifest.model_version)
    provenance, calibration = manifest.provenance, manifest.calibration
    return ModelCard(
        version=manifest.model_version,
        created=manifest.created,
        architecture=_architecture(manifest),
        data=provenance.data,
        data_in_words=tuple(
            words for name, words in _DATA_SETS.items() if name in provenance.data.casefold()
        ),
        mirrored=manifest.classifier.mirrored,
        split=provenance.split,
        commands=tuple(provenance.commands),
        licence=provenance.licence,
        temperature=calibration.temperature,
        decision_threshold=calibration.decision_threshold,
        fitted_on=calibration.fitted_on,
        limits=_limits(folder, manifest.model_version),
        metrics=metrics,
        metrics_problem=problem,
    )


def live_figures(installation: Installation, days: int) -> LiveFigures:
    """Figures of the last days, today included and simulated cases left out.

    Args:
        installation: whose.
        days: how many, at least 1.
    """
    until = utc(now()).date()
    since = until - timedelta(days=days - 1)
    with installation.database.reading() as session:
        volume = statistics.volume_per_day(session, since, until)
        scores = statistics.scores_per_day(session, since, until)
        counts = statistics.agreement(session, _start_of(since))
    readings = Counter[tuple[TumourClass, TumourClass]]()
    for one in counts:
        readings[one.model_finding, one.finding] += one.count
    return LiveFigures(
        since=since,
        until=until,
        volume=tuple(volume),
        scores=tuple(scores),
        readings=dict(readings),
        agreement=tuple(_agreement(readings)),
        model_versions=tuple(sorted({one.model_version for one in counts})),
    )


def _agreement(readings: Counter[tuple[TumourClass, TumourClass]]) -> Iterator[ClassAgreement]:
    for name in CLASSES:
        total = sum(readings[name, said] for said in CLASSES)
        if total:
            agreed = readings[name, name]
            yield ClassAgreement(name, total, agreed, *_wilson(agreed, total))


def _wilson(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share by Wilson's score (1927): holds for few trials and at the ends."""
    z, share = 1.959964, successes / trials
    centre = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def _metrics_of(folder: Path, version: str) -> tuple[ModelMetrics | None, str | None]:
    try:
        metrics = read_metrics(folder)
    except WeightsError as error:
        return None, str(error)
    if metrics.model_version != version:
        return None, (
            f"metrics.json is of version {metrics.model_version}, but version {version} is served. "
            "Run `python -m train evaluate` again."
        )
    return metrics, None


def _architecture(manifest: Manifest) -> str:
    classifier, segmenter = manifest.classifier, manifest.segmenter
    mirrored = ", on the picture and its mirror image, averaged" if classifier.mirrored else ""
    return (
        f"Classes and heat maps: {classifier.architecture}, seen at {classifier.input_side} × "
        f"{classifier.input_side} pixels{mirrored}. Mask: {segmenter.architecture}, at "
        f"{segmenter.input_side} × {segmenter.input_side} pixels."
    )


def _limits(folder: Path, version: str) -> tuple[str, ...]:
    """The points under "Limits" of the written model card, if it is of this version."""
    try:
        card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    _, found, rest = card.partition("\n## Limits\n")
    if not found or f"`{version}`" not in card:
        return ()
    points = _BULLET.findall(rest.partition("\n## ")[0])
    return tuple(" ".join(point.replace("`", "").split()) for point in points)


def _start_of(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()
