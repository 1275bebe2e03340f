"""The evaluation on cases small enough to compute by hand, and end to end with a fake network."""

import json
import math
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from core.config import PROJECT_ROOT
from core.errors import DataError
from core.inference import Engine
from core.inference.runtime import ClassifierOutput

pytest.importorskip("sklearn")

from train import cli
from train.card import write_card
from train.card_words import failures, history
from train.evaluation.bootstrap import exact_interval, intervals, resamples
from train.evaluation.classification import four_class_report, lesion_report, roc_points
from train.evaluation.evaluate import LGG_CHANNELS, evaluate, write
from train.evaluation.scans import load_scans, mirror
from train.evaluation.segmentation import masked_share, patient_report, slice_report
from train.sources import FIGURES, committed_lists


def logits_of(found, strength=5.0):
    return np.eye(4, dtype=np.float32)[np.array(found)] * strength


def masks(*sizes):
    """One 4 x 4 mask for each size, filled row by row."""
    out = np.zeros((len(sizes), 16), bool)
    for mask, size in zip(out, sizes, strict=True):
        mask[:size] = True
    return out.reshape(-1, 4, 4)


def test_resamples_hold_whole_blocks_of_every_stratum():
    blocks, strata = ["a", "a", "b", "c", "c", "c"], ["x", "x", "x", "y", "y", "y"]
    for positions in resamples(blocks, strata, 50, seed=1):
        counts = np.bincount(positions, minlength=6)
        assert counts[0] == counts[1]
        assert counts[3] == counts[4] == counts[5] == 1
        assert counts[0] + counts[2] == 2


def test_intervals_hold_the_figure_and_are_repeatable():
    values = np.random.default_rng(0).normal(size=200)
    blocks = [str(i // 5) for i in range(200)]

    def statistic(at):
        return {"mean": float(values[at].mean()), "absent": math.nan}

    first, second = intervals(statistic, blocks), intervals(statistic, blocks)
    assert first["mean"] == second["mean"]
    assert first["mean"]["value"] == pytest.approx(values.mean())
    assert first["mean"]["low"] < first["mean"]["value"] < first["mean"]["high"]
    # Forty independent blocks: close to the textbook interval of the mean.
    half = (first["mean"]["high"] - first["mean"]["low"]) / 2
    assert half == pytest.approx(1.96 * values.reshape(40, 5).mean(1).std() / 40**0.5, rel=0.15)
    assert math.isnan(first["absent"]["low"])


def test_nothing_to_resample_is_an_error():
    with pytest.raises(ValueError, match="no items"):
        intervals(lambda at: {}, [])


@pytest.mark.parametrize("trials", [1, 5, 41])
def test_the_exact_interval_is_that_of_clopper_and_pearson(trials):
    for value, right in ((0, 0), (1, trials)):
        expected = stats.binomtest(right, trials).proportion_ci(0.95, "exact")
        assert exact_interval(value, trials) == pytest.approx((expected.low, expected.high))


def test_a_proportion_at_its_edge_is_not_known_exactly():
    # Ten cases in four blocks, and five other items in a fifth.
    blocks = list("aaabbbccdd") + ["e"] * 5
    cases = np.arange(15) < 10

    def statistic(at):
        return {"all": 1.0, "none": 0.0, "auc": 1.0, "some": float((at % 2).mean())}

    proportions = dict.fromkeys(("all", "none", "some"), cases)
    figures = intervals(statistic, blocks, None, 100, proportions=proportions)
    assert figures["all"]["low"] == pytest.approx(0.025 ** (1 / 4))
    assert figures["all"]["high"] == 1
    assert (figures["none"]["low"], figures["none"]["high"]) == (
        0, pytest.approx(1 - 0.025 ** (1 / 4)),
    )  # fmt: skip
    # An AUC is no proportion, and within 0 and 1 nothing changes.
    assert figures["auc"]["low"] == 1
    assert figures["some"] == intervals(statistic, blocks, None, 100)["some"]


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


class BrightSpots:
    """Calls a scan by where its bright spot lies, and draws the spot: no network at all."""

    name = "fake"

    def classify(self, images):
        spots = self.segment(images) > 0.5
        found = np.where(spots.any((1, 2)), 0, 2)
        count = len(images)
        features = np.ones((count, 2048), np.float32)
        return ClassifierOutput(logits_of(found), features, np.zeros((count, 4, 7, 7), np.float32))

    def segment(self, images):
        # Opening leaves the spot and takes the thin rim of the head.
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (19, 19))
        bright = (images.min(axis=3) > 160).astype(np.uint8)
        spots = [cv2.morphologyEx(one, cv2.MORPH_OPEN, disc)[::2, ::2] for one in bright]
        return np.stack(spots).astype(np.float32)


@pytest.fixture
def engine():
    manifest = SimpleNamespace(
        model_version="fake-1",
        calibration=SimpleNamespace(temperature=1.0, decision_threshold=0.5),
        segmenter=SimpleNamespace(threshold=0.5, min_area_fraction=0.002),
        ood=SimpleNamespace(threshold=1.0),
    )
    features = SimpleNamespace(score=lambda values: values.mean(1))
    return Engine(manifest, BrightSpots(), features)


def card_of(report, folder):
    """The model card that a report makes beside a manifest of its version."""
    manifest = json.loads((PROJECT_ROOT / "weights" / "manifest.json").read_text())
    folder = folder / "weights"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    write({**report, "model_version": manifest["model_version"]}, folder / "metrics.json")
    return write_card(folder).read_text()


def test_end_to_end(engine, tiny_data, tmp_path):
    data = {"four_class": tiny_data.four_class, "lgg": tiny_data.lgg, "resamples": 50}
    report = evaluate(engine, tiny_data.root, command="python -m train evaluate", **data)
    assert report["counts"]["four_class_distinct_scans"] == dict.fromkeys(
        ("glioma", "meningioma", "no_tumor", "pituitary"), 4
    )
    assert report["counts"]["lgg_patients"] == 2
    # All tumours are called glioma: one of four classes and no_tumor are right.
    assert report["four_class"]["accuracy"]["value"] == 0.5
    assert report["four_class"]["tumour_sensitivity"]["value"] == 1
    assert report["four_class"]["mirror_agreement"]["value"] == 1
    assert report["four_class"]["out_of_distribution_rejected"] == 0
    assert report["segmentation"]["figshare"]["slices"] == 12
    assert report["segmentation"]["figshare"]["dice"]["value"] > 0.8
    assert report["segmentation"]["figshare"]["mirror_dice"]["value"] > 0.9
    assert report["segmentation"]["tumour_free"]["masked_share"]["value"] == 0
    assert set(report["lgg"]) == {"composite", *LGG_CHANNELS}
    assert report["lgg"]["flair"]["roc_auc"]["value"] == 1

    write(report, tmp_path / "metrics.json")
    text = (tmp_path / "metrics.json").read_text()
    assert str(tiny_data.root) not in text
    assert ".tif" not in text
    assert report["trust"]["robustness"]["unchanged"]["agreement"] == 1
    assert report["trust"]["prediction_sets"]["90%"]["coverage"] >= 0.5
    assert report["trust"]["out_of_distribution"]["pictures"]["blank"] == 4
    assert report["trust"]["out_of_distribution"]["application"]["rejected"]["blank"] == 1
    card = card_of(report, tmp_path)
    assert "| unchanged | 0.500 | 1.000 |" in card
    assert "{" not in card
    modality = report["trust"]["modality"]
    assert modality["figshare_tumours"]["scans"] == dict.fromkeys(
        ("glioma", "meningioma", "pituitary"), 4
    )
    assert modality["figshare_tumours"]["balanced_accuracy"]["value"] == pytest.approx(1 / 3)
    assert set(modality) == {
        "class_from_brightness_alone", "figshare_tumours", "lesion_from_brightness_alone",
    }  # fmt: skip
    assert set(modality["lesion_from_brightness_alone"]) == set(LGG_CHANNELS)
    exact = 0.025 ** (1 / 2)
    assert f"| tumour specificity | 1.000 ({exact:.3f} to 1.000) |" in card
    assert f"| flair | 1.000 (1.000 to 1.000) | 1.000 ({exact:.3f} to 1.000) |" in card
    assert "presumed" not in card
    assert "no commercial use" in card
    assert "picked among variants" in card
    val = json.loads((PROJECT_ROOT / "weights" / "manifest.json").read_text())["val_metrics"]
    assert f"On `val` the balanced accuracy is {val['balanced_accuracy']:.3f}." in card
    assert "the harder ones" not in card  # the fake engine's figures on test are the lower ones
    glioma = report["four_class"]["per_class_intervals"]["glioma"]["precision"]
    assert f"| glioma | 0.333 ({glioma['low']:.3f} to {glioma['high']:.3f}) |" in card
    assert "sources" not in card.split("## How the weights came about")[0]

    figure = {"value": 0.75, "low": 0.5, "high": 1.0}
    with_it = dict.fromkeys(FIGURES, figure)
    left_out = {
        "config": {"arch": "efficientnet_lite0", "stages": "4x128", "epoch_size": 1500,
                   "data": committed_lists()},
        "split": "test",
        "sources": {"br35h": {"scans": {"no_tumor": 3}, "with": with_it,
                              "without": with_it | {"tumour_auc": None}}},
    }  # fmt: skip
    (tmp_path / "weights" / "sources.json").write_text(json.dumps(left_out))
    card = write_card(tmp_path / "weights").read_text()
    shown = "0.750 (0.500 to 1.000)"
    assert f"| br35h | 3 no_tumor | without it | {shown} | none | {shown} | {shown} |" in card
    assert "efficientnet_lite0 on a short schedule (4x128 px, 1500 draws" in card
    older = {k: v for k, v in left_out["config"].items() if k != "data"}
    for change, said in (
        ({"config": older}, "was measured on other lists"),
        ({"config": older | {"data": "0123456789abcdef"}}, "was measured on other lists"),
        ({"split": "val"}, "was measured on val and not on test"),
    ):
        (tmp_path / "weights" / "sources.json").write_text(json.dumps(left_out | change))
        card = write_card(tmp_path / "weights").read_text()
        assert said in " ".join(card.split()) and "python -m train sources" in card
        assert "br35h | 3 no_tumor" not in card and "short schedule (4x128" not in card

    again = evaluate(engine, tiny_data.root, command="python -m train evaluate", **data)
    write(again, tmp_path / "again.json")
    one, two = (json.loads((tmp_path / f).read_text()) for f in ("metrics.json", "again.json"))
    assert one.pop("created") <= two.pop("created")
    assert one == two

    metrics = json.loads((tmp_path / "weights" / "metrics.json").read_text())
    better = metrics["four_class"] | {"balanced_accuracy": {"value": 0.99}}
    write(metrics | {"four_class": better}, tmp_path / "weights" / "metrics.json")
    assert "the harder ones" in write_card(tmp_path / "weights").read_text()
    for change, match in (
        ({"split": "val"}, "is of val"),
        ({"model_version": "other"}, "other weights"),
        ({"trust": {"modality": {"class_from_sequence_alone": {}}}}, "earlier version"),
    ):
        write(metrics | change, tmp_path / "weights" / "metrics.json")
        with pytest.raises(ValueError, match=match):
            write_card(tmp_path / "weights")


def measured():
    """What the sentences on failure read, with figures made up."""
    return {
        "counts": {
            "four_class_distinct_scans": {
                "glioma": 20, "meningioma": 10, "no_tumor": 8, "pituitary": 10,
            },
            "lgg_slices": 30, "lgg_lesion_slices": 10,
        },
        "four_class": {
            "confusion_matrix": {
                "rows_true_columns_predicted": [
                    [15, 2, 3, 0], [0, 9, 0, 1], [1, 0, 7, 0], [0, 0, 2, 8],
                ],
            },
            "tumour_sensitivity": {"value": 0.9}, "tumour_specificity": {"value": 0.75},
        },
        "lgg": {
            "composite": {"sensitivity": {"value": 0.8}, "specificity": {"value": 0.95}},
            "flair": {"sensitivity": {"value": None}, "specificity": {"value": 1.0}},
        },
        "segmentation": {
            "figshare": {
                "slices": 40, "missed_share": {"value": 0.1}, "dice": {"value": 0.6},
                "dice_glioma": {"value": 0.5}, "dice_pituitary": {"value": 0.7},
            },
            "lgg_composites": {
                "lesion_slices": 10, "lesion_free_slices": 20,
                "slice_missed_share": {"value": 0.2}, "lesion_free_masked_share": {"value": 0.05},
            },
        },
        "trust": {
            "robustness": {
                name: {"balanced_accuracy": value, "agreement": value, "rejected": 0.02}
                for name, value in {
                    "unchanged": 0.95, "mirrored": 0.95, "rotated by 90 degrees": 0.9,
                    "blurred": 0.5, "noise": 0.6, "JPEG": 0.7, "cropped": 0.8,
                }.items()
            },
            "out_of_distribution": {
                "pictures": {"blank": 4, "tiles shuffled": 50, "noise": 6},
                "application": {
                    "rejected": {"all": 0.6, "blank": 1.0, "tiles shuffled": 0.5, "noise": 0.5},
                },
            },
        },
    }  # fmt: skip


def test_the_failures_are_counted():
    text = " ".join(failures(measured()).split())
    for said in (
        "no_tumor: 2 of 10 pituitary, 3 of 20 glioma, 0 of 10 meningioma scans.",
        "kind: 2 of 20 glioma called meningioma, 1 of 10 meningioma called pituitary.",
        "called a tumour: 1 of 8.",
        "4 of 40 tumours are not suspected, and 2 of 8 tumour-free scans are.",
        "as composites: 2 of 10 with a lesion are not suspected, and 1 of 20 without one are.",
        "flair alone: 0 of 10",
        "4 of 40 figshare lesions get no mask that overlaps; the mean Dice is lowest for glioma,",
        "2 of 10 LGG lesion slices are missed, and 1 of 20 slices without a lesion get a mask.",
        "“blurred”: the balanced accuracy falls from 0.950 to 0.500; 50.0% of the answers change",
        "“rotated by 90 degrees”: the balanced accuracy falls from 0.950 to 0.900",
        "without a warning: 25 of 50 “tiles shuffled”, 3 of 6 “noise”.",
    ):
        assert said in text
    assert "cropped" not in text
    assert "tumour-free scans get one" not in text


CLASSIFIER, EXPORT = (
    "python -m train classifier --run runs/c",
    "python -m train export --classifier runs/c",
)
SEGMENTER = "python -m train segmenter --run runs/segmenter"


@pytest.mark.parametrize(
    ("commands", "said", "unsaid"),
    [
        (
            [f"{CLASSIFIER} --init augnet --stages 8x128", SEGMENTER, EXPORT],
            ["ResNet50 began from AugNet's weights", "from the labels alone",
             "The ResUNet began from random weights"],
            ["distillation", "earlier training"],
        ),
        (
            ["python -m train classifier --run runs/t --arch efficientnet_lite0 --init imagenet",
             f"{CLASSIFIER} --init runs/first/weights.safetensors --teacher runs/t/",
             f"{SEGMENTER} --init=weights/segmenter.safetensors", EXPORT],
            ["ResNet50 began from those of an earlier training (`runs/first/weights.safetensors`)",
             "by distillation, from the answers of a teacher (efficientnet_lite0)",
             "ResUNet began from those of an earlier training (`weights/segmenter.safetensors`)"],
            ["AugNet", "labels alone"],
        ),
        # The teacher's beginning is not the classifier's; a default is told as what it is.
        (
            ["python -m train classifier --run runs/t --init augnet",
             f"{CLASSIFIER} --teacher runs/t", SEGMENTER, EXPORT],
            ["ResNet50 began from torchvision's ImageNet weights", "a teacher (resnet50)"],
            ["AugNet"],
        ),
        (
            [f"{CLASSIFIER} --init augnet", "python -m train classifier --run runs/d --init old.pt",
             SEGMENTER, f"{SEGMENTER}2 --init runs/segmenter/weights.safetensors",
             "python -m train export --classifier runs/d --segmenter runs/segmenter2"],
            ["ResNet50 went on from what its earlier training had come to (`old.pt`), and that "
             "began from AugNet's weights",
             "ResUNet went on from what its earlier training had come to "
             "(`runs/segmenter/weights.safetensors`), and that began from random weights"],
            ["distillation"],
        ),
        (["something else"], [], ["AugNet", "distillation"]),
    ],
)  # fmt: skip
def test_the_story_of_the_weights_follows_from_their_commands(commands, said, unsaid):
    text = " ".join(history(commands).split())
    assert all(one in text for one in said), text
    assert not any(one in text for one in unsaid), text


@pytest.mark.parametrize(
    ("options", "written", "carded"),
    [
        ([], "weights/metrics.json", True),
        (["--split", "val"], "runs/evaluation/val.json", False),
        (["--split", "val", "--out", "weights/val.json"], "weights/val.json", False),
        (["--out", "weights/other.json"], "weights/other.json", False),
        (["--weights", "elsewhere"], "elsewhere/metrics.json", True),
    ],
)
def test_figures_on_val_never_take_the_place_of_those_on_test(
    options, written, carded, tmp_path, monkeypatch
):
    cards = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "data_root", lambda: tmp_path)
    monkeypatch.setattr(Engine, "load", lambda *_: None)
    monkeypatch.setattr(
        "train.evaluation.evaluate.evaluate", lambda engine, root, split, command: {"split": split}
    )
    monkeypatch.setattr("train.card.write_card", cards.append)
    result = CliRunner().invoke(cli.app, ["evaluate", *options])
    assert result.exit_code == 0, result.output
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.json")] == [written]
    assert bool(cards) is carded


@pytest.mark.parametrize("split", ["train", "guard", "nonsense"])
def test_figures_are_never_reported_on_what_was_fitted(engine, tiny_data, split):
    with pytest.raises(DataError, match="test or val"):
        evaluate(engine, tiny_data.root, split)


def test_absent_figures_are_null(tmp_path):
    write({"a": math.nan, "b": [np.float64(0.5), 1]}, tmp_path / "m.json")
    assert json.loads((tmp_path / "m.json").read_text()) == {"a": None, "b": [0.5, 1]}


def test_a_channel_alone_is_a_gray_scan(tiny_data):
    samples = tiny_data.lgg[:2]
    scans = load_scans(samples, tiny_data.root, channel=1)
    assert np.ptp(scans.images.astype(int), axis=3).max() == 0
    assert np.ptp(load_scans(samples, tiny_data.root).images.astype(int), axis=3).max() > 0
    assert scans.has_mask.all()


def test_mirroring_turns_the_picture_once(tiny_data):
    from train.data.layouts import read_scan

    scan = read_scan(tiny_data.lgg[1], tiny_data.root)
    assert np.array_equal(mirror(scan).pixels[:, ::-1], scan.pixels)
    assert np.array_equal(mirror(mirror(scan)).pixels, scan.pixels)
