"""The mean of two networks: chosen on val, and told where it came from."""

import csv
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import WeightsError
from train.average import average
from train.card_words import history
from train.config import RunConfig, trained_side
from train.data.pack import load_pack
from train.models.registry import create_model
from train.provenance import provenance_of
from train.runs import train_on

CONFIG = RunConfig(
    "segmenter", "resunet", "scratch", "1x32", epoch_size=12, batch_size=6, precision="fp32"
)


@pytest.fixture(scope="module")
def packs(tiny_data, tmp_path_factory):
    cache = tmp_path_factory.mktemp("packs")
    return (
        load_pack(tiny_data.four_class, tiny_data.root, cache, channels=1),
        load_pack(tiny_data.lgg, tiny_data.root, cache, channels=3),
    )


def test_the_best_mean_on_val_is_kept_and_its_story_told(packs, tmp_path, monkeypatch):
    first, then, out = (tmp_path / name for name in ("first", "then", "mean"))
    for folder, begins in ((first, "scratch"), (then, str(first / "weights.safetensors"))):
        command = ["train", "segmenter", "--run", str(folder), "--init", begins]
        monkeypatch.setattr("sys.argv", command)
        train_on(replace(CONFIG, init=begins), *packs, folder, resume=False)
    command = ["train", "average", str(then), str(first / "weights.safetensors"), "--out", str(out)]
    monkeypatch.setattr("sys.argv", command)
    figures = {0.0: 0.1, 0.5: 0.9, 1.0: 0.4}
    asked = iter(sorted(figures))
    monkeypatch.setattr(
        "train.tasks.SegmenterTask.validate", lambda *_: {"val_dice": figures[next(asked)]}
    )
    share = average(then, first / "weights.safetensors", *packs, out, [1.0, 0.0, 0.5])
    assert share == 0.5
    one, other, mean = (load_file(folder / "weights.safetensors") for folder in (first, then, out))
    for name, value in mean.items():
        if value.dtype.is_floating_point:
            assert torch.allclose(value, (one[name] + other[name]) / 2, atol=1e-6), name
    monkeypatch.setattr("sys.argv", ["train", "export", "--segmenter", str(out)])
    commands = provenance_of(tmp_path / "gone", out).commands
    assert [line.split()[3] for line in commands] == [
        "segmenter", "segmenter", "average", "export",
    ]  # fmt: skip
    assert commands[2].endswith("# the share taken: 0.5")
    story = " ".join(history(commands).split())
    assert (
        "mean of its last training's weights and of earlier ones (share of the last: 0.5" in story
    )


def test_the_classifiers_mean_is_the_one_with_the_lowest_loss(packs, tmp_path):
    """Between a network that answers and one that answers the opposite."""
    config = RunConfig("classifier", "efficientnet_lite0", "scratch", "1x32", 16, 8)
    train_on(replace(config, learning_rate=1e-3), *packs, tmp_path / "run", resume=False)
    kept = load_file(tmp_path / "run" / "weights.safetensors")
    with (tmp_path / "run" / "log.csv").open(newline="") as handle:
        loss = float(next(csv.DictReader(handle))["val_log_loss"])
    wrong = {name: 50 * value if "classifier" in name else value for name, value in kept.items()}
    save_file(wrong, tmp_path / "wrong.safetensors")
    out = tmp_path / "mean"
    share = average(tmp_path / "run", tmp_path / "wrong.safetensors", *packs, out, [0.0, 1.0])
    assert share == 1.0 and loss < 2
    assert torch.equal(
        load_file(out / "weights.safetensors")["conv_stem.weight"], kept["conv_stem.weight"]
    )


def test_files_of_two_networks_are_refused(packs, tmp_path):
    CONFIG.save(tmp_path / "config.json")
    save_file({"a": torch.zeros(2)}, tmp_path / "weights.safetensors")
    save_file({"a": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="not of one network"):
        average(tmp_path, tmp_path / "other.safetensors", *packs, tmp_path / "out", [0.5])


@pytest.mark.parametrize("place", ["run", "other", "other/../run"])
def test_a_mean_never_takes_the_place_of_what_it_is_made_of(packs, tmp_path, place):
    for name in ("run", "other"):
        (tmp_path / name).mkdir()
        CONFIG.save(tmp_path / name / "config.json")
        save_file({"a": torch.zeros(2)}, tmp_path / name / "weights.safetensors")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    other = tmp_path / "other" / "weights.safetensors"
    with pytest.raises(ValueError, match="Give another folder"):
        average(tmp_path / "run", other, *packs, tmp_path / place, [0.5])
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_a_run_that_the_clock_ended_is_averaged_at_the_side_that_it_saw(
    packs, tmp_path, monkeypatch
):
    run, out = tmp_path / "run", tmp_path / "mean"
    for folder in (run, out):
        folder.mkdir()
    replace(CONFIG, stages="1x32,30x64", minutes=5.0).save(run / "config.json")
    (run / "log.csv").write_text("epoch,side,loss\n1,32,0.9\n")
    (run / "command.txt").write_text("train segmenter\n")
    # What another run left in the folder of the mean says nothing of it.
    (out / "log.csv").write_text("epoch,side,loss\n1,48,0.9\n")
    (out / "checkpoint.pt").write_bytes(b"another run's")
    save_file(create_model("resunet", "scratch").state_dict(), run / "weights.safetensors")
    shutil.copy(run / "weights.safetensors", tmp_path / "other.safetensors")
    sides = []
    monkeypatch.setattr(
        "train.tasks.SegmenterTask.validate",
        lambda self, model, side: sides.append(side) or {"val_dice": 0.5},
    )
    average(run, tmp_path / "other.safetensors", *packs, out, [0.5])
    assert sides == [32]
    assert trained_side(out) == 32
    assert {path.name for path in out.iterdir()} == {
        "weights.safetensors", "config.json", "command.txt", "before.txt",
    }  # fmt: skip


def test_the_side_of_a_run_is_the_last_that_it_saw(tmp_path):
    replace(CONFIG, stages="1x32,30x64").save(tmp_path / "config.json")
    assert trained_side(tmp_path) == 64
    (tmp_path / "log.csv").write_text("epoch,side,loss\n")
    assert trained_side(tmp_path) == 64
    (tmp_path / "log.csv").write_text("epoch,side,loss\n1,32,0.9\n2,32,0.8\n")
    assert trained_side(tmp_path) == 32
