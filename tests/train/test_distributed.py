"""Two processes learn what one does; the same command line reaches Spark's workers."""

import csv
import json
import os
import pickle
import socket
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import cloudpickle  # pyspark carries its own
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from core.config import settings
from core.errors import DataError
from train.cli import app
from train.distributed import Team, run_on_spark
from train.experiments import command
from train.experiments import run as running
from train.experiments.run import Request, run

ROOT = Path(__file__).resolve().parents[2]
# What would differ between numbers of processes: dropout's draws and the norms' statistics.
EQUAL = ("training.freeze_norm=true", "model.dropout=0.0", "model.body=plain_cnn")
SCRIPT = """
import pickle, sys
from train.distributed import joined_team
from train.experiments.run import run
requests = pickle.loads(open(sys.argv[1], "rb").read())
with joined_team() as team:
    for request in requests:
        run(request, team)
"""


WORKER = """
from pathlib import Path
import cloudpickle
function, *arguments = cloudpickle.loads(Path(__file__).with_name("function").read_bytes())
function(*arguments)
"""


def curve(folder, name):
    with (folder / "curves.csv").open() as handle:
        return [float(row[name]) for row in csv.DictReader(handle)]


def run_by_torchrun(requests, tmp_path):
    (tmp_path / "requests").write_bytes(pickle.dumps(requests))
    (tmp_path / "script.py").write_text(SCRIPT)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2",
         f"--master-port={port}", str(tmp_path / "script.py"), str(tmp_path / "requests")],
        check=True, cwd=tmp_path, timeout=240,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_two_processes_give_the_loss_curve_of_one(request_for, tmp_path):
    """A head on features, then the whole network; and the outlines, whose loss is no mean."""
    runs = {
        "types-transfer-resnet50": {"changes": EQUAL, "epochs": 4},
        "localisation-resunet": {
            "changes": ("training.freeze_norm=true", "training.batch_size=4"), "epochs": 2,
        },
    }  # fmt: skip
    alone, together = (
        [request_for(name, tmp_path / place, **how) for name, how in runs.items()]
        for place in ("alone", "together")
    )
    for request in alone:
        run(request)
    run_by_torchrun(together, tmp_path)
    for one, two in zip(alone, together, strict=True):
        for name in ("loss", "watch_loss"):
            expected, found = curve(one.folder(), name), curve(two.folder(), name)
            assert len(found) == one.epochs
            assert found == pytest.approx(expected, rel=1e-4)
        mine, theirs = (load_file(r.folder() / "weights.safetensors") for r in (one, two))
        for name, tensor in mine.items():
            assert torch.allclose(tensor.float(), theirs[name].float(), atol=1e-3), name
        pictures = [(r.folder() / "predictions.csv").read_text().count("\n") for r in (one, two)]
        assert pictures[0] == pictures[1]
        environment = json.loads((two.folder() / "environment.json").read_text())
        assert environment["processes"] == 2


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_shares_of_a_team_are_the_whole(size):
    positions = np.arange(7)
    shares = [Team(rank, size).share(positions) for rank in range(size)]
    assert sorted(np.concatenate(shares)) == list(positions)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_batches_too_small_for_the_team_are_refused(request_for, tmp_path):
    request = request_for("types-small-cnn", tmp_path)
    with pytest.raises(ValueError, match="too small for 5 processes"):
        _fitting(request, Team(0, 5))._check_sizes()


def _fitting(request, team):
    experiment = request.experiment()
    parts = running._parts(request, experiment, Team())
    return running.Fitting(running.build(experiment), parts, experiment, team)


@pytest.fixture
def fake_spark(monkeypatch):
    """pyspark's TorchDistributor, which keeps what it was given."""
    kept = {}

    class TorchDistributor:
        def __init__(self, **how):
            assert "session" in kept, "the real one refuses to be made without a session"
            kept["how"] = how

        def run(self, function, *arguments):
            kept["function"], kept["arguments"] = function, arguments

    class Builder:
        def appName(self, name):
            return self

        def getOrCreate(self):
            kept["session"] = True

    modules = {name: types.ModuleType(name) for name in (
        "pyspark", "pyspark.ml", "pyspark.ml.torch", "pyspark.ml.torch.distributor", "pyspark.sql",
    )}  # fmt: skip
    modules["pyspark.ml.torch.distributor"].TorchDistributor = TorchDistributor
    modules["pyspark.sql"].SparkSession = types.SimpleNamespace(builder=Builder())
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return kept


@pytest.fixture
def without_settings():
    """Settings read anew, before and after."""
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_spark_runs_the_same_command_on_its_workers(
    request_for, tmp_path, monkeypatch, fake_spark, without_settings
):  # fmt: skip
    """As TorchDistributor does it: the function by value, loaded in a script named train.py."""
    request = request_for("types-small-cnn", tmp_path)
    monkeypatch.setenv("NEUROTRIAGE_DATA", str(request.root))
    monkeypatch.chdir(tmp_path)
    line = ["experiment", "types-small-cnn", "--split", "random", "--epochs", "3", "--init",
            "scratch", "--set", "training.batch_size=8", "--out", "here"]  # fmt: skip
    result = CliRunner().invoke(app, [*line, "--spark", "2", "--spark-gpu", "--cache", "kept"])
    assert result.exit_code == 0, result.output
    assert fake_spark["how"] == {"num_processes": 2, "local_mode": False, "use_gpu": True}
    arguments, environment, project = fake_spark["arguments"]
    assert environment["NEUROTRIAGE_DATA"] == str(request.root)
    assert arguments == [
        "experiment", "types-small-cnn", "--split", "random", "--out", str(tmp_path / "here"),
        "--cache", str(tmp_path / "kept"), "--runs", str(tmp_path / "runs" / "experiments"),
        "--init", "scratch", "--epochs", "3", "--set", "training.batch_size=8",
    ]  # fmt: skip

    (tmp_path / "job").mkdir()
    job = cloudpickle.dumps(
        (fake_spark["function"], ["experiment", "--list"], environment, project)
    )
    (tmp_path / "job" / "function").write_bytes(job)
    script = tmp_path / "job" / "train.py"
    script.write_text(WORKER)
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    answer = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        cwd="/",
        env=clean,
        check=True,
    )
    assert "types-small-cnn" in answer.stdout
    work, *rest = cloudpickle.loads(job)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", ["train.py"])
    with pytest.raises(RuntimeError, match="has failed"):
        work(["experiment", "no-such-thing"], {}, rest[-1])
    assert sys.argv[1:] == ["experiment", "no-such-thing"], "the command that the run records"


def test_a_machine_without_spark_is_told_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(DataError, match="use torchrun"):
        run_on_spark(["experiment"], 2, gpu=False, local=True)


def test_paths_are_handed_on_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.pth").touch()
    request = Request("mine.yaml", "patient", Path("data"), Path("cache"), out=Path("out"))
    arguments = command._arguments(replace(request, init="first.pth"))
    assert arguments == [
        "experiment", str(tmp_path / "mine.yaml"), "--split", "patient",
        "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache"),
        "--runs", str(tmp_path / "runs" / "experiments"), "--init", str(tmp_path / "first.pth"),
    ]  # fmt: skip
