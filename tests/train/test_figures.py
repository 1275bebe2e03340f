"""The figures of classes and masks, on cases small enough to compute by hand."""

import math

import numpy as np
import pytest

pytest.importorskip("sklearn")

from train.evaluation.calibration import error_of_a_perfect_model
from train.evaluation.classification import four_class_report, lesion_report, roc_points
from train.evaluation.patients import patient_report as answers_by_patient
from train.evaluation.segmentation import masked_share, patient_report, slice_report


def logits_of(found, strength=5.0):
    return np.eye(4, dtype=np.float32)[np.array(found)] * strength


def masks(*sizes):
    """One 4 x 4 mask for each size, filled row by row."""
    out = np.zeros((len(sizes), 16), bool)
    for mask, size in zip(out, sizes, strict=True):
        mask[:size] = True
    return out.reshape(-1, 4, 4)


def test_the_four_class_figures_by_hand():
    truth = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    found = [0, 2, 1, 0, 2, 2, 3, 3]
    mirrored = [0, 2, 1, 1, 2, 2, 3, 3]
    report = four_class_report(
        truth, logits_of(found), logits_of(mirrored), [str(i) for i in range(8)], 1.0, 0.5, 200
    )
    assert report["accuracy"]["value"] == 6 / 8
    assert report["balanced_accuracy"]["value"] == pytest.approx((0.5 + 0.5 + 1 + 1) / 4)
    assert report["tumour_sensitivity"]["value"] == pytest.approx(5 / 6)
    assert report["tumour_specificity"]["value"] == 1
    assert report["mirror_agreement"]["value"] == 7 / 8
    assert report["per_class"]["glioma"] == {
        "precision": 0.5, "recall": 0.5, "specificity": pytest.approx(5 / 6), "f1": 0.5,
        "support": 2,
    }  # fmt: skip
    assert report["confusion_matrix"]["rows_true_columns_predicted"][0] == [1, 0, 1, 0]
    for name in ("accuracy", "balanced_accuracy", "roc_auc_macro", "mirror_agreement"):
        figure = report[name]
        assert figure["low"] <= figure["value"] <= figure["high"]


def test_the_figures_of_a_class_have_intervals():
    truth = np.array([0] * 10 + [1] * 10 + [2] * 10 + [3] * 10)
    found = np.where(np.arange(40) % 10 < 2, 2, truth)
    logits = logits_of(found)
    report = four_class_report(truth, logits, logits, [str(i) for i in range(40)], 1.0, 0.5, 200)
    for name, plain in report["per_class"].items():
        for kind, figure in report["per_class_intervals"][name].items():
            assert figure["value"] == pytest.approx(plain[kind])
            assert figure["low"] <= figure["value"] <= figure["high"]
    recall = report["per_class_intervals"]["glioma"]["recall"]
    assert recall["low"] < 0.8 < recall["high"]


def test_a_class_that_is_never_predicted_has_no_precision():
    logits = logits_of([0, 0])
    report = four_class_report(np.array([0, 2]), logits, logits, ["a", "b"], 1.0, 0.5, 10)
    assert math.isnan(report["per_class_intervals"]["no_tumor"]["precision"]["value"])
    assert report["per_class_intervals"]["no_tumor"]["recall"]["value"] == 0


def test_the_threshold_counts_apart_from_the_most_probable_class():
    logits = np.log(np.array([[0.3, 0.05, 0.6, 0.05]] * 2, dtype=np.float32))
    report = four_class_report(np.array([0, 2]), logits, logits, ["a", "b"], 1.0, 0.3, 10)
    assert report["tumour_sensitivity"]["value"] == 1
    assert report["tumour_specificity"]["value"] == 0
    assert report["tumour_sensitivity_argmax"]["value"] == 0
    assert report["tumour_specificity_argmax"]["value"] == 1


def test_the_temperature_changes_the_calibration_only():
    truth, found = np.array([0, 1, 2, 3] * 5), np.array([0, 1, 2, 0] * 5)
    blocks = [str(i) for i in range(20)]
    logits = logits_of(found)
    hot = four_class_report(truth, logits, logits, blocks, 3.0, 0.5, 10)
    cold = four_class_report(truth, logits, logits, blocks, 1.0, 0.5, 10)
    assert hot["accuracy"] == cold["accuracy"]
    assert hot["calibration"]["before"] == cold["calibration"]["after"]
    assert hot["calibration"]["after"]["log_loss"] < hot["calibration"]["before"]["log_loss"]


def test_the_roc_curve_is_thinned_and_keeps_its_ends():
    rng = np.random.default_rng(0)
    positive = rng.random(3000) < 0.5
    points = roc_points(positive, rng.random(3000))
    assert len(points["false_positive_rate"]) <= 101
    assert (points["false_positive_rate"][0], points["true_positive_rate"][-1]) == (0, 1)
    assert roc_points(np.ones(3, bool), rng.random(3))["true_positive_rate"] == []


def test_the_lesion_figures_by_hand():
    lesion = np.array([True, True, True, False, False])
    logits = logits_of([0, 1, 2, 2, 0])
    report = lesion_report(lesion, logits, logits, ["a", "a", "b", "b", "b"], 1.0, 0.5, 100)
    assert report["sensitivity"]["value"] == pytest.approx(2 / 3)
    assert report["specificity"]["value"] == 0.5
    assert report["lesion_slices_called_glioma"]["value"] == pytest.approx(1 / 3)
    # Of six pairs each seen lesion wins one and ties in one, the missed one ties in one.
    assert report["roc_auc"]["value"] == pytest.approx((2 * 1.5 + 0.5) / 6, abs=1e-6)


def test_the_tumour_probability_of_slices_is_held_against_their_lesions():
    # Four said to be 0.9, of which two are; four said to be 0.1, of which none is.
    logits = np.log(np.array([[0.8, 0.1, 0.1, 0]] * 4 + [[0.1, 0, 0.9, 0]] * 4) + 1e-12)
    lesion = np.array([True, True] + [False] * 6)
    report = lesion_report(lesion, logits, logits, list("aabbccdd"), 1.0, 0.5, 100)
    figure = report["tumour_calibration_error"]
    assert figure["value"] == pytest.approx((0.4 + 0.1) / 2)
    assert figure["low"] <= figure["value"] <= figure["high"]
    low, high = report["reliability"]
    assert (low["count"], low["confidence"], low["accuracy"]) == (4, pytest.approx(0.1), 0)
    assert (high["count"], high["confidence"], high["accuracy"]) == (4, pytest.approx(0.9), 0.5)


def test_the_calibration_error_has_an_interval_and_what_chance_leaves_beside_it():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([0.6] * 4, 400)
    truth = np.array([rng.choice(4, p=one) for one in probabilities])  # perfectly calibrated
    logits = np.log(probabilities)
    report = four_class_report(truth, logits, logits, [str(i) for i in range(400)], 1.0, 0.5, 100)[
        "calibration"
    ]
    error = report["after"]["expected_calibration_error"]
    assert report["before"] == report["after"]
    assert error["low"] < error["value"] < error["high"]
    chance = report["of_a_perfect_model"]
    assert 0.01 < chance["mean"] < chance["percentile_95"] < 0.1
    assert error["value"] < 1.3 * chance["percentile_95"]
    assert chance == error_of_a_perfect_model(probabilities)
    assert error_of_a_perfect_model(np.repeat(probabilities, 16, 0), 50)["mean"] < (
        chance["mean"] / 3
    )


def test_answers_are_counted_by_patient_too():
    truth = np.array([0] * 7 + [1])
    found = np.array([0, 1, 1, 2, 0, 1, 0, 1])
    known = np.array([True] * 6 + [False, True])
    report = answers_by_patient(truth, found, list("aaaabbcd"), known, 100)
    assert report["per_patient"] == [
        {"patient": "a", "class": "glioma", "slices": 4, "right": 1,
         "called": {"meningioma": 2, "no_tumor": 1}, "most_common_wrong": "meningioma"},
        {"patient": "b", "class": "glioma", "slices": 2, "right": 1,
         "called": {"meningioma": 1}, "most_common_wrong": "meningioma"},
        {"patient": "d", "class": "meningioma", "slices": 1, "right": 1, "called": {},
         "most_common_wrong": None},
    ]  # fmt: skip
    assert report["patient_sensitivity"] == {
        "glioma": {"value": pytest.approx((0.25 + 0.5) / 2), "low": 0.25, "high": 0.5,
                   "patients": 2},
        "meningioma": {"value": 1, "low": pytest.approx(0.025), "high": 1, "patients": 1},
    }  # fmt: skip


def test_masks_are_measured_by_the_size_of_the_lesion():
    truth = masks(1, 2, 3, 4, 5, 6, 7, 8)
    found = masks(0, 0, 3, 4, 5, 6, 7, 8)
    labels, blocks = ["glioma"] * 8, list("aabbccdd")
    rows = slice_report(truth, found, np.ones(8), labels, blocks, 20)["by_size"]
    assert [(one["smallest_area"], one["largest_area"]) for one in rows] == [
        (1, 2), (3, 4), (5, 6), (7, 8),
    ]  # fmt: skip
    assert [one["dice"]["value"] for one in rows] == [0, 1, 1, 1]
    assert rows[0]["missed_share"]["value"] == 1
    assert [(one["slices"], one["patients"]) for one in rows] == [(2, 1)] * 4
    same = slice_report(masks(4, 4), masks(4, 0), np.ones(2), labels[:2], blocks[:2], 20)
    assert [one["slices"] for one in same["by_size"]] == [2]


def test_a_missed_lesion_counts_as_nothing():
    report = slice_report(
        masks(4, 4), masks(4, 0), np.array([1.0, 0.5]), ["glioma", "pituitary"], ["a", "b"], 20
    )
    assert report["dice"]["value"] == report["iou"]["value"] == 0.5
    assert report["missed_share"]["value"] == 0.5
    assert report["dice_glioma"]["value"] == 1
    assert report["dice_pituitary"]["value"] == 0
    assert report["mirror_dice"]["value"] == 0.75


def test_slices_of_a_patient_are_pooled():
    # Patient a: 8 true, 4 + 2 found, 4 + 0 shared. Patient b: a lesion found whole.
    truth, found = masks(8, 0, 4), masks(4, 2, 4)
    report = patient_report(truth, found, np.ones(3), ["a", "a", "b"], 100)
    pooled = {row["patient"]: row["pooled_dice"] for row in report["per_patient"]}
    assert pooled == {"a": pytest.approx(8 / 14), "b": 1}
    assert report["pooled_dice"]["value"] == pytest.approx((8 / 14 + 1) / 2)
    assert report["slice_dice"]["value"] == pytest.approx((8 / 12 + 1) / 2)
    assert report["lesion_free_masked_share"]["value"] == 1
    # A resample may hold patient a twice or b twice: both weights must show.
    assert report["pooled_dice"]["low"] == pytest.approx(8 / 14)
    assert report["pooled_dice"]["high"] == 1


def test_a_patient_without_a_lesion_has_no_overlap():
    report = patient_report(masks(0, 4), masks(1, 4), np.ones(2), ["a", "b"], 10)
    assert math.isnan(report["per_patient"][0]["pooled_dice"])
    assert report["pooled_dice"]["value"] == 1


def test_any_mask_on_tumour_free_scans_counts():
    report = masked_share(masks(0, 1, 0, 0), ["a", "b", "c", "d"], 10)
    assert report["masked_share"]["value"] == 0.25


def test_a_share_of_masks_at_its_edge_has_the_interval_of_its_blocks():
    alone = masked_share(masks(0, 0, 0), ["a", "a", "b"], 10)["masked_share"]
    assert alone["high"] == pytest.approx(1 - 0.025 ** (1 / 2))
    found = slice_report(masks(4, 4), masks(4, 4), np.ones(2), ["glioma"] * 2, ["a", "b"], 10)
    assert found["missed_share"]["high"] == pytest.approx(1 - 0.025 ** (1 / 2))
    assert found["dice"]["low"] == 1
    truth = masks(4, 4, 4, 0)
    report = patient_report(truth, truth, np.ones(4), list("abca"), 50)
    assert report["slice_missed_share"]["high"] == pytest.approx(1 - 0.025 ** (1 / 3))
    assert report["lesion_free_masked_share"]["high"] == pytest.approx(0.975)


def test_a_faultless_rate_has_the_interval_of_its_own_blocks():
    truth, found = np.array([0] * 6 + [2] * 6), [0] * 6 + [2] * 6
    blocks = list("aabbcc") + list("ddddee")
    logits = logits_of(found)
    report = four_class_report(truth, logits, logits, blocks, 1.0, 0.5, 50)
    of_two, of_three, of_five = (0.025 ** (1 / n) for n in (2, 3, 5))
    assert report["tumour_specificity"]["low"] == pytest.approx(of_two)
    assert report["tumour_sensitivity"]["low"] == pytest.approx(of_three)
    assert report["accuracy"]["low"] == pytest.approx(of_five)
    by_class = report["per_class_intervals"]
    assert by_class["no_tumor"]["recall"]["low"] == pytest.approx(of_two)
    assert by_class["no_tumor"]["precision"]["low"] == pytest.approx(of_two)
    assert by_class["no_tumor"]["specificity"]["low"] == pytest.approx(of_three)
    assert report["balanced_accuracy"]["low"] == 1
    lesions = lesion_report(truth == 0, logits, logits, blocks, 1.0, 0.5, 50)
    assert lesions["specificity"]["low"] == pytest.approx(of_two)
    assert lesions["sensitivity"]["low"] == pytest.approx(of_three)
