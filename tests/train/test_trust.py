"""Prediction sets, robustness and the out-of-distribution measurement."""

import numpy as np
import pytest

from core.imaging import prepare
from core.types import Scan, ScanKind

pytest.importorskip("sklearn")
pytest.importorskip("skimage")

from train.evaluation.conformal import coverage_report, fit_limits, prediction_sets
from train.evaluation.modality import (
    Bright,
    brightness,
    class_from_brightness,
    lesion_from_brightness,
    tumours_of_one_sequence,
)
from train.evaluation.robustness import CHANGES, changed
from train.evaluation.strangers import ruined, strangers

ALONE = [f"patient {n}" for n in range(20000)]


def drawn(n, seed):
    """Probabilities and the truth drawn from them: perfectly calibrated."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([0.6] * 4, n)
    truth = np.array([rng.choice(4, p=row) for row in probabilities])
    return probabilities, truth


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_sets_keep_their_coverage_on_new_scans_in_every_class(coverage):
    limits = fit_limits(*drawn(20000, 1), ALONE, coverage)
    report = coverage_report(*drawn(20000, 2), ALONE, limits, coverage, 2)
    assert report["coverage"]["value"] == pytest.approx(coverage, abs=0.01)
    for share in report["coverage_by_class"].values():
        assert share["value"] == pytest.approx(coverage, abs=0.02)
    # Of patients with one scan each it is the same figure.
    assert report["patient_coverage"] == report["coverage"]
    assert report["patient_coverage_by_class"] == report["coverage_by_class"]
    assert sum(report["share_of_size"].values()) == pytest.approx(1)


def test_a_class_with_too_few_scans_is_never_ruled_out():
    probabilities, truth = np.array([[0.9, 0.1, 0, 0]] * 30), np.zeros(30, int)
    limits = fit_limits(probabilities, truth, ALONE[:30], 0.95)
    assert limits[0] == pytest.approx(0.1)
    assert (limits[1:] == 1).all()
    assert prediction_sets(np.array([[0.0, 0.0, 1.0, 0.0]]), limits).tolist() == [
        [False, True, True, True]
    ]


@pytest.mark.parametrize("scans", [1, 30])
def test_sets_keep_their_coverage_on_scans_of_new_patients(scans):
    """Thirty scans of a patient that are all alike say no more than one of them."""
    held = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        of_class = np.repeat(rng.uniform(0, 1, 13), scans)  # twelve patients, and a new one
        found = np.stack([of_class, 1 - of_class, 0 * of_class, 0 * of_class], 1)
        known, truth = found[:-scans], np.zeros(12 * scans, int)
        limits = fit_limits(known, truth, np.repeat(ALONE[:12], scans).tolist(), 0.8)
        held += prediction_sets(found[-1:], limits)[:, 0].tolist()
    assert np.mean(held) == pytest.approx(11 / 13, abs=0.05)  # 80 % in steps of 13


def test_coverage_is_counted_by_patient_and_by_scan():
    """Nine of ten scans of one patient are covered, and none of two others' single ones."""
    found = np.array([[0.9, 0.1, 0, 0]] * 9 + [[0.1, 0.9, 0, 0]] * 2 + [[0.5, 0.5, 0, 0]])
    found = np.concatenate([found, [[0, 0, 1.0, 0]] * 4])
    truth = np.array([0] * 12 + [2] * 4)
    owners = [*["many"] * 9, "many", "second", "third", *ALONE[:4]]
    limits = np.array([0.2, 0.05, 0.5, 0.5])
    report = coverage_report(found, truth, owners, limits, 0.8, 200)
    assert report["coverage_by_class"]["glioma"]["value"] == pytest.approx(9 / 12)
    by_patient = report["patient_coverage_by_class"]["glioma"]
    assert by_patient["value"] == pytest.approx(0.9 / 3)
    assert (by_patient["low"], by_patient["high"]) == (0, pytest.approx(0.9))
    assert report["coverage"]["value"] == pytest.approx(13 / 16)
    assert report["patient_coverage"]["value"] == pytest.approx((0.9 + 4) / 7)
    assert report["patients_by_class"] == {"glioma": 3, "no_tumor": 4}
    # The exact interval, a patient as one trial.
    assert report["patient_coverage_by_class"]["no_tumor"]["low"] == pytest.approx(0.025 ** (1 / 4))
    assert report["empty_sets"]["value"] == pytest.approx(3 / 16)


def test_a_patient_with_many_scans_weighs_as_much_as_one_with_one():
    found = np.array([[0.9, 0.1, 0, 0]] * 90 + [[p, 1 - p, 0, 0] for p in (0.2, 0.3, 0.4, 0.5)])
    owners = ["many"] * 90 + ALONE[:4]
    truth = np.zeros(94, int)
    assert fit_limits(found, truth, owners, 0.5)[0] == pytest.approx(0.6)
    assert fit_limits(found, truth, owners, 0.9)[0] == 1


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


@pytest.mark.parametrize("split", ["val", "test"])
def test_strangers_are_pictures_the_preprocessing_takes_and_the_same_each_time(split):
    kinds, again = strangers(split), strangers(split)
    assert all(len(scans) >= 3 for scans in kinds.values())
    for name, scans in kinds.items():
        for scan, same in zip(scans, again[name], strict=True):
            assert prepare(scan).image.shape == (224, 224, 3)
            assert np.array_equal(scan.pixels, same.pixels)
            assert scan.pixels.min() >= 0


def test_what_is_measured_on_test_is_not_chosen_by_on_val():
    chosen, measured = strangers("val"), strangers("test")
    for name in chosen.keys() - {"blank"}:
        assert not any(
            np.array_equal(one.pixels, other.pixels)
            for one in chosen[name]
            for other in measured[name]
        ), name


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


def pictures(power, count, rng):
    """Noise whose brightness is spread by a power, in heads of an ellipse."""
    values = rng.uniform(0, 1, (count, 40, 40)) ** power * 250
    y, x = np.mgrid[:40, :40] - 20
    heads = np.repeat((np.hypot(y / 18, x / 15) < 1)[None], count, axis=0)
    return np.repeat(values[..., None], 3, axis=3).astype(np.uint8), heads


def seen(powers, rng, count=20):
    """What the probe sees of ``count`` pictures for each class, spread by that class's power."""
    rows = np.concatenate([brightness(*pictures(power, count, rng)) for power in powers])
    truth = np.repeat(np.arange(len(powers)), count)
    return Bright(rows, truth, [str(i) for i in range(len(truth))])


def test_brightness_knows_nothing_of_places():
    rng = np.random.default_rng(0)
    images, heads = pictures(1.0, 3, rng)
    moved = images.copy()
    for image, head in zip(moved, heads, strict=True):
        image[head] = rng.permutation(image[head])
        image[~head] = 255
    assert not np.array_equal(moved, images)
    assert np.allclose(brightness(moved, heads), brightness(images, heads))
    # A head twice as large with the same brightness looks the same.
    twice = brightness(images.repeat(2, axis=1), heads.repeat(2, axis=1))
    assert np.allclose(twice, brightness(images, heads), atol=0.01)
    assert np.isfinite(brightness(images * 0, heads & False)).all()


def test_the_shortcut_is_found_where_brightness_gives_the_class_away():
    rng = np.random.default_rng(0)
    powers = (0.4, 0.7, 2.5, 1.2)
    found = class_from_brightness(seen(powers, rng), seen(powers, rng), 100)
    assert found["balanced_accuracy"]["value"] > 0.95
    assert found["tumour_auc"]["value"] > 0.95
    same = (1, 1, 1, 1)
    hidden = class_from_brightness(seen(same, rng, 40), seen(same, rng, 40), 100)
    assert hidden["balanced_accuracy"]["low"] < 0.25 < hidden["balanced_accuracy"]["high"]
    assert 0.35 < hidden["tumour_auc"]["value"] < 0.65


def test_the_shortcut_is_found_where_neither_end_of_the_brightness_is_one_class():
    """A linear probe could not tell the middle from both ends."""
    rng = np.random.default_rng(0)

    def mixed(count):
        ends = seen((0.4, 1.0, 2.5), rng, count)
        truth = np.array([0, 2, 0])[ends.truth]
        return Bright(ends.rows, truth, ends.blocks)

    assert class_from_brightness(mixed(30), mixed(20), 50)["tumour_auc"]["value"] > 0.95


def test_the_rare_class_weighs_as_much_in_the_probe():
    rng = np.random.default_rng(0)
    rare, common = seen((1.0,), rng, 10), seen((1.0,), rng, 150)
    rows = np.concatenate([rare.rows, common.rows])
    truth = np.repeat([2, 0], [10, 150])
    fitted = Bright(rows, truth, [str(i) for i in range(160)])
    fresh = seen((1.0,), rng, 60)
    tested = Bright(fresh.rows, np.repeat([2, 0], 30), fresh.blocks)
    figure = class_from_brightness(fitted, tested, 50)["tumour_auc"]
    assert 0.3 < figure["value"] < 0.7


def test_a_lesion_that_only_brightness_shows_is_found_within_a_sequence():
    rng = np.random.default_rng(0)
    told = lesion_from_brightness(seen((1.0, 1.6), rng), seen((1.0, 1.6), rng), 50)
    assert told["value"] > 0.95
    assert told["low"] <= told["value"] <= told["high"]


def test_tumours_of_one_sequence_are_told_among_themselves():
    # The second glioma's most probable class is no_tumor, but of the tumours it is glioma.
    found = np.array([[0.9, 0, 0.1, 0], [0.3, 0.1, 0.6, 0], [0, 1, 0, 0], [0, 0.9, 0, 0.1]])
    truth = np.array([0, 0, 1, 3])
    report = tumours_of_one_sequence(truth, found, list("abcd"), 50)
    assert report["scans"] == {"glioma": 2, "meningioma": 1, "pituitary": 1}
    assert report["balanced_accuracy"]["value"] == pytest.approx((1 + 1 + 0) / 3)
    assert report["balanced_accuracy_of_four"]["value"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert tumours_of_one_sequence(truth[:0], found[:0], [], 50) == {}
