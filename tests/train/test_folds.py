"""Folds of patients: nothing on two sides, everything tested once, figures with their spread."""

import json
from collections import Counter, defaultdict
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from core.errors import DataError
from train import folds, repeats, runs
from train.cli import app
from train.config import RunConfig
from train.data.pack import load_pack
from train.data.splits import FOUR_CLASS_LIST, LGG_LIST, Sample, read_list

FIVE = 5


@pytest.fixture(scope="module")
def committed():
    return read_list(FOUR_CLASS_LIST) + read_list(LGG_LIST)


def test_each_block_is_tested_once_and_what_has_no_place_never(committed):
    cuts = folds.fold_splits(committed, FIVE)
    said = defaultdict(Counter)
    for cut in cuts:
        for block, split in cut.items():
            said[block][split] += 1
    assert set(said) == {sample.block for sample in committed}
    for block, counts in said.items():
        expected = {"guard": FIVE} if "unplaced" in block else {"test": 1}
        assert {split: counts[split] for split in expected} == expected
        assert sum(counts.values()) == FIVE


def test_no_scan_and_no_patient_is_on_two_sides(committed):
    for cut in folds.fold_splits(committed, FIVE):
        for key in ("group", "block"):
            sides = defaultdict(set)
            for sample in committed:
                sides[getattr(sample, key)].add(cut[sample.block])
            assert all(len(one) == 1 for one in sides.values()), key


def test_figshare_patients_near_a_cut_are_on_no_side_but_the_tested_one(committed):
    for cut in folds.fold_splits(committed, FIVE):
        for batch in ("m", "g1", "g2", "p1", "p2"):
            split_at = {
                int(s.block.rsplit("-", 1)[1]): cut[s.block]
                for s in committed
                if s.block.startswith(f"figshare-{batch}-")
            }
            for number, split in split_at.items():
                around = {split_at.get(number + d, split) for d in range(-3, 4)}
                assert split == "guard" or around <= {split, "guard"}


def test_every_class_is_in_every_part(committed):
    for cut in folds.fold_splits(committed, FIVE):
        scans = {(s.group, s.label, cut[s.block]) for s in committed if s.dataset != "lgg"}
        counts = Counter((split, label) for _, label, split in scans)
        for label in ("glioma", "meningioma", "pituitary", "no_tumor"):
            assert counts["test", label] > 0.12 * counts["train", label]
            assert counts["val", label] > 0.12 * counts["train", label]


def test_the_cut_depends_neither_on_the_order_of_the_list_nor_on_copies(committed):
    assert folds.fold_splits(committed[::-1], FIVE) == folds.fold_splits(committed, FIVE)


def test_two_folds_leave_nothing_to_learn_from(committed):
    with pytest.raises(ValueError, match="three"):
        folds.fold_splits(committed, 2)


@pytest.fixture(scope="module")
def packs(tiny_data, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return (
        load_pack(tiny_data.four_class, tiny_data.root, cache, channels=1),
        load_pack(tiny_data.lgg, tiny_data.root, cache, channels=3),
    )


@pytest.mark.parametrize(
    ("task", "arch", "figures"),
    [
        ("classifier", "efficientnet_lite0", {"balanced_accuracy", "lgg_lesion_auc"}),
        ("segmenter", "resunet", {"figshare_dice", "lgg_dice"}),
    ],
)
def test_each_fold_is_trained_and_measured(packs, tmp_path, task, arch, figures):
    config = RunConfig(
        task, arch, init="scratch", stages="1x32", epoch_size=8, batch_size=4, precision="fp32"
    )
    report = folds.train_folds(config, *packs, tmp_path, folds=3)
    assert json.loads((tmp_path / folds.REPORT).read_text()) == report
    assert [one["fold"] for one in report["folds"]] == [1, 2, 3]
    assert figures <= set(report["summary"])
    for name, one in report["summary"].items():
        values = [fold["figures"][name] for fold in report["folds"]]
        assert all(0 <= value <= 1 for value in values)
        assert one["mean"] == pytest.approx(sum(values) / 3)
    table = folds.markdown(report)
    assert table.count("\n") == 7
    assert table.startswith(f"{arch}, init scratch, 1 epochs (1x32), 3 of 3 folds\n")
    assert "mean ± standard deviation" in table.splitlines()[-1]
    # What was trained is taken as it lies.
    kept = [tmp_path / "fold-2" / name for name in ("log.csv", "weights.safetensors")]
    before = [path.read_bytes() for path in kept]
    again = folds.train_folds(config, *packs, tmp_path, folds=3, only=[2])
    assert [path.read_bytes() for path in kept] == before
    assert again == report


SMALL = RunConfig(
    "classifier", "efficientnet_lite0", init="scratch", stages="1x32", epoch_size=8, batch_size=4,
    precision="fp32",
)  # fmt: skip


def test_folds_one_by_one_add_up_to_a_report(packs, tmp_path):
    one = folds.train_folds(SMALL, *packs, tmp_path, folds=3, only=[3])
    assert {s["sd"] for s in one["summary"].values()} == {None}
    assert "± – |" in folds.markdown(one).splitlines()[-1]
    both = folds.train_folds(SMALL, *packs, tmp_path, folds=3, only=[1])
    assert [fold["fold"] for fold in both["folds"]] == [1, 3]
    assert both["folds"][1] == one["folds"][0]
    assert all(s["sd"] is not None for s in both["summary"].values())
    assert both["config"]["epochs"] == 1 and both["config"]["folds"] == 3


def test_networks_that_have_seen_the_test_blocks_are_not_taken(packs, tmp_path):
    """Neither those of another cut nor those of other lists; nor is their report added to."""
    folds.train_folds(SMALL, *packs, tmp_path, folds=3, only=[1])
    for change in ({"folds": 4}, {"folds": 3, "config": replace(SMALL, seed=2)}):
        how = {"config": SMALL, "only": [1]} | change
        with pytest.raises(ValueError, match="another run folder"):
            folds.train_folds(how.pop("config"), *packs, tmp_path, **how)
    (tmp_path / folds.REPORT).unlink()
    with pytest.raises(ValueError, match=r"other options than the ones given \(data\)"):
        folds.train_folds(SMALL, *packs, tmp_path, folds=4, only=[1])
    config = tmp_path / "fold-1" / "config.json"
    older = {k: v for k, v in json.loads(config.read_text()).items() if k not in ("data", "files")}
    config.write_text(json.dumps(older))
    with pytest.raises(ValueError, match=r"\(data\)"):
        folds.train_folds(SMALL, *packs, tmp_path, folds=3, only=[1])


def test_a_fold_has_the_teacher_of_its_own_fold(packs, tmp_path, monkeypatch):
    heard = []

    def teacher(folder):
        heard.append(folder)
        return lambda images: torch.zeros(len(images), 4)

    monkeypatch.setattr(runs, "load_teacher", teacher)
    teachers = tmp_path / "teachers"
    folds.train_folds(SMALL, *packs, teachers, folds=3, only=[1, 2])
    taught = replace(SMALL, teacher=str(teachers))
    report = folds.train_folds(taught, *packs, tmp_path / "pupils", folds=3, only=[2])
    assert heard == [teachers / "fold-2"]
    assert report["config"]["teacher"] == str(teachers)
    (teachers / "fold-1").rename(teachers / "fold-3")
    with pytest.raises(ValueError, match="not trained on the scans of this fold"):
        folds.train_folds(taught, *packs, tmp_path / "pupils", folds=3, only=[3])
    with pytest.raises(DataError, match="cannot be read"):
        folds.train_folds(taught, *packs, tmp_path / "pupils", folds=3, only=[1])


def test_a_fold_goes_on_from_the_weights_of_its_own_fold(packs, tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    folds.train_folds(SMALL, *packs, before, folds=3, only=[2])
    longer = replace(SMALL, init=str(before), learning_rate=1e-9)
    report = folds.train_folds(longer, *packs, after, folds=3, only=[2])
    first, then = (load_file(place / "fold-2/weights.safetensors") for place in (before, after))
    name = next(name for name, value in first.items() if value.ndim == 4)
    assert torch.allclose(first[name], then[name], atol=1e-5), "it began elsewhere"
    assert report["config"]["init"] == str(before)
    again = folds.train_folds(longer, *packs, after, folds=3, only=[2])
    assert again["summary"] == report["summary"]
    (before / "fold-2").rename(before / "fold-3")
    with pytest.raises(ValueError, match="not trained on the scans of this fold"):
        folds.train_folds(longer, *packs, after, folds=3, only=[3])


def test_an_encoder_begins_as_the_classifier_of_its_own_fold(packs, tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    classifier = replace(SMALL, arch="resnet50", learning_rate=1e-9)
    folds.train_folds(classifier, *packs, before, folds=3, only=[2])
    segmenter = replace(classifier, task="segmenter", arch="resunet50", init=str(before))
    folds.train_folds(segmenter, *packs, after, folds=3, only=[2])
    first, then = (load_file(place / "fold-2/weights.safetensors") for place in (before, after))
    assert torch.allclose(first["body.conv1.weight"], then["body.conv1.weight"], atol=1e-5)


def test_the_command_trains_the_recipe_it_is_given(packs, tmp_path, monkeypatch):
    given = []

    def train_folds(config, *others):
        given.append((config, *others))
        return {}

    monkeypatch.setattr(runs, "load_packs", lambda root, cache: packs)
    monkeypatch.setattr(repeats, "data_root", lambda: tmp_path)
    monkeypatch.setattr(folds, "train_folds", train_folds)
    monkeypatch.setattr(folds, "markdown", lambda report: "the table")
    line = ["folds", "--teacher", "t", "--teacher-weight", "0.7", "--quarter-turns", "0.1"]
    line += ["--mix", "0.5"]
    answer = CliRunner().invoke(app, [*line, "--run", str(tmp_path), "--fold", "2"])
    assert answer.exit_code == 0 and "the table" in answer.output
    ((config, *_, folder, count, only),) = given
    assert (config.teacher, config.teacher_weight, config.quarter_turns) == ("t", 0.7, 0.1)
    assert config.mix == 0.5
    assert (config.arch, config.minutes, folder, count, only) == ("resnet50", 0, tmp_path, 5, [2])
    wrong = CliRunner().invoke(app, ["folds", "segmenter", "--teacher", "t"])
    assert wrong.exit_code == 2 and "no teacher" in wrong.output
    wrong = CliRunner().invoke(app, ["segmenter", "--arch", "resnet50"])
    assert wrong.exit_code == 2 and "one of resunet, resunet50" in wrong.output
    wrong = CliRunner().invoke(app, ["folds", "segmenter", "--mix", "0.5"])
    assert wrong.exit_code == 2 and "only the classifier" in wrong.output
    assert CliRunner().invoke(app, ["folds", "--minutes", "3"]).exit_code == 2


def test_a_fold_that_does_not_exist_is_refused(packs, tmp_path):
    config = RunConfig("segmenter", "resunet", init="scratch", stages="1x32")
    with pytest.raises(ValueError, match="no 6"):
        folds.train_folds(config, *packs, tmp_path, only=[6])


def test_a_patient_with_slices_of_both_kinds_stays_whole():
    samples = [
        Sample("lgg", f"{p}-{n}", "glioma" if n else "no_tumor", "train", f"{p}-{n}", f"p{p}")
        for p in range(9)
        for n in range(2)
    ]
    cuts = folds.fold_splits(samples, 3)
    assert all(Counter(cut.values()) == {"test": 3, "val": 3, "train": 3} for cut in cuts)
