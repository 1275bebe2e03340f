"""The table of runs, and the search for hyper-parameters."""

import csv
import io
import json
from dataclasses import replace

import optuna
import pytest
from typer.testing import CliRunner

from core.config import settings
from train.cli import app
from train.experiments import table
from train.experiments.config import load, names
from train.experiments.run import run
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
    assert "detection-resnet18-finetuned-flip" not in of_documents


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
    assert f"| `types-small-cnn` | patient | glioma | {100 * sensitivity:.1f} |" in text


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
    with pytest.raises(ValueError, match="another --out"):
        tune(request_for("types-small-cnn", tmp_path, epochs=3, out=folder), 6)


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
