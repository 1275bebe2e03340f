"""Reports of networks trained anew: taken over into metrics.json, and told in the card."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from core.config import PROJECT_ROOT
from train import anew, folds, sources
from train.cli import app
from train.config import RunConfig
from train.data.pack import Pack
from train.data.splits import FOUR_CLASS_LIST, LGG_LIST, read_list
from train.evaluation.evaluate import write
from train.runs import identified

FIGURE = {"value": 0.75, "low": 0.5, "high": 1.0}
WITH_IT = dict.fromkeys(sources.FIGURES, FIGURE)
LEFT_OUT = {
    "config": {"arch": "efficientnet_lite0", "stages": "4x128", "epoch_size": 1500,
               "data": sources.committed_lists()},
    "split": "test",
    "sources": {"br35h": {"scans": {"no_tumor": 3}, "with": WITH_IT,
                          "without": WITH_IT | {"tumour_auc": None}}},
}  # fmt: skip
IN_FOLDS = {
    "config": {"arch": "resunet", "init": "scratch", "stages": "3x32", "epochs": 3,
               "epoch_size": 800, "folds": 4, "data": folds.committed_folds(4)},
    "folds": [{"fold": number, "scans": 10 * number, "figures": {"dice": 0.25 * number}}
              for number in (1, 3)],
    "summary": {"dice": {"mean": 0.5, "sd": 0.35}},
}  # fmt: skip


@pytest.fixture
def weights(tmp_path, tiny_report):
    """The committed manifest, and figures without what was trained anew for them."""
    manifest = (PROJECT_ROOT / "weights" / "manifest.json").read_text()
    (tmp_path / "manifest.json").write_text(manifest)
    version = json.loads(manifest)["model_version"]
    write(tiny_report | {"model_version": version}, tmp_path / "metrics.json")
    return tmp_path


def card_of(weights):
    result = CliRunner().invoke(app, ["card", "--weights", str(weights)])
    assert result.exit_code == 0, result.output
    return (weights / "MODEL_CARD.md").read_text()


def trust_of(weights):
    return json.loads((weights / "metrics.json").read_text())["trust"]


def test_what_was_trained_anew_stands_in_the_figures_and_in_the_card(weights):
    (weights / "sources.json").write_text(json.dumps(LEFT_OUT))
    (weights / "folds-segmenter.json").write_text(json.dumps(IN_FOLDS))
    card = card_of(weights)
    assert trust_of(weights)["leave_one_source_out"] == LEFT_OUT
    assert trust_of(weights)["folds"] == {"segmenter": IN_FOLDS}
    shown = "0.750 (0.500 to 1.000)"
    assert f"| br35h | 3 no_tumor | without it | {shown} | none | {shown} | {shown} |" in card
    assert "efficientnet_lite0 on a short schedule (4x128 px, 1500 draws" in card
    assert "The segmenter: resunet, init scratch, 3 epochs (3x32), 2 of 4 folds, 800" in card
    assert "| 3 | 30 | 0.750 |" in card
    assert "| mean ± standard deviation | | 0.500 ± 0.350 |" in card
    assert "{" not in card


def test_what_is_no_longer_there_leaves_the_figures(weights):
    (weights / "sources.json").write_text(json.dumps(LEFT_OUT))
    (weights / "folds-segmenter.json").write_text(json.dumps(IN_FOLDS))
    card_of(weights)
    for name in ("sources.json", "folds-segmenter.json"):
        (weights / name).unlink()
    card = card_of(weights)
    assert not trust_of(weights).keys() & {"leave_one_source_out", "folds"}
    before_the_story = card.split("## How the weights came about")[0]
    assert "train sources" not in before_the_story and "train folds" not in before_the_story


def changed(report, **config):
    return report | {"config": {k: v for k, v in (report["config"] | config).items() if v}}


@pytest.mark.parametrize(
    ("name", "report", "said"),
    [
        ("sources.json", changed(LEFT_OUT, data=None), "measured on other lists"),
        ("sources.json", changed(LEFT_OUT, data="0123456789abcdef"), "measured on other lists"),
        ("sources.json", LEFT_OUT | {"split": "val"}, "measured on val and not on test"),
        ("folds-segmenter.json", changed(IN_FOLDS, data=None), "measured on other lists"),
        # The lists are the committed ones, but cut into another number of folds.
        ("folds-segmenter.json", changed(IN_FOLDS, folds=5), "measured on other lists"),
    ],
)
def test_a_report_of_other_lists_is_named_and_not_shown(weights, name, report, said):
    (weights / name).write_text(json.dumps(report))
    card = card_of(weights)
    assert said in " ".join(card.split())
    command = "sources" if name == "sources.json" else "folds segmenter"
    assert f"`python -m train {command}` measures anew" in " ".join(card.split())
    assert "br35h | 3 no_tumor" not in card and "4x128" not in card and "3x32" not in card
    (told,) = [one for key, one in trust_of(weights).items() if key == "leave_one_source_out"] or [
        trust_of(weights)["folds"]["segmenter"]
    ]
    assert told.keys() == {"not_shown"}


@pytest.mark.parametrize("count", [3, 5])
def test_a_report_in_folds_of_the_committed_lists_is_told_from_others(count):
    """As ``train_folds`` records it: the first fold's scans."""
    rows = [read_list(path) for path in (FOUR_CLASS_LIST, LGG_LIST)]
    cut = folds.fold_splits(rows[0] + rows[1], count)[0]
    packs = []
    for samples in rows:
        one = np.zeros((len(samples), 1, 1, 1), np.uint8)
        pack = Pack(tuple(samples), one, one[..., 0], np.zeros(len(samples), bool))
        packs.append(folds.with_splits(pack, cut))
    config = RunConfig("segmenter", "resunet", init="scratch", stages="1x32")
    assert identified(config, *packs).data == folds.committed_folds(count)
    packs[0] = replace(packs[0], samples=packs[0].samples[1:])
    assert identified(config, *packs).data != folds.committed_folds(count)


def test_without_figures_there_is_nothing_to_take_the_reports_over_into(tmp_path):
    with pytest.raises(FileNotFoundError):
        anew.take_over(tmp_path)
