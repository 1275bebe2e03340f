"""The table of runs, and the search for hyper-parameters."""

import csv
import io
import json
from dataclasses import replace

import optuna
import pytest
from safetensors.torch import save_file
from typer.testing import CliRunner

from core.config import settings
from train.cli import app
from train.data.splits import read_list, write_list
from train.experiments import report, table
from train.experiments import tune as tuning
from train.experiments.config import load, names, shortened, with_init
from train.experiments.run import build, run
from train.experiments.tune import tune


def rows(runs):
    return list(csv.DictReader(io.StringIO(table.comma_separated(runs))))


def test_without_runs_the_table_gives_the_commands_and_the_documents_figures(tmp_path):
    text = table.markdown(tmp_path)
    for name in names():
        for split in ("random", "patient"):
            assert f"not run here: `python -m train experiment {name} --split {split}`" in text
    assert "Four of the twenty are not described" in text
    of_documents = {r["experiment"]: r for r in rows(tmp_path) if r["figures_of"] == "document"}
    assert of_documents["detection-resnet50-100-epochs"]["balanced_accuracy"] == "0.9871"
    assert of_documents["detection-resnet18-finetuned-resize"]["accuracy"] == "0.96"
    # The text leaves open which of two inputs its best figure is of: it stands beside both.
    for ending in ("flip", "flip-normalise"):
        assert of_documents[f"detection-resnet50-frozen-{ending}"]["accuracy"] == "0.96"
    assert "localisation-resunet" not in of_documents
    # What it calls the average F1 is the accuracy again, and ours is another one.
    of_the_second = [r for r in of_documents.values() if r["document"] == "002"]
    assert len(of_the_second) == 4
    for row in of_the_second:
        assert float(row["f1_average"]) == pytest.approx(float(row["accuracy"]), abs=2e-4)
        assert "is a micro average" in row["remark"] and "ours is a macro average" in row["remark"]


def test_a_finished_run_stands_beside_the_documents_figure(request_for, tmp_path):
    folder = run(request_for("types-small-cnn", tmp_path))
    figures = json.loads((folder / "metrics.json").read_text())
    mine = [r for r in rows(tmp_path) if r["experiment"] == "types-small-cnn"]
    assert [r["figures_of"] for r in mine] == ["document", "random", "patient"]
    assert mine[0]["accuracy"] == "0.9" and float(mine[2]["accuracy"]) == figures["accuracy"]
    assert "**shortened**: 1 of 30 epochs" in mine[2]["remark"]
    assert "training.batch_size 8" in mine[2]["remark"] and "input.side 32" in mine[2]["remark"]
    text = table.markdown(tmp_path)
    sensitivity = figures["per_class"]["glioma"]["sensitivity"]
    row = next(r for r in text.splitlines() if r.startswith("| `types-small-cnn` | patient | glio"))
    assert f" | {100 * sensitivity:.1f} | " in row and row.endswith(f" | {mine[2]['remark']} |")


def test_other_first_weights_are_named_in_the_remark(tmp_path):
    """Those of a cascade are not in its configuration."""
    asked = {
        "detection-resnet50-frozen-flip": ("augnet", "init augnet"),
        "detection-resnet18-frozen-flip": ("imagenet", ""),
        "detection-resnet50-frozen-resize": ("runs/pre/weights.safetensors", "init pre"),
        "types-small-cnn": ("imagenet", "init imagenet"),
        "types-transfer-resnet50": ("scratch", "init scratch"),
        "cascade-resnet50-resunet": ("augnet", "init augnet"),
        "localisation-resunet": ("scratch", ""),
    }
    for name, (init, _) in asked.items():
        folder = tmp_path / name
        folder.mkdir()
        experiment = with_init(load(name), init)
        (folder / "config.yaml").write_text(report.config_text(experiment))
        figures = {"experiment": name, "split": "random", "epochs": 1, "planned_epochs": 1,
                   "count": 3, "init": init, "accuracy": 0.5}  # fmt: skip
        (folder / "metrics.json").write_text(json.dumps(figures))
    remarks = {r["experiment"]: r["remark"] for r in rows(tmp_path) if r["figures_of"] == "random"}
    for name, (_, said) in asked.items():
        changed = f"; changed: {said}" if said else ""
        assert remarks[name] == f"1 epochs{changed}; 3 pictures"


def finished(folder, name, changes=(), **figures):
    """A folder as a run of a changed configuration leaves it, as far as the table reads it."""
    experiment = load(name, changes)
    folder.mkdir()
    (folder / "config.yaml").write_text(report.config_text(experiment))
    about = {"experiment": name, "split": "random", "epochs": experiment.training.epochs,
             "planned_epochs": load(name).training.epochs, "count": 3, "accuracy": 0.5,
             "init": experiment.model.init}  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps(about | figures))


def remark(runs, name):
    return next(r["remark"] for r in rows(runs) if r["experiment"] == name and r["accuracy"]
                and r["figures_of"] == "random")  # fmt: skip


def test_the_remark_says_what_the_stages_train_and_for_how_long(tmp_path):
    frozen, two, longer = (
        "detection-resnet18-frozen-flip", "types-resnet50-whole-logsigmoid", "detection-cnn",
    )  # fmt: skip
    finished(tmp_path / "a", frozen, ["training.stages.0.train=all"])
    finished(tmp_path / "b", two, ["training.stages.0.epochs=1", "training.stages.1.epochs=29"])
    finished(tmp_path / "c", longer, epochs=160)
    assert remark(tmp_path, frozen) == "30 epochs; changed: stages train [all]; 3 pictures"
    assert remark(tmp_path, two) == "30 epochs; changed: epochs by stage [1, 29]; 3 pictures"
    assert remark(tmp_path, longer) == "**longer**: 160 epochs instead of 100; 3 pictures"


def test_the_remark_says_the_parameters_where_the_file_gives_another_number(tmp_path):
    """The small CNN's title names those of pictures of 224 px."""
    one, other = "types-small-cnn", "detection-resnet18-frozen-flip"
    finished(tmp_path / "a", one, ["input.side=112"], parameters=827_604)
    finished(tmp_path / "b", other, ["input.side=112"], parameters=11_514_690)
    told = "30 epochs; changed: input.side 112"
    size = "827,604 parameters instead of 3,236,052"
    assert remark(tmp_path, one) == f"{told}; {size}; 3 pictures"
    assert remark(tmp_path, other) == f"{told}; 3 pictures"


def test_a_search_goes_on_where_it_was_stopped_and_its_best_can_be_run(
    request_for, tmp_path
):  # fmt: skip
    request = request_for("types-small-cnn", tmp_path, epochs=2, out=tmp_path / "search")
    tune(request, 3)
    folder = tune(request, 5)
    study = optuna.load_study(
        study_name="types-small-cnn-patient", storage=f"sqlite:///{folder / 'study.db'}"
    )
    assert len(study.trials) == 5
    assert set(study.best_params) == set(load("types-small-cnn").search)
    assert (folder / "importance.png").is_file() and (folder / "trials.csv").is_file()
    best = load(str(folder / "best.yaml"))
    assert best.name == "types-small-cnn-tuned" and best.training.epochs == 30
    assert best.training.stages[0].learning_rate == pytest.approx(
        study.best_params["training.stages.0.learning_rate"]
    )
    again = request_for("types-small-cnn", tmp_path, epochs=1, out=tmp_path / "best-patient")
    run(replace(again, name=str(folder / "best.yaml")))
    assert "types-small-cnn-tuned" in table.markdown(tmp_path)
    assert best.searched.model_dump() == {"trials": 5, "split": "patient", "chosen_on": "val"}
    with pytest.raises(ValueError, match="another --out"):
        tune(request_for("types-small-cnn", tmp_path, epochs=3, out=folder), 6)
    rates = [trial.params["training.stages.0.learning_rate"] for trial in study.trials]
    assert len(set(rates)) == 5, "a search that goes on must not draw again what it drew first"


def test_a_search_on_the_test_part_is_told_in_the_table(request_for, tmp_path):
    search = request_for("types-small-cnn", tmp_path, "random", out=tmp_path / "search")
    best = tune(search, 1) / "best.yaml"
    searched = load(str(best)).searched
    assert searched.model_dump() == {"trials": 1, "split": "random", "chosen_on": "test"}
    for split in ("random", "patient"):
        own = request_for("types-small-cnn", tmp_path, split, out=tmp_path / f"best-{split}")
        run(replace(own, name=str(best)))
    told = {r["figures_of"]: r["remark"] for r in rows(tmp_path)
            if r["experiment"] == "types-small-cnn-tuned"}  # fmt: skip
    assert "; from a search of 1 trials, **chosen on these pictures**; " in told["random"]
    assert "on the random split, **chosen partly on these pictures**; " in told["patient"]
    config = tmp_path / "best-patient" / "config.yaml"
    text = config.read_text().replace("split: random", "split: patient")
    config.write_text(text.replace("chosen_on: test", "chosen_on: val"))
    told = table.markdown(tmp_path)
    assert "from a search of 1 trials, chosen on val; " in told
    assert "chosen partly" not in told


def test_the_table_says_of_how_many_patients_a_dice_is(tmp_path):
    for number, own in enumerate(({"patients": 20}, {})):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "config.yaml").write_text(report.config_text(load("localisation-resunet")))
        figures = {"experiment": "localisation-resunet", "split": "random", "epochs": 1,
                   "planned_epochs": 1, "count": 3, "dice": 0.5, "intervals": {}}  # fmt: skip
        (folder / "metrics.json").write_text(json.dumps(figures | own))
    told = [
        row["remark"]
        for row in rows(tmp_path)
        if (row["experiment"], row["figures_of"]) == ("localisation-resunet", "random")
    ]
    assert told[0] == "1 epochs; 3 pictures; Dice over 20 patients with a lesion"
    assert "**run again**" in told[1]
    assert "over the lists' blocks" in " ".join(table.markdown(tmp_path).split())


def test_a_study_is_of_one_configuration():
    study = optuna.create_study()
    one = load("types-small-cnn")

    def check(experiment):
        tuning._check_same(study, "fixed", tuning._fixed(experiment))

    check(one)
    searched = [f"{key}={rng.choices[-1] if rng.choices else rng.high}"
                for key, rng in one.search.items()]  # fmt: skip
    check(load("types-small-cnn", searched))
    with pytest.raises(ValueError, match=r"another model\.init:"):
        check(with_init(one, "mine.safetensors"))
    with pytest.raises(ValueError, match=r"another training\.stages\.0\.epochs:"):
        check(shortened(one, 2))
    with pytest.raises(ValueError, match=r"another input\.normalise:"):
        check(load("types-small-cnn", ["input.normalise=true"]))


def test_a_study_is_of_the_same_pictures_and_first_weights(request_for, tmp_path):
    init = tmp_path / "init.safetensors"
    request = request_for("types-small-cnn", tmp_path, init=str(init), out=tmp_path / "search")
    first = build(replace(request, init="scratch").experiment()).state_dict()
    save_file(first, init)
    tune(request, 1)
    tune(request, 1)
    lists = tmp_path / "lists"
    write_list(lists / "four_class.csv", read_list(request.lists / "four_class.csv")[:-1])
    with pytest.raises(ValueError, match="list of pictures:"):
        tune(replace(request, lists=lists), 1)
    save_file({name: values * 2 for name, values in first.items()}, init)
    with pytest.raises(ValueError, match="another content of the pictures or the first weights:"):
        tune(request, 1)


def test_what_has_nothing_to_search_over_says_so(request_for, tmp_path):
    with pytest.raises(ValueError, match="no section search"):
        tune(request_for("detection-cnn", tmp_path), 1)


def test_the_commands_run(request_for, tmp_path, monkeypatch):
    request = request_for("types-small-cnn", tmp_path)
    monkeypatch.setenv("NEUROTRIAGE_DATA", str(request.root))
    settings.cache_clear()
    cli = CliRunner()
    try:
        listed = cli.invoke(app, ["experiment", "--list"])
        assert all(name in listed.output for name in names())
        wrong = cli.invoke(app, ["experiment", "types-small-cnn", "--split", "by-hand"])
        assert wrong.exit_code == 2 and "known: random, patient" in wrong.output
        made = cli.invoke(app, ["table", "--runs", str(tmp_path), "--out", str(tmp_path / "t")])
        assert made.exit_code == 0 and (tmp_path / "t" / "table.csv").is_file()
    finally:
        settings.cache_clear()
