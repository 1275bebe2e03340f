"""The cascade: a classifier, then a ResUNet on what it found."""

import csv
import json
from dataclasses import replace

import pytest

from train.experiments import report, table
from train.experiments import run as running
from train.experiments.config import load
from train.experiments.run import Request, run


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture
def small_parts(monkeypatch, request):
    """The cascade's parts, at the size of the tests; its classifier, a small one if not told."""
    classifier = getattr(request, "param", "detection-cnn")

    def small(name, changes=()):
        one = load(name)
        if one.task == "cascade":
            return load(name, [f"cascade.classifier={classifier}", *changes])
        if name.endswith(".yaml"):
            return one
        batch = 2 if one.data.lesions_only else 4
        return load(name, [f"training.batch_size={batch}", "input.side=32", *changes])

    monkeypatch.setattr(running, "load", small)


OWN = load("cascade-resnet50-resunet").cascade.classifier


@pytest.mark.parametrize(
    ("small_parts", "classifier"),
    [("detection-cnn",) * 2, pytest.param(OWN, OWN, marks=pytest.mark.slow)],
    indirect=["small_parts"],
)
def test_the_cascade_runs_what_it_is_made_of_and_drops_what_is_called_negative(
    request_for, tmp_path, small_parts, classifier
):
    request = replace(request_for("cascade-resnet50-resunet", tmp_path), epochs=1)
    folder = run(replace(request, init="scratch"))
    names = (classifier, "localisation-resunet")
    parts = [path for name in names for path in tmp_path.glob(f"{name}-patient*")]
    assert len(parts) == 2
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
    command = (f"python -m train experiment detection-cnn --split patient --runs {tmp_path} "
               "--init scratch --epochs 1")  # fmt: skip
    with pytest.raises(ValueError, match=rf"{part} is not .*\(other: input\).*: {command}$"):
        run(request)
    (part / "config.yaml").write_text(config)
    figures = metrics(part)
    (part / "metrics.json").write_text(json.dumps(figures | {"split": "random"}))
    with pytest.raises(ValueError, match=r"\(other: split\)"):
        run(request)


@pytest.mark.parametrize("line", ["# split patient, pictures 0123456789abcdef", ""])
def test_the_cascade_does_not_take_a_part_that_was_trained_on_other_lists(
    request_for, tmp_path, small_parts, line
):
    """Its patients may be those of the test part."""
    request = replace(request_for("cascade-resnet50-resunet", tmp_path), epochs=1, init="scratch")
    run(request)
    config = tmp_path / "detection-cnn-patient-1-epochs" / "config.yaml"
    config.write_text("\n".join([line, *config.read_text().splitlines()[1:]]))
    with pytest.raises(ValueError, match=r"\(other: lists\)"):
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


def test_a_cascades_configuration_asks_for_the_same_parts(tmp_path):
    asked = Request("cascade-resnet50-resunet", "patient", tmp_path, tmp_path, tmp_path,
                    init="augnet", epochs=2)  # fmt: skip
    config = tmp_path / "config.yaml"
    config.write_text(report.config_text(asked.experiment()))
    again = replace(asked, name=str(config), init=None, epochs=None)
    parts, same = ([part.experiment() for part in one.parts(one.experiment())]
                   for one in (asked, again))  # fmt: skip
    assert same == parts
    assert [one.training.epochs for one in same] == [2, 2]
    assert [one.model.init for one in same] == ["augnet", "scratch"]
    assert again.folder() == asked.folder()


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
