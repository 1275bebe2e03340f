"""The training loop end to end on a tiny data set, and that a killed run loses nothing."""

import csv
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from core.inference.networks import ResUNet
from train.config import RunConfig
from train.data.pack import load_pack
from train.loop import WARM_UP_SHARE, _learning_rate, fit
from train.tasks import ClassifierTask, SegmenterTask

CONFIGS = {
    "classifier": RunConfig("classifier", "tiny", "scratch", "1x32,1x48", 24, 8, precision="fp32"),
    "segmenter": RunConfig("segmenter", "tiny", "scratch", "1x32,1x48", 12, 6, precision="fp32"),
}


class Killed(Exception):
    pass


def network(task):
    torch.manual_seed(0)
    if task == "segmenter":
        return ResUNet(widths=(4, 4, 8, 8, 8))
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip


@pytest.fixture(scope="module")
def packs(tiny_data, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return (
        load_pack(tiny_data.four_class, tiny_data.root, cache, channels=1),
        load_pack(tiny_data.lgg, tiny_data.root, cache, channels=3),
    )


def run(config, packs, folder, resume=False, killed_in=None, teacher=None):
    """Train; `killed_in` raises in that validation, counted from 1, before anything is saved."""
    if config.task == "classifier":
        task = ClassifierTask(config, *packs, teacher)
    else:
        task = SegmenterTask(config, *packs)
    real, calls = task.validate, []

    def validate(model, side):
        calls.append(side)
        if len(calls) == killed_in:
            raise Killed
        return real(model, side)

    task.validate = validate
    return fit(network(config.task), task, config, folder, resume)


def rows(folder):
    with (folder / "log.csv").open() as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("task", CONFIGS)
def test_a_run_leaves_weights_and_a_log(packs, tmp_path, task):
    run(CONFIGS[task], packs, tmp_path)
    saved = load_file(tmp_path / "weights.safetensors")
    assert saved.keys() == network(task).state_dict().keys()
    assert all(torch.isfinite(tensor.float()).all() for tensor in saved.values())
    assert [(row["epoch"], row["side"]) for row in rows(tmp_path)] == [("1", "32"), ("2", "48")]
    assert RunConfig.load(tmp_path / "config.json") == CONFIGS[task]


@pytest.mark.parametrize("task", CONFIGS)
def test_a_killed_run_resumes_to_the_same_bits(packs, tmp_path, task):
    run(CONFIGS[task], packs, tmp_path / "whole")
    with pytest.raises(Killed):
        run(CONFIGS[task], packs, tmp_path / "killed", killed_in=2)
    assert not (tmp_path / "killed" / "weights.safetensors").exists()
    run(CONFIGS[task], packs, tmp_path / "killed", resume=True)
    whole, resumed = (
        load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "killed")
    )
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    keys = [{k: v for k, v in r.items() if k != "seconds"} for r in rows(tmp_path / "whole")]
    assert keys == [
        {k: v for k, v in r.items() if k != "seconds"} for r in rows(tmp_path / "killed")
    ]


def test_another_seed_gives_another_network(packs, tmp_path):
    config = CONFIGS["classifier"]
    one = run(config, packs, tmp_path / "1").state_dict()
    two = run(replace(config, seed=2), packs, tmp_path / "2").state_dict()
    assert any(not torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("task", CONFIGS)
def test_bfloat16_trains_and_saves_float32(packs, tmp_path, task):
    run(replace(CONFIGS[task], stages="1x32", precision="bf16"), packs, tmp_path)
    saved = load_file(tmp_path / "weights.safetensors")
    assert {t.dtype for t in saved.values() if t.is_floating_point()} == {torch.float32}


def test_a_teacher_is_heard(packs, tmp_path):
    config = replace(CONFIGS["classifier"], stages="1x32")
    teacher = network("classifier").eval()
    alone = run(config, packs, tmp_path / "alone").state_dict()
    taught = run(config, packs, tmp_path / "taught", teacher=teacher).state_dict()
    assert any(not torch.equal(alone[name], taught[name]) for name in alone)


@pytest.mark.parametrize("stages", ["", "20", "axb", "2x64x3"])
def test_stages_that_do_not_read_are_refused(stages):
    with pytest.raises(ValueError, match="stages must read like"):
        replace(CONFIGS["classifier"], stages=stages).stage_list()


def test_a_run_ends_when_its_minutes_are_over(packs, tmp_path):
    config = replace(CONFIGS["classifier"], stages="500x32", minutes=0.01)
    run(config, packs, tmp_path)
    assert 1 <= len(rows(tmp_path)) < 500
    assert (tmp_path / "weights.safetensors").exists()


def test_the_time_a_killed_run_had_counts_when_it_resumes(packs, tmp_path):
    config = replace(CONFIGS["classifier"], stages="500x32", minutes=0.01)
    run(config, packs, tmp_path)
    before = len(rows(tmp_path))
    run(config, packs, tmp_path, resume=True)
    # The last checkpoint may be from just before the end: then one epoch more.
    assert len(rows(tmp_path)) <= before + 1


def test_the_learning_rate_rises_then_falls_to_a_hundredth():
    rates = [_learning_rate(share, 1.0) for share in (0.0, 0.04, WARM_UP_SHARE, 0.5, 1.0, 1.2)]
    assert rates[0] < rates[1] < rates[2] == 1.0 > rates[3] > rates[4]
    assert rates[4] == rates[5] == pytest.approx(0.01)
