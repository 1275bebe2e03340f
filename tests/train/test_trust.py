"""Prediction sets, robustness and the out-of-distribution measurement."""

import numpy as np
import pytest

from core.types import Scan, ScanKind

pytest.importorskip("sklearn")

from train.evaluation.conformal import coverage_report, fit_limits, prediction_sets
from train.evaluation.robustness import CHANGES, changed


def drawn(n, seed):
    """Probabilities and the truth drawn from them: perfectly calibrated."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([0.6] * 4, n)
    truth = np.array([rng.choice(4, p=row) for row in probabilities])
    return probabilities, truth


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_sets_keep_their_coverage_on_new_scans_in_every_class(coverage):
    limits = fit_limits(*drawn(20000, 1), coverage)
    report = coverage_report(*drawn(20000, 2), limits, coverage)
    assert report["coverage"] == pytest.approx(coverage, abs=0.01)
    for share in report["coverage_by_class"].values():
        assert share == pytest.approx(coverage, abs=0.02)
    assert sum(report["share_of_size"].values()) == pytest.approx(1)


def test_a_class_with_too_few_scans_is_never_ruled_out():
    probabilities, truth = np.array([[0.9, 0.1, 0, 0]] * 30), np.zeros(30, int)
    limits = fit_limits(probabilities, truth, 0.95)
    assert limits[0] == pytest.approx(0.1)
    assert (limits[1:] == 1).all()
    assert prediction_sets(np.array([[0.0, 0.0, 1.0, 0.0]]), limits).tolist() == [
        [False, True, True, True]
    ]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", CHANGES)
def test_every_change_keeps_a_scan_a_scan(name, channels):
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0, 4000, (90, 70, channels)).astype(np.float32)
    kind = ScanKind.GRAY if channels == 1 else ScanKind.COMPOSITE
    scan = Scan(pixels.copy(), kind, "PNG", 16)
    other = changed(scan, CHANGES[name], rng)
    assert other.pixels.dtype == np.float32
    assert other.pixels.shape[2] == channels
    assert np.isfinite(other.pixels).all()
    assert (other.pixels.shape != pixels.shape) or (other.pixels != pixels).any()
    assert (scan.pixels == pixels).all()
