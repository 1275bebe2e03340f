"""The committed lists: nobody stands on both sides of a cut."""

import csv
from collections import Counter, defaultdict

import pytest

from core.errors import DataError
from core.types import CLASSES
from train.data.pack import Pack
from train.data.splits import (
    FOUR_CLASS_LIST,
    LGG_LIST,
    four_class_samples,
    lgg_samples,
    read_list,
    write_list,
)
from train.evaluation.views import one_per_group, representatives

SPLITS = {"train", "val", "test"}


@pytest.fixture(scope="module")
def four_class():
    return read_list(FOUR_CLASS_LIST)


@pytest.fixture(scope="module")
def lgg():
    return read_list(LGG_LIST)


def splits_by(samples, key):
    found = defaultdict(set)
    for sample in samples:
        found[key(sample)].add(sample.split)
    return found


def test_no_scan_stands_in_two_splits(four_class):
    assert all(len(s) == 1 for s in splits_by(four_class, lambda s: s.group).values())


def test_no_block_of_neighbouring_slices_stands_in_two_splits_but_for_the_guard(four_class):
    for block, splits in splits_by(four_class, lambda s: s.block).items():
        assert len(splits - {"guard"}) <= 1, block


def test_no_lgg_patient_stands_in_two_splits(lgg):
    assert all(len(s) == 1 for s in splits_by(lgg, lambda s: s.block).values())
    assert all(s.path.split("/")[1] == s.block for s in lgg)


def test_no_file_is_listed_twice(four_class, lgg):
    for samples in (four_class, lgg):
        assert len({(s.dataset, s.path) for s in samples}) == len(samples)


def test_all_copies_of_a_scan_have_one_label(four_class):
    labels = defaultdict(set)
    for sample in four_class:
        labels[sample.group].add(sample.label)
    assert all(len(one) == 1 for one in labels.values())
    assert {s.label for s in four_class} == set(CLASSES)


def test_files_per_split(four_class, lgg):
    assert Counter(s.split for s in four_class) == {
        "train": 8752, "val": 1501, "test": 1859, "guard": 311,
    }  # fmt: skip
    assert Counter(s.split for s in lgg) == {"train": 2428, "val": 351, "test": 522}
    patients = {split: {s.block for s in lgg if s.split == split} for split in SPLITS}
    assert {k: len(v) for k, v in patients.items()} == {"train": 70, "val": 10, "test": 14}


def test_distinct_scans_of_the_test_split(four_class):
    chosen = [four_class[i] for i in representatives(four_class, "test")]
    assert Counter(s.label for s in chosen) == {
        "glioma": 180, "meningioma": 97, "no_tumor": 41, "pituitary": 111,
    }  # fmt: skip
    assert {s.split for s in chosen} == {"test"}


def test_a_figshare_file_stands_for_its_copies(four_class):
    own = {s.group for s in four_class if s.dataset == "figshare" and s.split == "test"}
    for i in representatives(four_class, "test"):
        if four_class[i].group in own:
            assert four_class[i].dataset == "figshare"


def test_the_pack_of_representatives_is_theirs(four_class):
    import numpy as np

    count = len(four_class)
    empty = np.zeros((count, 1, 1), np.uint8)
    pack = Pack(tuple(four_class), empty[..., None], empty, np.zeros(count, bool))
    expected = [four_class[i] for i in representatives(four_class, "val")]
    assert list(one_per_group(pack, "val").samples) == expected


def test_a_list_is_read_as_it_was_written(tmp_path, lgg):
    write_list(tmp_path / "list.csv", lgg)
    assert (tmp_path / "list.csv").read_bytes() == LGG_LIST.read_bytes()


def manifest(root, *rows):
    with (root / "manifest.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["dataset", "path", "label", "split", "figshare_index", "dup_group"])
        writer.writerows(rows)


def test_the_label_of_figshare_holds_against_more_copies(tmp_path):
    manifest(
        tmp_path,
        ["sartaj", "a.jpg", "pituitary", "train", 7, 1],
        ["sartaj", "b.jpg", "pituitary", "train", 7, 1],
        ["figshare", "images/7.jpg", "meningioma", "train", 7, 1],
    )
    assert {s.label for s in four_class_samples(tmp_path)} == {"meningioma"}


def test_the_most_frequent_label_holds_without_figshare(tmp_path):
    rows = [["br35h", f"{i}.jpg", "no_tumor", "train", -1, 1] for i in range(2)]
    manifest(tmp_path, ["sartaj", "a.jpg", "glioma", "train", -1, 1], *rows)
    assert {s.label for s in four_class_samples(tmp_path)} == {"no_tumor"}


@pytest.mark.parametrize("make", [four_class_samples, lgg_samples])
def test_a_folder_without_the_data_says_what_is_missing(tmp_path, make):
    with pytest.raises(DataError, match="is missing"):
        make(tmp_path)


@pytest.mark.data
def test_the_lists_come_from_the_data_byte_for_byte(data_root, tmp_path):
    for make, committed in ((four_class_samples, FOUR_CLASS_LIST), (lgg_samples, LGG_LIST)):
        write_list(tmp_path / "again.csv", make(data_root))
        assert (tmp_path / "again.csv").read_bytes() == committed.read_bytes(), committed.name


@pytest.mark.data
def test_the_labels_of_figshare_hold_in_the_committed_list(data_root, four_class):
    with (data_root / "manifest.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    radiologists = {r["dup_group"]: r["label"] for r in rows if r["dataset"] == "figshare"}
    for sample in four_class:
        group = sample.group.removeprefix("scan-")
        assert sample.label == radiologists.get(group, sample.label)
