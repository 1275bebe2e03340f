"""The weights folder: how it came about, and what is fitted on val."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from core.config import settings
from core.imaging import decode
from core.inference import Engine
from core.inference.weights import load_manifest
from tests.fakes import scan_png
from train import teacher
from train.calibrate import fit_decision_threshold, fit_temperature
from train.config import RunConfig
from train.data.pack import load_pack
from train.export import calibrate, export
from train.provenance import provenance_of, write_command


def run_folder(folder, command, **options):
    folder.mkdir()
    RunConfig("classifier", "resnet50", **options).save(folder / "config.json")
    (folder / "command.txt").write_text(command + "\n")
    return folder


def test_the_commands_go_back_to_the_first_weights_and_the_first_teacher(tmp_path):
    first = run_folder(tmp_path / "first", "first", init="scratch")
    teacher = run_folder(tmp_path / "teacher", "teacher", init=str(first / "weights.safetensors"))
    student = run_folder(tmp_path / "student", "student", init="augnet", teacher=str(teacher))
    again = run_folder(
        tmp_path / "again", "again", init=str(student / "weights.safetensors"),
        teacher=str(teacher),
    )  # fmt: skip
    other = run_folder(tmp_path / "other", "other", init=str(tmp_path / "gone/weights.safetensors"))
    *steps, last = provenance_of(again, other).commands
    assert steps == ["first", "teacher", "student", "again", "other"]
    assert last.startswith("python -m train")


def test_the_commands_go_through_the_weights_that_a_run_went_on_from(tmp_path, monkeypatch):
    """And are still told when those weights were replaced by what came of it."""
    weights = tmp_path / "weights"
    shutil.copytree(settings().weights, weights)
    first = load_manifest(weights).provenance.commands
    own = [one for one in first if one.startswith("python -m train segmenter")]
    folder = tmp_path / "run"
    folder.mkdir()
    config = RunConfig("segmenter", "resunet", init=str(weights / "segmenter.safetensors"))
    config.save(folder / "config.json")
    typed = ["train", "segmenter", "--cache", "/somewhere/packs", "--seed", "6"]
    monkeypatch.setattr("sys.argv", typed)
    write_command(config, folder)
    (weights / "manifest.json").unlink()
    *steps, last = provenance_of(tmp_path / "gone", folder).commands
    assert own
    assert steps == [*own, "python -m train segmenter --seed 6"]
    assert "packs" not in last


def test_an_encoder_that_began_as_the_classifier_has_its_commands(tmp_path, monkeypatch):
    weights, folder = settings().weights, tmp_path / "run"
    commands = load_manifest(weights).provenance.commands
    folder.mkdir()
    config = RunConfig("segmenter", "resunet50", init=str(weights / "classifier.safetensors"))
    config.save(folder / "config.json")
    monkeypatch.setattr("sys.argv", ["train", "segmenter"])
    write_command(config, folder)
    *steps, own, _last = provenance_of(tmp_path / "gone", folder).commands
    assert own == "python -m train segmenter"
    assert steps == [one for one in commands if " classifier " in one or " average " in one]


def test_a_network_that_is_kept_brings_the_commands_that_made_it(tmp_path):
    weights = settings().weights
    kept = load_manifest(weights).provenance.commands
    run = run_folder(tmp_path / "run", "python -m train segmenter --run run", init="scratch")
    *steps, _last = provenance_of(weights, run).commands
    assert steps == [
        *(one for one in kept if " classifier " in one or " average " in one),
        *(one for one in kept if " export " in one),
        "python -m train segmenter --run run",
    ]


def test_a_run_that_the_clock_ended_says_what_it_came_to(tmp_path):
    run = run_folder(tmp_path / "run", "train it --minutes 5", minutes=5.0, init="scratch")
    (run / "log.csv").write_text("epoch,side,loss\n1,128,1.0\n2,128,0.9\n3,160,0.8\n")
    other = run_folder(tmp_path / "other", "train that", init="scratch")
    first, second, _ = provenance_of(run, other).commands
    assert first == "train it --minutes 5  # came to 2x128,1x160"
    assert second == "train that"


def test_the_threshold_keeps_the_sensitivity_and_is_not_above_one_half():
    tumour = np.array([0.9, 0.8, 0.4, 0.3, 0.1])
    is_tumour = np.array([True, True, True, False, False])
    assert fit_decision_threshold(tumour, is_tumour, 1.0) == pytest.approx(0.35)
    assert fit_decision_threshold(tumour, is_tumour, 0.6) == 0.5
    assert fit_decision_threshold(tumour, is_tumour, 0.6, highest=1.0) == pytest.approx(0.6)


def test_each_patient_weighs_the_same_for_the_temperature():
    """One patient's slices are called too modestly, the single ones of others too surely."""
    logits = np.array([[2.0, 0, 0, 0]] * 60 + [[4.0, 0, 0, 0]] * 60)
    truth = np.array([0] * 60 + [0, 0, 1] * 20)
    alone = [str(n) for n in range(120)]
    by_scan = fit_temperature(logits, truth, alone)
    by_patient = fit_temperature(logits, truth, ["one"] * 60 + alone[60:])
    assert by_patient > 1.5 * by_scan
    twice = fit_temperature(
        np.concatenate([logits, logits]), np.concatenate([truth, truth]), alone[:120] * 2
    )
    assert twice == pytest.approx(by_scan, rel=1e-3)


def test_temperature_and_threshold_are_fitted_anew_and_nothing_else(tiny_data, tmp_path):
    folder = tmp_path / "weights"
    shutil.copytree(settings().weights, folder)
    before = load_manifest(folder)
    kept = {file.name: file.read_bytes() for file in folder.glob("*.safetensors")}
    pack = load_pack(tiny_data.four_class, tiny_data.root, tmp_path / "cache", channels=1)
    after = calibrate(folder, pack)
    assert load_manifest(folder) == after
    assert after.model_version != before.model_version
    assert after.calibration.temperature != before.calibration.temperature
    assert "16 distinct four-class scans of 8 patients" in after.calibration.fitted_on
    assert after.provenance.commands[:-1] == before.provenance.commands
    assert after.val_metrics.keys() == before.val_metrics.keys()
    changed = {"model_version", "created", "calibration", "provenance", "val_metrics"}
    assert after.model_dump(exclude=changed) == before.model_dump(exclude=changed)
    assert {file.name: file.read_bytes() for file in folder.glob("*.safetensors")} == kept
    [one] = Engine.load(folder).analyse([decode(scan_png())])
    assert one.model_version == after.model_version


@pytest.mark.parametrize(
    ("tumours", "free", "said"),
    [
        (-8.0, 1.0, "alone would have given {alone:.3f}, which keeps 98% of its tumour scans"),
        (1.2, 8.0, "the threshold is what val alone gave: it keeps 98%"),
    ],
)
def test_the_manifest_says_what_val_alone_would_have_given(
    tiny_data, tmp_path, monkeypatch, tumours, free, said
):
    """All tumours surer than one half leave the cap of the rule; less sure ones do not."""
    folder = tmp_path / "weights"
    shutil.copytree(settings().weights, folder)
    pack = load_pack(tiny_data.four_class, tiny_data.root, tmp_path / "cache", channels=1)

    def classify(_, val):
        logits = np.zeros((len(val.samples), 4), np.float32)
        logits[:, 2] = [free if one.label == "no_tumor" else tumours for one in val.samples]
        return SimpleNamespace(logits=logits)

    monkeypatch.setattr("train.export.classify", classify)
    monkeypatch.setattr("train.export.fit_temperature", lambda *_: 1.0)
    fitted = calibrate(folder, pack).calibration
    alone = sum(3 / (3 + np.exp(logit)) for logit in (tumours, free)) / 2
    assert fitted.decision_threshold == pytest.approx(min(alone, 0.5))
    assert said.format(alone=alone) in fitted.fitted_on
    assert ("0.5 at most held" in fitted.fitted_on) == (alone > 0.5)


def test_a_teacher_is_asked_at_the_side_that_it_saw(tmp_path, monkeypatch):
    RunConfig("classifier", "efficientnet_lite0", "scratch", "1x32,30x64").save(
        tmp_path / "config.json"
    )
    (tmp_path / "log.csv").write_text("epoch,side,loss\n1,32,0.9\n")
    monkeypatch.setattr(teacher, "create_model", lambda *_: torch.nn.Identity())
    monkeypatch.setattr(teacher, "device", lambda: torch.device("cpu"))
    monkeypatch.setattr(teacher, "_compiled", lambda _, side: side)
    assert teacher.load_teacher(tmp_path) == 32


@pytest.mark.slow
def test_finished_runs_become_weights_that_are_served(tiny_data, tmp_path):
    """The classifier is kept; the segmenter is as if it had just been trained."""
    served = settings().weights
    before, run = load_manifest(served), tmp_path / "segmenter"
    run.mkdir()
    arch = before.segmenter.architecture
    RunConfig("segmenter", arch, "scratch", "1x64,30x96").save(run / "config.json")
    (run / "log.csv").write_text("epoch,side,loss\n1,64,0.9\n")  # the clock ended it there
    (run / "command.txt").write_text("train segmenter\n")
    shutil.copy(served / "segmenter.safetensors", run / "weights.safetensors")
    packs = (
        load_pack(tiny_data.four_class, tiny_data.root, tmp_path / "cache", channels=1),
        load_pack(tiny_data.lgg, tiny_data.root, tmp_path / "cache", channels=3),
    )
    out = tmp_path / "weights"
    manifest = export(served, run, *packs, out, side=64)
    *steps, own, _last = manifest.provenance.commands
    assert own == "train segmenter"
    assert steps[0] == before.provenance.commands[0]
    assert manifest.classifier.weights == before.classifier.weights
    assert (manifest.classifier.input_side, manifest.segmenter.input_side) == (64, 64)
    for runtime in ("openvino", "torch"):
        [one] = Engine.load(out, runtime).analyse([decode(scan_png())])
        assert one.model_version == manifest.model_version
