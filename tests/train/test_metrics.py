"""Our own figures against scikit-learn, and what they say where there is nothing to measure."""

import math

import numpy as np
import pytest

from train.calibrate import MASK_THRESHOLDS, fit_mask_rule
from train.metrics import (
    balanced_accuracy,
    confusion_matrix,
    dice,
    expected_calibration_error,
    iou,
    rank_auc,
    rates,
    reliability_bins,
)

sklearn = pytest.importorskip("sklearn.metrics")


@pytest.fixture
def labels():
    rng = np.random.default_rng(3)
    return rng.integers(0, 4, 200), rng.integers(0, 4, 200)


def test_the_confusion_matrix_is_scikit_learns(labels):
    expected = sklearn.confusion_matrix(*labels, labels=range(4))
    assert np.array_equal(confusion_matrix(*labels, 4), expected)


def test_balanced_accuracy_is_scikit_learns(labels):
    expected = sklearn.balanced_accuracy_score(*labels)
    assert balanced_accuracy(*labels, 4) == pytest.approx(expected)


def test_balanced_accuracy_leaves_out_a_class_that_does_not_occur():
    truth, found = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])
    assert balanced_accuracy(truth, found, 4) == 0.75


@pytest.mark.parametrize("steps", [5, 10_000], ids=["many ties", "no ties"])
def test_the_auc_is_scikit_learns(steps):
    rng = np.random.default_rng(4)
    positive = rng.random(300) < 0.3
    score = np.round((rng.random(300) + 0.3 * positive) * steps) / steps
    assert rank_auc(positive, score) == pytest.approx(sklearn.roc_auc_score(positive, score))


@pytest.mark.parametrize("positive", [np.zeros(3, bool), np.ones(3, bool)])
def test_the_auc_of_one_kind_alone_does_not_exist(positive):
    assert math.isnan(rank_auc(positive, np.array([0.1, 0.2, 0.3])))


def test_overlaps_are_scikit_learns():
    rng = np.random.default_rng(5)
    found, truth = rng.random((2, 16, 16)) < 0.4
    assert dice(found, truth) == pytest.approx(sklearn.f1_score(truth.ravel(), found.ravel()))
    assert iou(found, truth) == pytest.approx(sklearn.jaccard_score(truth.ravel(), found.ravel()))


@pytest.mark.parametrize("overlap", [dice, iou])
def test_overlaps_of_empty_masks(overlap):
    empty, full = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    assert overlap(empty, empty) == 1
    assert overlap(empty, full) == 0
    assert overlap(full, empty) == 0


def test_rates_by_hand():
    positive = np.array([1, 1, 1, 1, 0, 0], bool)
    called = np.array([1, 1, 1, 0, 1, 0], bool)
    assert rates(positive, called) == (0.75, 0.5)


def test_rates_of_an_absent_kind_do_not_exist():
    sensitivity, specificity = rates(np.zeros(2, bool), np.array([True, False]))
    assert math.isnan(sensitivity)
    assert specificity == 0.5


def test_the_calibration_error_by_hand():
    # Two bins in use: confidence 0.95 with accuracy 0.5, and 0.65 with accuracy 1.
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.65, 0.35], [0.35, 0.65]])
    truth = np.array([0, 1, 0, 1])
    error = expected_calibration_error(probabilities, truth)
    assert error == pytest.approx(0.5 * 0.45 + 0.5 * 0.35)


def test_certain_and_right_has_no_calibration_error():
    assert expected_calibration_error(np.eye(4), np.arange(4)) == 0


def test_the_reliability_bins_add_up_to_the_calibration_error():
    rng = np.random.default_rng(6)
    probabilities = rng.dirichlet(np.ones(4), 500)
    truth = rng.integers(0, 4, 500)
    rows = reliability_bins(probabilities, truth)
    assert sum(row["count"] for row in rows) == 500
    error = sum(row["count"] / 500 * abs(row["confidence"] - row["accuracy"]) for row in rows)
    assert error == pytest.approx(expected_calibration_error(probabilities, truth))
    assert all(row["low"] <= row["confidence"] <= row["high"] for row in rows)


def test_what_the_slices_do_not_allow_is_left_out_of_the_masks_rule():
    """Slices alone, without one that is free of lesions; and a patient's, of whom one is."""
    probability = np.zeros((2, 32, 32), np.float32)
    probability[:, 4:28, 4:28] = 0.6
    probability[:, 10:22, 10:22] = 0.97
    heads, truth = np.full(2, 900.0), probability > 0.9
    alone, area = fit_mask_rule(probability, truth, np.array(["", ""]), heads)
    assert 0.6 < alone <= 0.97
    assert area == 0.008  # nothing smaller is there, and the last of equals is taken
    truth[1] = False
    probability[1] /= 2
    pooled, _ = fit_mask_rule(probability, truth, np.array(["one", "one"]), heads)
    assert 0.6 < pooled <= 0.97


def test_a_mask_threshold_over_the_middle_of_the_range_can_be_chosen():
    # A lesion at 0.97 in a halo of 0.88, alone and of a patient.
    probability = np.zeros((2, 32, 32), np.float32)
    probability[:, 4:28, 4:28] = 0.88
    probability[:, 10:22, 10:22] = 0.97
    truth = probability > 0.9
    probability = np.concatenate([probability, np.zeros((1, 32, 32), np.float32)])
    truth = np.concatenate([truth, np.zeros((1, 32, 32), bool)])
    threshold, _ = fit_mask_rule(
        probability, truth, np.array(["", "patient", "patient"]), np.full(3, 900.0)
    )
    assert 0.88 < threshold <= 0.97
    assert max(MASK_THRESHOLDS) == 0.99
