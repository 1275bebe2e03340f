"""Every system of the source documents, end to end on two batches of drawn heads."""

import csv
import json
import math
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from core.errors import DataError, WeightsError
from train.data.splits import FOUR_CLASS_LIST, LGG_LIST, read_list, write_list
from train.experiments import run as running
from train.experiments import table
from train.experiments.config import load, names, shortened
from train.experiments.figures import outline_figures
from train.experiments.run import Request, run
from train.models.cnn import count_parameters
from train.models.transfer import build_classifier

FILES = (
    "config.yaml", "metrics.json", "curves.csv", "curves.png", "confusion.csv", "confusion.png",
    "predictions.csv", "environment.json", "weights.safetensors",
)  # fmt: skip
# Over 40 million weights to draw and to move.
LARGE = ("resnet101", "resnet50", "vgg16-flattened")


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def cases():
    for name in names():
        if name.startswith("cascade"):
            continue
        slow = any(body in name for body in LARGE)
        yield pytest.param(name, marks=pytest.mark.slow if slow else ())


@pytest.mark.parametrize("name", list(cases()))
def test_an_experiment_leaves_its_folder(request_for, tmp_path, name):
    folder = run(request_for(name, tmp_path))
    assert {path.name for path in folder.iterdir()} == set(FILES)
    figures, experiment = metrics(folder), load(name)
    assert set(experiment.reported) <= set(figures)
    assert sum(map(sum, figures["confusion"])) == figures["count"] == len(
        (folder / "predictions.csv").read_text().splitlines()
    ) - 1  # fmt: skip
    with (folder / "curves.csv").open() as handle:
        stages = [row["stage"] for row in csv.DictReader(handle)]
    assert stages == [str(i + 1) for i in range(len(experiment.training.stages))]
    if experiment.task == "classification":
        assert set(figures["per_class"]) == set(experiment.classes)


def test_a_frozen_body_stays_and_a_finetuned_one_moves(request_for, tmp_path):
    frozen, tuned = "detection-resnet18-frozen-flip", "detection-resnet18-finetuned-flip"
    torch.manual_seed(1)
    start = running.build(load(frozen, ["model.init=scratch", "input.side=32"])).state_dict()
    for name, changes in ((frozen, False), (tuned, True)):
        after = load_file(run(request_for(name, tmp_path)) / "weights.safetensors")
        body = [k for k in start if k.startswith("body.") and "num_batches" not in k]
        assert any(not torch.equal(start[k], after[k]) for k in body) is changes
        assert not torch.equal(start["head.0.weight"], after["head.0.weight"])


def test_the_first_document_has_sixteen_combinations():
    described = [n for n in names() if load(n).document == "000, 001"]
    assert len(described) == 16
    settings = set()
    for name in described:
        one = load(name)
        settings.add((one.model.body, one.training.stages[0].train, one.input.normalise,
                      one.input.flip))  # fmt: skip
        assert (one.training.batch_size, one.training.epochs) == (8, 30)
        assert one.training.stages[0].learning_rate == 1e-4
        layers = [i if isinstance(i, str) else "linear" for i in one.model.head]
        assert layers == ["linear", "relu", "dropout", "linear", "dropout"]  # and one more linear
    assert len(settings) == 16


def test_the_small_cnn_has_the_documents_parameters():
    network = running.build(load("types-small-cnn"))
    assert count_parameters(network) == 3_236_052
    assert sum(p.numel() for p in network.parameters()) == 3_235_892  # trainable
    assert network(torch.zeros(2, 1, 224, 224)).shape == (2, 4)


@pytest.mark.parametrize("name", ["detection-cnn", "localisation-resunet", "types-small-cnn"])
def test_the_random_split_runs_too(request_for, tmp_path, name):
    figures = metrics(run(request_for(name, tmp_path, "random")))
    assert figures["split"] == "random"


def test_the_splits_are_what_they_say(request_for, tmp_path):
    request = request_for("types-small-cnn", tmp_path)
    experiment = request.experiment()
    ours = running._parts(request, experiment, running.Team())
    blocks = [
        {ours.pack.samples[i].block for i in part} for part in (ours.fit, ours.watch, ours.test)
    ]
    assert not blocks[0] & blocks[1] and not blocks[0] & blocks[2] and not blocks[1] & blocks[2]
    theirs = running._parts(replace(request, split="random"), experiment, running.Team())
    assert sorted([*theirs.fit, *theirs.test]) == list(range(len(theirs.labels)))
    assert len(theirs.test) == round(0.2 * len(theirs.labels))
    shared = {theirs.pack.samples[i].block for i in theirs.fit}
    assert any(theirs.pack.samples[i].block in shared for i in theirs.test), "it leaks"


@pytest.fixture
def small_parts(monkeypatch):
    """The cascade's parts, at the size of the tests."""

    def small(name, changes=()):
        one = load(name)
        if one.task == "cascade":
            return load(name, ["cascade.classifier=detection-cnn", *changes])
        if name.endswith(".yaml"):
            return one
        batch = 2 if one.data.lesions_only else 4
        return load(name, [f"training.batch_size={batch}", "input.side=32", *changes])

    monkeypatch.setattr(running, "load", small)


def test_the_cascade_runs_what_it_is_made_of_and_drops_what_is_called_negative(
    request_for, tmp_path, small_parts
):
    request = replace(request_for("cascade-resnet50-resunet", tmp_path), epochs=1)
    folder = run(replace(request, init="scratch"))
    parts = [
        tmp_path / f"{name}-patient-1-epochs" for name in ("detection-cnn", "localisation-resunet")
    ]
    assert all((part / "metrics.json").is_file() for part in parts)
    figures = metrics(folder)
    assert "dice" in figures and figures["init"] == "scratch"
    assert figures["epochs"] == 2
    assert figures["planned_epochs"] == sum(metrics(part)["planned_epochs"] for part in parts) > 2
    with (folder / "predictions.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert all(r["found_pixels"] == "0" for r in rows if float(r["p_tumor"]) < 0.5)


def test_the_cascade_does_not_take_another_run_for_its_part(request_for, tmp_path, small_parts):
    request = replace(request_for("cascade-resnet50-resunet", tmp_path), epochs=1, init="scratch")
    run(request)
    part = tmp_path / "detection-cnn-patient-1-epochs"
    config = (part / "config.yaml").read_text()
    (part / "config.yaml").write_text(config.replace("side: 32", "side: 48"))
    command = "python -m train experiment detection-cnn --split patient --init scratch --epochs 1"
    with pytest.raises(ValueError, match=rf"{part} is not .*\(other: input\).*: {command}$"):
        run(request)
    (part / "config.yaml").write_text(config)
    figures = metrics(part)
    (part / "metrics.json").write_text(json.dumps(figures | {"split": "random"}))
    with pytest.raises(ValueError, match=r"\(other: split\)"):
        run(request)


def test_changes_of_a_cascade_are_made_in_its_parts(request_for, tmp_path, small_parts):
    plain = replace(request_for("cascade-resnet50-resunet", tmp_path), epochs=1, init="scratch")
    changed = replace(
        plain, out=tmp_path / "changed", changes=("training.optimizer=sgd", "data.test_share=0.5")
    )
    folder = run(changed)
    for name in ("detection-cnn", "localisation-resunet"):
        part = tmp_path / f"{name}-patient-training.optimizer=sgd-data.test_share=0.5-1-epochs"
        kept = load(str(part / "config.yaml"))
        assert (kept.training.optimizer, kept.data.test_share) == ("sgd", 0.5)
    told = {line.experiment.name: line.remark for line in table.lines(tmp_path)
            if line.source == "patient" and line.figures}  # fmt: skip
    assert "training.optimizer sgd, data.test_share 0.5" in told["cascade-resnet50-resunet"]
    again = load(str(folder / "config.yaml"))
    assert again.cascade.changes == changed.changes, "its configuration is the whole of it"
    assert again.cascade.classifier == "detection-cnn"


def test_a_change_that_does_not_fit_a_cascades_part_is_said_first(tmp_path):
    plain = Request("cascade-resnet50-resunet", "patient", tmp_path, tmp_path, tmp_path)
    own = replace(plain, changes=("cascade.classifier=detection-cnn",)).experiment()
    assert (own.cascade.classifier, own.cascade.changes) == ("detection-cnn", ())
    for change, message in (
        ("training.batch=4", r"detection-resnet50-100-epochs.yaml: training\.batch: Extra"),
        ("model.body=resnet18", "localisation-resunet.yaml: .*resunet is the body"),
        ("nothing", "reads KEY=VALUE"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(plain, changes=(change,)).experiment()


def outlines(*slices):
    """Masks of 4 x 4 pixels, each with so many of them set."""
    masks = np.zeros((len(slices), 16), bool)
    for mask, count in zip(masks, slices, strict=True):
        mask[:count] = True
    return masks.reshape(-1, 4, 4)


def test_a_patient_without_a_lesion_does_not_count_in_the_pooled_dice():
    truth, patients = outlines(4, 0, 2, 0, 0), ["a", "a", "b", "c", "d"]
    nothing = outline_figures(outlines(0, 0, 0, 0, 0), truth, patients)
    assert (nothing["dice"], nothing["intervals"]["dice"]) == (0, [0, 0])
    assert (nothing["patients"], nothing["blocks"]) == (2, 4)
    some = outline_figures(outlines(4, 4, 2, 0, 16), truth, patients)
    assert some["dice"] == pytest.approx((8 / 12 + 1) / 2)
    assert some["intervals"]["dice"] == pytest.approx([8 / 12, 1])
    assert some["slice_specificity"] == pytest.approx(1 / 3)
    healthy = outline_figures(outlines(0, 1), outlines(0, 0), ["c", "d"])
    assert healthy["patients"] == 0
    assert math.isnan(healthy["dice"]) and np.isnan(healthy["intervals"]["dice"]).all()


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


def test_a_killed_run_is_not_gone_on_from_with_another_split_or_other_pictures(
    request_for, tmp_path, monkeypatch
):  # fmt: skip
    monkeypatch.setattr("train.experiments.fit._SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    request = request_for("types-small-cnn", tmp_path, "random", epochs=2, out=tmp_path / "one")
    folder = run(request)
    assert (folder / "weights.safetensors").is_file()
    real, gone_on_from = running.Fitting.run, []

    def killed(self, after_epoch=None):
        gone_on_from.append(self._kept() is not None)

        def stop(row):
            raise Killed

        return real(self, stop)

    monkeypatch.setattr(running.Fitting, "run", killed)
    lists = tmp_path / "lists"
    four_class = read_list(request.lists / FOUR_CLASS_LIST.name)
    write_list(lists / FOUR_CLASS_LIST.name, four_class[:-1])
    patient = replace(request, split="patient")
    for one in (request, request, patient, patient, replace(patient, lists=lists)):
        with pytest.raises(Killed):
            run(one)
        assert not (folder / "weights.safetensors").exists(), "of the run before"
    assert gone_on_from == [False, True, False, True, False]


def test_a_run_does_not_remove_what_it_begins_with(request_for, tmp_path):
    folder = run(request_for("types-small-cnn", tmp_path))
    weights = folder / "weights.safetensors"
    with pytest.raises(ValueError, match="would begin with"):
        run(request_for("types-small-cnn", tmp_path, init=str(weights)))
    assert weights.is_file()


def test_a_run_starts_from_a_file(request_for, tmp_path):
    first = run(request_for("types-small-cnn", tmp_path))
    other = request_for(
        "types-small-cnn", tmp_path, out=tmp_path / "next", init=str(first / "weights.safetensors")
    )
    run(other)
    with pytest.raises(WeightsError, match="does not fit"):
        run(replace(other, name="detection-cnn", changes=("training.batch_size=4",)))


def test_a_body_starts_from_torchvisions_file(tmp_path):
    one = build_classifier("resnet18", (), 2, side=32)
    state = {**one.body.state_dict(), "fc.weight": torch.zeros(1000, 512), "fc.bias": torch.ones(1)}
    torch.save(state, tmp_path / "resnet18.pth")
    two = build_classifier("resnet18", (), 2, side=32, init=str(tmp_path / "resnet18.pth"))
    assert torch.equal(one.body.conv1.weight, two.body.conv1.weight)


def test_patients_whom_no_list_knows_are_trained_on(request_for, tmp_path):
    request = request_for("detection-cnn", tmp_path)
    lists = tmp_path / "lists"
    known = [s for s in read_list(request.lists / LGG_LIST.name) if s.block != "TCGA_train_A"]
    write_list(lists / LGG_LIST.name, known)
    parts = running._parts(replace(request, lists=lists), request.experiment(), running.Team())
    new = [i for i, s in enumerate(parts.pack.samples) if s.block == "TCGA_train_A"]
    assert len(new) == 4 and set(new) <= set(parts.fit)
    assert sorted(parts.labels[new]) == [0, 0, 1, 1]


def test_an_absent_data_set_is_said(request_for, tmp_path):
    request = request_for("detection-cnn", tmp_path)
    with pytest.raises(DataError, match="kaggle_3m holds no slices"):
        run(replace(request, root=tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.batch=4", "training.batch: Extra inputs"),
        ("training.batch_size=many", "training.batch_size: Input should be a valid integer"),
        ("nothing", "reads KEY=VALUE"),
        ("training.stages.7.epochs=1", "names no place"),
        ("data.source=oasis", "data.source: Input should be 'lgg'"),
        ("task=localisation", "resunet is the body of localisation"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        load("detection-cnn", [change])


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="known: cascade-resnet50-resunet, detection-cnn"):
        load("detection-alexnet")


def test_a_file_of_ones_own_may_name_a_base(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("base: types-small-cnn\ntraining: {batch_size: 7}\n")
    mine = load(str(path))
    assert (mine.name, mine.training.batch_size, mine.model.body) == ("mine", 7, "small_cnn")


def test_a_schedule_is_shortened_by_share():
    short = shortened(load("types-transfer-vgg16"), 6)
    assert [stage.epochs for stage in short.training.stages] == [2, 4]
    with pytest.raises(ValueError, match="at least as many epochs"):
        shortened(load("types-transfer-vgg16"), 1)


def test_the_kept_configuration_is_the_whole_of_it(request_for, tmp_path):
    request = request_for("types-small-cnn", tmp_path)
    kept = yaml.safe_load((run(request) / "config.yaml").read_text())
    assert kept["training"]["batch_size"] == 8 and kept["model"]["head"][0] == 64
    assert kept["training"]["stages"] == [{"train": "all", "epochs": 1, "learning_rate": 1e-3}]
