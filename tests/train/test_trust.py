"""Prediction sets, robustness and the out-of-distribution measurement."""

import numpy as np
import pytest

from core.imaging import prepare
from core.types import Scan, ScanKind

pytest.importorskip("sklearn")
pytest.importorskip("skimage")

from train.evaluation.conformal import coverage_report, fit_limits, prediction_sets
from train.evaluation.modality import brightness, fit_sequence_probe, shortcut_report
from train.evaluation.robustness import CHANGES, changed
from train.evaluation.strangers import ruined, strangers


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


def test_strangers_are_pictures_the_preprocessing_takes_and_the_same_each_time():
    kinds, again = strangers(), strangers()
    assert all(len(scans) >= 4 for scans in kinds.values())
    for name, scans in kinds.items():
        for scan, same in zip(scans, again[name], strict=True):
            assert prepare(scan).image.shape == (224, 224, 3)
            assert np.array_equal(scan.pixels, same.pixels)
            assert scan.pixels.min() >= 0


def test_a_ruined_scan_keeps_its_values_but_not_its_look():
    pixels = np.random.default_rng(0).uniform(0, 200, (100, 82, 1)).astype(np.float32)
    scan = Scan(pixels, ScanKind.GRAY, "PNG", 8)
    damaged = ruined(scan, np.random.default_rng(1))
    assert len(damaged) == 4
    for other in damaged.values():
        assert other.pixels.max() <= pixels.max() + 1e-3
        assert other.pixels.shape != pixels.shape or not np.allclose(other.pixels, pixels)
    shuffled = damaged["tiles shuffled"].pixels
    assert np.array_equal(np.sort(shuffled, axis=None), np.sort(pixels[:100, :80], axis=None))


def test_the_shortcut_is_found_where_the_sequence_gives_the_class_away():
    rng = np.random.default_rng(0)

    def heads(sequence, count):
        """Pictures whose brightness distribution depends on the sequence alone."""
        power = (0.4, 1.0, 2.5)[sequence]
        values = rng.uniform(0, 1, (count, 40, 40)) ** power * 250
        return brightness(
            np.repeat(values[..., None], 3, axis=3).astype(np.uint8), np.ones((count, 40, 40), bool)
        )

    probe = fit_sequence_probe([heads(s, 30) for s in range(3)])
    unseen = [heads(s, 20) for s in range(3)]
    truth = np.repeat([0, 1, 2, 3], 20)
    chance = np.repeat([0.9, 0.9, 0.1, 0.9], 20)

    def report(sequences):
        rows = np.concatenate([heads(s, 20) for s in sequences])
        return shortcut_report(probe, unseen, (rows, truth), (rows, truth), chance, 0.5)

    given_away, hidden = report([0, 0, 1, 2]), report([2, 2, 2, 2])
    assert given_away["sequence_probe_balanced_accuracy_on_lgg"] > 0.95
    assert given_away["class_from_sequence_alone"]["tumour_auc"] > 0.95
    assert hidden["class_from_sequence_alone"]["tumour_auc"] < 0.75
    within = hidden["classifier_within_presumed_sequence"]["t1_contrast"]
    assert (within["tumour_scans"], within["tumour_free_scans"]) == (60, 20)
    assert within["tumour_auc"] == 1
