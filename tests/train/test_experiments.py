"""Every system of the source documents, end to end on two batches of drawn heads."""

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from core.errors import DataError, WeightsError
from train.data.splits import LGG_LIST, read_list, write_list
from train.experiments import run as running
from train.experiments.config import load, names, shortened
from train.experiments.figures import outline_figures
from train.experiments.run import run
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


def test_a_run_starts_from_a_file(request_for, tmp_path):
    first = run(request_for("types-small-cnn", tmp_path))
    other = request_for(
        "types-small-cnn", tmp_path, out=tmp_path / "next", init=str(first / "weights.safetensors")
    )
    run(other)
    with pytest.raises(WeightsError, match="does not fit"):
        run(replace(other, name="detection-cnn", changes=("training.batch_size=4",),
                    out=tmp_path / "misfit"))  # fmt: skip


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


def test_a_slice_that_no_list_knows_is_on_its_patients_side(request_for, tmp_path):
    request = request_for("detection-cnn", tmp_path)
    lists = tmp_path / "lists"
    left_out = {f"kaggle_3m/TCGA_{p}_A/TCGA_{p}_A_1.tif": p for p in ("train", "val", "test")}
    known = [s for s in read_list(request.lists / LGG_LIST.name) if s.path not in left_out]
    write_list(lists / LGG_LIST.name, known)
    parts = running._parts(replace(request, lists=lists), request.experiment(), running.Team())
    place = {parts.pack.samples[i].path: i for i in range(len(parts.pack.samples))}
    for path, split in left_out.items():
        sides = {"train": parts.fit, "val": parts.watch, "test": parts.test}
        assert [name for name, side in sides.items() if place[path] in side] == [split]


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
