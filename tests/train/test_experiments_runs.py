"""Run folders of experiments: whose they are, and how a killed run goes on."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from train.data.splits import FOUR_CLASS_LIST, read_list, write_list
from train.experiments import report, table
from train.experiments import run as running
from train.experiments.config import load
from train.experiments.run import Request, run


def test_resized_pictures_are_of_one_data_folder(request_for, tmp_path):
    request = request_for("types-small-cnn", tmp_path)
    request = replace(request, cache=tmp_path / "cache")
    parts = running._parts(request, request.experiment(), running.Team())
    shutil.copytree(request.root, tmp_path / "other")
    other = replace(request, root=tmp_path / "other")
    image = other.root / "sartaj" / parts.pack.samples[0].path
    assert cv2.imwrite(str(image), np.full((80, 80), 250, np.uint8))
    theirs = running._parts(other, other.experiment(), running.Team())
    assert theirs.pack.images[0].min() > 240 > parts.pack.images[0].min()


def test_what_differs_from_the_file_is_part_of_the_folders_name(request_for, tmp_path):
    plain = Request("types-small-cnn", "patient", tmp_path, tmp_path, tmp_path)
    own = load(plain.name)

    def name(**changes):
        return replace(plain, **changes).folder().name

    assert name() == "types-small-cnn-patient"
    assert name(epochs=own.training.epochs, init=own.model.init) == name()
    assert name(epochs=2) == "types-small-cnn-patient-2-epochs"
    assert name(epochs=2, init="runs/pre/body.pth") == "types-small-cnn-patient-2-epochs-body"
    assert name(init="runs/pre/weights.safetensors") == "types-small-cnn-patient-pre"
    assert name(changes=("input.side=32",), epochs=3).endswith("-input.side=32-3-epochs")
    assert name(name="cascade-resnet50-resunet", init="augnet").endswith("-patient-augnet")
    assert name(name="detection-resnet50-frozen-flip", init="imagenet").endswith("-patient")


def test_a_runs_configuration_is_run_again_as_that_run(request_for, tmp_path):
    plain = Request("types-small-cnn", "patient", tmp_path, tmp_path, tmp_path)
    config = tmp_path / "config.yaml"
    for asked in (plain, replace(plain, epochs=2), replace(plain, epochs=2, init="pre/body.pth")):
        config.write_text(report.config_text(asked.experiment()))
        assert replace(plain, name=str(config)).folder() == asked.folder()
    short = request_for("types-small-cnn", tmp_path)
    config.write_text(report.config_text(short.experiment()))
    run(replace(short, name=str(config), changes=(), epochs=None, init=None))
    told = [line.remark for line in table.lines(tmp_path) if line.intervals]
    assert [remark.split("; ")[0] for remark in told] == ["**shortened**: 1 of 30 epochs"]


def test_a_run_is_the_same_when_it_is_run_again(request_for, tmp_path):
    results = []
    for again in ("one", "two"):
        request = request_for("detection-resnet18-frozen-flip", tmp_path, out=tmp_path / again)
        results.append(load_file(run(request) / "weights.safetensors"))
    assert all(torch.equal(results[0][k], results[1][k]) for k in results[0])


class Killed(Exception):
    pass


@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_a_killed_run_goes_on_to_the_same_weights(request_for, tmp_path, monkeypatch, killed_after):
    """In the first stage, between the two, in the second."""
    monkeypatch.setattr("train.experiments.fit._SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    changes = ["model.body=plain_cnn", "training.adaptive={patience: 0}"]
    request = request_for("types-transfer-resnet50", tmp_path, changes=changes, epochs=None)
    request = replace(request, changes=(*request.changes, "training.stages.0.epochs=2",
                                        "training.stages.1.epochs=2"))  # fmt: skip
    whole = load_file(run(replace(request, out=tmp_path / "whole")) / "weights.safetensors")
    real = running.Fitting.run

    def killed(self, after_epoch=None):
        def stop(row):
            if row["epoch"] == killed_after:
                raise Killed

        return real(self, stop)

    monkeypatch.setattr(running.Fitting, "run", killed)
    with pytest.raises(Killed):
        run(replace(request, out=tmp_path / "killed"))
    assert not (tmp_path / "killed" / "metrics.json").exists()
    monkeypatch.setattr(running.Fitting, "run", real)
    folder = run(replace(request, out=tmp_path / "killed"))
    resumed = load_file(folder / "weights.safetensors")
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)
    assert len((folder / "curves.csv").read_text().splitlines()) == 5


@pytest.fixture
def gone_on_from(monkeypatch):
    """Of every run whether there was something to go on from; each is killed after an epoch."""
    monkeypatch.setattr("train.experiments.fit._SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    real, answers = running.Fitting.run, []

    def killed(self, after_epoch=None):
        answers.append(self._kept() is not None)

        def stop(row):
            raise Killed

        return real(self, stop)

    def begin():
        monkeypatch.setattr(running.Fitting, "run", killed)
        return answers

    return begin


def test_a_killed_run_is_not_gone_on_from_with_another_split_or_other_pictures(
    request_for, tmp_path, gone_on_from
):  # fmt: skip
    request = request_for("types-small-cnn", tmp_path, "random", epochs=2, out=tmp_path / "one")
    folder = run(request)
    assert (folder / "weights.safetensors").is_file()
    answers, lists = gone_on_from(), tmp_path / "lists"
    four_class = read_list(request.lists / FOUR_CLASS_LIST.name)
    write_list(lists / FOUR_CLASS_LIST.name, four_class[:-1])
    patient = replace(request, split="patient")
    for one in (request, request, patient, patient, replace(patient, lists=lists)):
        with pytest.raises(Killed):
            run(one)
        assert not (folder / "weights.safetensors").exists(), "of the run before"
    assert answers == [False, True, False, True, False]


def test_a_killed_run_is_not_gone_on_from_with_other_contents_of_its_files(
    request_for, tmp_path, gone_on_from
):
    init, root = tmp_path / "init.safetensors", tmp_path / "data"
    shutil.copytree(request_for("types-small-cnn", tmp_path).root, root)
    request = request_for("types-small-cnn", tmp_path, epochs=2, init=str(init))
    request = replace(request, root=root, cache=tmp_path / "cache")
    first = running.build(replace(request, init="scratch").experiment()).state_dict()
    save_file(first, init)
    answers = gone_on_from()

    def killed():
        with pytest.raises(Killed):
            run(request)

    killed()
    killed()
    save_file({name: values * 2 for name, values in first.items()}, init)
    killed()
    image = next((root / "sartaj").rglob("*.jpg"))
    assert cv2.imwrite(str(image), np.full((80, 80), 250, np.uint8))
    killed()
    assert answers == [False, True, False, False]


def test_a_finished_run_of_another_configuration_is_not_lost(request_for, tmp_path):
    request = request_for("types-small-cnn", tmp_path)
    folder = run(request)
    before = (folder / "metrics.json").read_text()
    for other, named in (
        (replace(request, changes=(*request.changes, "training.batch_size=4")), "training"),
        (replace(request, split="random"), "split"),
    ):
        with pytest.raises(ValueError, match=rf"{folder} holds .*\(other: {named}\).*--out"):
            run(other)
    assert (folder / "metrics.json").read_text() == before
    run(request)  # the same is done again


def test_a_run_does_not_remove_what_it_begins_with(request_for, tmp_path):
    folder = run(request_for("types-small-cnn", tmp_path))
    weights = folder / "weights.safetensors"
    with pytest.raises(ValueError, match="would begin with"):
        run(request_for("types-small-cnn", tmp_path, init=str(weights)))
    assert weights.is_file()
