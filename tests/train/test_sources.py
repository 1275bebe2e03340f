"""Leaving one source out."""

import json
from dataclasses import replace

import numpy as np
import pytest

from train import sources
from train.config import RunConfig
from train.data.pack import Pack, load_pack
from train.data.splits import FOUR_CLASS_LIST, LGG_LIST, Sample, read_list
from train.runs import identified


def pack_of(samples):
    count = len(samples)
    images, masks = np.zeros((count, 8, 8, 1), np.uint8), np.zeros((count, 8, 8), np.uint8)
    return Pack(tuple(samples), images, masks, np.zeros(count, bool))


COPIES = [
    Sample("figshare", "images/1.jpg", "glioma", "train", "a", "figshare-glioma-0"),
    Sample("nickparvar", "1.jpg", "glioma", "train", "a", "figshare-glioma-0"),
    Sample("sartaj", "2.jpg", "glioma", "train", "b", "figshare-glioma-1"),  # original not there
    Sample("nickparvar", "3.jpg", "pituitary", "train", "c", "scan-c"),
    Sample("sartaj", "3.jpg", "pituitary", "train", "c", "scan-c"),
    Sample("br35h", "no/4.jpg", "no_tumor", "train", "d", "scan-d"),
    Sample("figshare", "images/5.jpg", "glioma", "val", "e", "figshare-glioma-9"),
]


def test_a_scan_belongs_to_the_set_that_had_it_first():
    expected = {"a": "figshare", "b": "figshare", "c": "sartaj", "d": "br35h", "e": "figshare"}
    assert sources.origins(COPIES) == expected


def test_a_source_leaves_the_training_with_all_its_copies():
    left = sources.without(pack_of(COPIES), "figshare").samples
    assert [(s.group, s.split) for s in left] == [
        ("c", "train"), ("c", "train"), ("d", "train"), ("e", "val"),
    ]  # fmt: skip
    untouched = pack_of(COPIES)
    assert sources.without(untouched, "lgg") is untouched


@pytest.fixture(scope="module")
def packs(tiny_data, tmp_path_factory):
    """The tiny data, every second scan of figshare made one of sartaj's own."""
    cache = tmp_path_factory.mktemp("cache")
    four_class = load_pack(tiny_data.four_class, tiny_data.root, cache, channels=1)
    samples = tuple(
        replace(s, dataset="sartaj")
        if s.dataset == "figshare" and int(s.group.split("-")[1]) % 2
        else s
        for s in four_class.samples
    )
    lgg = load_pack(tiny_data.lgg, tiny_data.root, cache, channels=3)
    return replace(four_class, samples=samples), lgg


CONFIG = RunConfig(
    "classifier", "efficientnet_lite0", init="scratch", stages="1x32", epoch_size=8, batch_size=4,
    precision="fp32",
)  # fmt: skip


def test_each_source_is_measured_with_and_without_it(packs, tmp_path):
    report = sources.leave_one_out(CONFIG, *packs, tmp_path, ("figshare", "lgg"))
    assert json.loads((tmp_path / sources.REPORT).read_text()) == report
    figshare, lgg = report["sources"]["figshare"], report["sources"]["lgg"]
    assert figshare["scans"] == {"glioma": 2, "meningioma": 2, "pituitary": 2}
    assert lgg["scans"] == {"glioma": 4, "no_tumor": 4}
    for how in ("with", "without"):
        assert figshare[how]["tumour_auc"] is None, "no tumour-free scan in figshare"
        assert lgg[how]["balanced_accuracy"] is None
        assert 0 <= figshare[how]["balanced_accuracy"]["value"] <= 1
        assert 0 <= lgg[how]["tumour_auc"]["value"] <= 1
    table = sources.markdown(report)
    assert table.count("\n") == 5
    assert "| lgg | 4 glioma, 4 no_tumor | without it | none |" in table

    # Another source is added to the report, other lists and other recipes are not.
    both = sources.leave_one_out(CONFIG, *packs, tmp_path, ("sartaj",))
    assert list(both["sources"]) == ["figshare", "lgg", "sartaj"]
    with pytest.raises(ValueError, match="another run folder"):
        sources.leave_one_out(replace(CONFIG, ema=0.5), *packs, tmp_path, ("lgg",))
    (tmp_path / sources.REPORT).unlink()
    four_class, slices = packs
    fewer = four_class.subset(np.arange(2, len(four_class.samples)))
    with pytest.raises(ValueError, match=r"other options than the ones given \(data\)"):
        sources.leave_one_out(CONFIG, fewer, slices, tmp_path, ("lgg",))


def test_a_report_of_the_committed_lists_is_told_from_others():
    packs = [pack_of(read_list(path)) for path in (FOUR_CLASS_LIST, LGG_LIST)]
    assert identified(CONFIG, *packs).data == sources.committed_lists()
    assert identified(CONFIG, packs[1], packs[0]).data != sources.committed_lists()


def test_a_class_that_only_one_source_has_cannot_be_learnt_without_it(packs, tmp_path):
    gray, lgg = packs
    tumours = [i for i, s in enumerate(gray.samples) if s.label != "no_tumor"]
    gray = gray.subset(np.array(tumours))
    with pytest.raises(ValueError, match="no_tumor"):
        sources.leave_one_out(CONFIG, gray, lgg, tmp_path, ("lgg",))


def test_a_source_without_scans_is_refused(packs, tmp_path):
    with pytest.raises(ValueError, match="nickparvar"):
        sources.leave_one_out(CONFIG, *packs, tmp_path, ("nickparvar",))
