"""The evaluation end to end with a fake network, and the scans it is given."""

import json
import math

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from core.config import PROJECT_ROOT
from core.errors import DataError
from core.inference import Engine

pytest.importorskip("sklearn")

from train import cli
from train.card import write_card
from train.evaluation.evaluate import LGG_CHANNELS, evaluate, write
from train.evaluation.scans import load_scans, mirror


def card_of(report, folder):
    """The model card that a report makes beside a manifest of its version."""
    manifest = json.loads((PROJECT_ROOT / "weights" / "manifest.json").read_text())
    folder = folder / "weights"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    write({**report, "model_version": manifest["model_version"]}, folder / "metrics.json")
    return write_card(folder).read_text()


def test_end_to_end(engine, tiny_data, tiny_report, tmp_path):
    data = {"four_class": tiny_data.four_class, "lgg": tiny_data.lgg, "resamples": 50}
    report = evaluate(
        engine, tiny_data.root, command="python -m train evaluate",
        pictures=tmp_path / "failures", **data,
    )  # fmt: skip
    sheets = {path.stem: cv2.imread(str(path)) for path in (tmp_path / "failures").iterdir()}
    assert sheets.keys() == {
        "meningioma-as-glioma", "pituitary-as-glioma", "four-class-masks-lesions",
        "lgg-masks-lesions",
    }  # fmt: skip
    assert sheets["meningioma-as-glioma"].shape[1] == 4 * 224
    colours = sheets["four-class-masks-lesions"].reshape(-1, 3).astype(int)
    green, red = ((colours[:, on] - colours[:, off]).max() for on, off in ((1, 2), (2, 1)))
    assert min(green, red) > 100, "an outline is missing"
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
    assert report["trust"]["prediction_sets"]["90%"]["coverage"]["value"] >= 0.5
    assert report["trust"]["out_of_distribution"]["pictures"]["blank"] == 4
    assert report["trust"]["out_of_distribution"]["application"]["rejected"]["blank"] == 1
    card = card_of(report, tmp_path)
    clean = report["trust"]["robustness"]["unchanged"]["balanced_accuracy"]
    assert f"| unchanged | 0.500 ({clean['low']:.3f} to {clean['high']:.3f}) | 1.000 |" in card
    served = report["trust"]["out_of_distribution"]["scores"]["served"]
    assert served["good_scans_rejected"]["high"] == pytest.approx(1 - 0.025 ** (1 / 8))
    assert served["auroc"]["low"] <= served["auroc"]["value"] <= served["auroc"]["high"]
    by_patient = {row["patient"]: row for row in report["four_class"]["per_patient"]}
    assert by_patient["test-meningioma-0"]["called"] == {"glioma": 2}
    assert "4 of 4 meningioma called glioma (4 slices of 2 patients)" in " ".join(card.split())
    assert "Mean Dice by the size of the true lesion" in " ".join(card.split())
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
    assert "among variants" in card
    assert "Of 0 of the distinct scans" in card
    val = json.loads((PROJECT_ROOT / "weights" / "manifest.json").read_text())["val_metrics"]
    assert f"On `val` the balanced accuracy is {val['balanced_accuracy']:.3f}." in card
    assert "the harder ones" not in card  # the fake engine's figures on test are the lower ones
    glioma = report["four_class"]["per_class_intervals"]["glioma"]["precision"]
    assert f"| glioma | 0.333 ({glioma['low']:.3f} to {glioma['high']:.3f}) |" in card
    assert "sources" not in card.split("## How the weights came about")[0]

    write(tiny_report, tmp_path / "again.json")  # measured by itself, in the same way
    one, two = (json.loads((tmp_path / f).read_text()) for f in ("metrics.json", "again.json"))
    assert one.pop("created") and two.pop("created")
    assert one == two

    metrics = json.loads((tmp_path / "weights" / "metrics.json").read_text())
    better = metrics["four_class"] | {"balanced_accuracy": {"value": 0.99}}
    write(metrics | {"four_class": better}, tmp_path / "weights" / "metrics.json")
    assert "the harder ones" in write_card(tmp_path / "weights").read_text()
    for change, match in (
        ({"split": "val"}, "is of val"),
        ({"model_version": "other"}, "other weights"),
        ({"counts": {"four_class_distinct_scans": {}}}, "earlier version"),
        ({"four_class": {"balanced_accuracy": {"value": 0.9}}}, "earlier version"),
    ):
        write(metrics | change, tmp_path / "weights" / "metrics.json")
        with pytest.raises(ValueError, match=match):
            write_card(tmp_path / "weights")


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
        "train.evaluation.evaluate.evaluate",
        lambda engine, root, split, command, pictures: {"split": split, "trust": {}},
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
