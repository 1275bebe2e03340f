"""The training loop end to end on a tiny data set, and that a killed run loses nothing."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from typer.testing import CliRunner

from core.errors import DataError
from core.inference.networks import ResUNet
from train import runs
from train.cli import app
from train.config import RunConfig
from train.data.pack import Pack, load_pack
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
        # No narrower: the gradients of a 1x1 convolution with stride 2 are written past their end
        # by oneDNN where it has fewer channels than a vector has numbers (oneDNN issue 6035).
        return ResUNet(widths=(16, 16, 16, 16, 16))
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


def test_a_fresh_start_leaves_nothing_of_the_run_before(packs, tmp_path):
    """Killed in its first epoch, it must not be taken for the run before, nor go on from it."""
    config = CONFIGS["classifier"]
    run(config, packs, tmp_path)
    with pytest.raises(Killed):
        run(replace(config, seed=2), packs, tmp_path, killed_in=1)
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.json", "command.txt", "before.txt",
    }  # fmt: skip
    run(replace(config, seed=2), packs, tmp_path, resume=True)
    run(replace(config, seed=2), packs, tmp_path / "whole")
    found, whole = (
        load_file(place / "weights.safetensors") for place in (tmp_path, tmp_path / "whole")
    )
    assert all(torch.equal(found[name], whole[name]) for name in whole)


def test_a_wrong_resume_is_refused_and_changes_nothing(packs, tmp_path):
    config = CONFIGS["classifier"]
    run(config, packs, tmp_path)
    (tmp_path / "command.txt").write_text("as it was")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=r"other options than the ones given \(seed, data\)"):
        run(replace(config, seed=2, data="other lists"), packs, tmp_path, resume=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_finished_weights_without_a_checkpoint_are_not_replaced_by_a_resume(packs, tmp_path):
    run(CONFIGS["classifier"], packs, tmp_path)
    (tmp_path / "checkpoint.pt").unlink()
    with pytest.raises(ValueError, match="no checkpoint to go on from"):
        run(CONFIGS["classifier"], packs, tmp_path, resume=True)
    assert (tmp_path / "weights.safetensors").exists()


def test_a_run_does_not_remove_what_it_begins_with(packs, tmp_path):
    config = CONFIGS["classifier"]
    run(config, packs, tmp_path)
    weights = tmp_path / "weights.safetensors"
    for changed in (replace(config, init=str(weights)), replace(config, teacher=str(tmp_path))):
        with pytest.raises(ValueError, match="would begin with"):
            run(changed, packs, tmp_path)
    assert weights.exists()


def test_a_run_is_identified_by_its_lists_and_by_the_files_it_begins_with(packs, tmp_path):
    config, (four_class, lgg) = CONFIGS["classifier"], packs
    one = runs.identified(config, *packs)
    assert one.data and not one.files and runs.identified(config, *packs) == one
    for change in ({"label": "pituitary"}, {"split": "guard"}, {"path": "other.jpg"}):
        samples = (replace(four_class.samples[0], **change), *four_class.samples[1:])
        other = Pack(samples, four_class.images, four_class.masks, four_class.has_mask)
        assert runs.identified(config, other, lgg).data != one.data, change
    (tmp_path / "weights.safetensors").write_bytes(b"first")
    begun = replace(config, teacher=str(tmp_path))
    first = runs.identified(begun, *packs)
    (tmp_path / "weights.safetensors").write_bytes(b"second")
    second = runs.identified(begun, *packs)
    assert first.data == second.data == one.data and first.files != second.files
    with pytest.raises(DataError, match="cannot be read"):
        runs.identified(replace(config, init=str(tmp_path / "none")), *packs)


def test_a_folder_from_before_the_fingerprints_is_gone_on_from_by_its_options(
    packs, tmp_path, monkeypatch
):  # fmt: skip
    config = replace(CONFIGS["classifier"], arch="efficientnet_lite0", stages="1x32")
    monkeypatch.setattr(runs, "load_packs", lambda root, cache: packs)

    def train(config, folder, resume):
        return runs.train(config, tmp_path, tmp_path, folder, resume)

    train(config, tmp_path / "run", False)
    kept = tmp_path / "run" / "config.json"
    values = json.loads(kept.read_text())
    assert values.pop("data") and values.pop("files") == ""
    train(config, tmp_path / "run", True)
    four_class, lgg = packs
    fewer = (four_class.subset(np.arange(4, len(four_class.samples))), lgg)
    with monkeypatch.context() as other:
        other.setattr(runs, "load_packs", lambda root, cache: fewer)
        with pytest.raises(ValueError, match=r"\(data\)"):
            train(config, tmp_path / "run", True)
    kept.write_text(json.dumps(values))
    train(config, tmp_path / "run", True)
    with pytest.raises(ValueError, match=r"\(seed\)"):
        train(replace(config, seed=2), tmp_path / "run", True)


@pytest.mark.parametrize("command", ["classifier", "segmenter", "sources", "folds", "tune"])
def test_what_does_not_share_its_work_refuses_several_processes(monkeypatch, tmp_path, command):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.chdir(tmp_path)
    name = ["types-small-cnn"] if command == "tune" else []
    result = CliRunner().invoke(app, [command, *name])
    assert result.exit_code == 2
    assert "one process" in result.output and not list(tmp_path.iterdir())


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


def test_a_mixed_draw_is_learnt_as_both_classes(packs, monkeypatch):
    config = replace(CONFIGS["classifier"], mix=1.0)
    seen = []

    def distillation(logits, labels, *others):
        seen.append(labels)
        return logits.sum()

    monkeypatch.setattr("train.tasks.distillation", distillation)
    batch = (torch.rand(4, 3, 32, 32), torch.arange(4))
    ClassifierTask(config, *packs).loss(network("classifier"), batch, torch.Generator())
    (shares,) = seen
    assert shares.shape == (4, 4) and torch.allclose(shares.sum(1), torch.ones(4))
    assert (shares.max(1).values < 1).any()
