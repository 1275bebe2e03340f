"""The mean of two networks: chosen on val, and told where it came from."""

import csv
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import WeightsError
from train.average import average
from train.card_words import history
from train.config import RunConfig
from train.data.pack import load_pack
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
    commands = provenance_of(out).commands
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
