"""How the classifier's answers hold when a picture is changed the way pictures get changed.

Every change is made on the uploaded picture, before the preprocessing, as a user's viewer, exporter
or scanner would have made it. The answer wanted is the one for the unchanged scan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from tqdm import tqdm

from core.imaging import prepare
from core.inference.calibration import calibrated
from core.types import CLASSES, FloatArray, Scan
from train.data.layouts import read_scan
from train.data.splits import Sample
from train.evaluation.bootstrap import RESAMPLES, Figure, intervals
from train.metrics import balanced_accuracy

if TYPE_CHECKING:
    from core.inference import Engine

NO_TUMOR = CLASSES.index("no_tumor")
BATCH = 16
CLEAN = "unchanged"

Change = Callable[[FloatArray, np.random.Generator], FloatArray]


def _blurred(pixels: FloatArray, sigma_share: float) -> FloatArray:
    sigma = sigma_share * max(pixels.shape[:2])
    return _channels(cv2.GaussianBlur(pixels, (0, 0), sigma), pixels)


def _jpeg(pixels: FloatArray, quality: int) -> FloatArray:
    top = max(float(pixels.max()), 1.0)
    coded = np.rint(pixels / top * 255).clip(0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", coded, [cv2.IMWRITE_JPEG_QUALITY, quality])
    flag = cv2.IMREAD_GRAYSCALE if pixels.shape[2] == 1 else cv2.IMREAD_COLOR
    return _channels(cv2.imdecode(data, flag).astype(np.float32) * (top / 255), pixels)


def _sampled(pixels: FloatArray, share: float) -> FloatArray:
    height, width = pixels.shape[:2]
    size = max(8, round(width * share)), max(8, round(height * share))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return _channels(small, pixels)


def _noisy(pixels: FloatArray, share: float, rng: np.random.Generator) -> FloatArray:
    # Magnitude images carry Rician noise: that of two noisy channels (Gudbjartsson, Patz 1995).
    sigma = share * float(np.percentile(pixels, 99))
    real, other = rng.normal(0, sigma, (2, *pixels.shape)).astype(np.float32)
    return np.hypot(pixels + real, other)


def _gamma(pixels: FloatArray, power: float) -> FloatArray:
    top = max(float(pixels.max()), 1e-6)
    return (np.clip(pixels, 0, None) / top) ** power * top


def _clipped(pixels: FloatArray, gain: float) -> FloatArray:
    top = float(pixels.max())
    return np.minimum(pixels * gain, top)


def _cropped(pixels: FloatArray, share: float) -> FloatArray:
    height, width = pixels.shape[:2]
    top, left = round(height * share), round(width * share)
    return pixels[top : height - top, left : width - left]


def _channels(pixels: np.ndarray, like: FloatArray) -> FloatArray:
    """OpenCV drops the last axis of a single channel; give it back."""
    return pixels.reshape(*pixels.shape[:2], like.shape[2]).astype(np.float32)


CHANGES: dict[str, Change] = {
    "mirrored": lambda p, _: p[:, ::-1],
    "rotated by 90 degrees": lambda p, _: np.rot90(p),
    "turned upside down": lambda p, _: p[::-1, ::-1],
    "brighter, clipped (gain 1.5)": lambda p, _: _clipped(p, 1.5),
    "darker middle tones (gamma 1.6)": lambda p, _: _gamma(p, 1.6),
    "lighter middle tones (gamma 0.6)": lambda p, _: _gamma(p, 0.6),
    "blurred (sigma 0.8 % of the side)": lambda p, _: _blurred(p, 0.008),
    "noise (5 % of the brightest)": lambda p, rng: _noisy(p, 0.05, rng),
    "noise (15 % of the brightest)": lambda p, rng: _noisy(p, 0.15, rng),
    "JPEG at quality 30": lambda p, _: _jpeg(p, 30),
    "sampled down to half": lambda p, _: _sampled(p, 0.5),
    "sampled down to a quarter": lambda p, _: _sampled(p, 0.25),
    "cropped by 8 % on every side": lambda p, _: _cropped(p, 0.08),
}


def changed(scan: Scan, change: Change, rng: np.random.Generator) -> Scan:
    """A scan with its pixels changed."""
    pixels = np.ascontiguousarray(change(scan.pixels, rng), dtype=np.float32)
    return replace(scan, pixels=pixels)


def robustness(
    engine: Engine, samples: Sequence[Sample], root: Path, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """Accuracy and agreement with the unchanged scan, by change.

    Args:
        engine: what is served.
        samples: one row a distinct four-class scan.
        root: the data folder.
        resamples: of the bootstrap.

    Returns:
        For each change: ``balanced_accuracy`` with its interval, ``agreement`` (share of scans with
        the same most probable class as unchanged), ``tumour_sensitivity`` and
        ``tumour_specificity`` at the decision threshold, and ``rejected`` (share called out
        of distribution).
    """
    truth = np.array([CLASSES.index(sample.label) for sample in samples])
    views: dict[str, Change] = {CLEAN: lambda p, _: p, **CHANGES}
    logits = {name: np.zeros((len(samples), len(CLASSES)), np.float32) for name in views}
    strange = {name: np.zeros(len(samples), np.float32) for name in views}
    for start in tqdm(range(0, len(samples), BATCH), desc="robustness", unit="batch"):
        part = slice(start, start + BATCH)
        scans = [read_scan(sample, root) for sample in samples[part]]
        for number, (name, change) in enumerate(views.items()):
            rng = np.random.default_rng([start, number])
            images = np.stack([prepare(changed(scan, change, rng)).image for scan in scans])
            output = engine.runtime.classify(images)
            logits[name][part], strange[name][part] = output.logits, engine.ood_scores(output)

    calibration, limit = engine.manifest.calibration, engine.manifest.ood.threshold
    clean = logits[CLEAN].argmax(axis=1)
    is_tumour = truth != NO_TUMOR
    report = {}
    for name in views:
        found = logits[name].argmax(axis=1)
        tumour = 1 - calibrated(logits[name], calibration.temperature)[:, NO_TUMOR]
        suspected = tumour >= calibration.decision_threshold
        report[name] = {
            "balanced_accuracy": _balanced(truth, found, samples, resamples),
            "agreement": float((found == clean).mean()),
            "tumour_sensitivity": _mean(suspected[is_tumour]),
            "tumour_specificity": _mean(~suspected[~is_tumour]),
            "rejected": float((strange[name] > limit).mean()),
        }
    return report


def _balanced(
    truth: np.ndarray, found: np.ndarray, samples: Sequence[Sample], resamples: int
) -> Figure:
    """Balanced accuracy; blocks are drawn within each class."""

    def statistic(at: np.ndarray) -> dict[str, float]:
        return {"it": balanced_accuracy(truth[at], found[at], len(CLASSES))}

    blocks, strata = [one.block for one in samples], [one.label for one in samples]
    return intervals(statistic, blocks, strata, resamples)["it"]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
