"""The committed lists: nobody stands on both sides of a cut."""

import csv
from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from core.errors import DataError
from core.types import CLASSES
from train.data.figshare import place, read_patients
from train.data.pack import Pack
from train.data.splits import (
    COPIES_LIST,
    FOUR_CLASS_LIST,
    LGG_LIST,
    Sample,
    audited_copies,
    four_class_samples,
    join_copies,
    lgg_samples,
    read_list,
    write_copies,
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


def test_no_scan_stands_in_two_splits_but_for_the_guard(four_class):
    splits = splits_by(four_class, lambda s: s.group).values()
    assert all(len(s - {"guard"}) <= 1 for s in splits)
    assert all(len(s) == 1 for s in splits if "test" in s or "val" in s)


def test_no_patient_of_figshare_stands_in_two_splits_in_whatever_plane(four_class):
    for block, splits in splits_by(four_class, lambda s: s.block).items():
        assert len(splits) == 1, block


@pytest.mark.parametrize(
    ("slices", "split"),
    [
        ((82, 306, 541), "train"),  # a meningioma that grows through the skull
        ((64, 292, 525), "val"),  # a frontal meningioma with a cyst
        ((4, 214, 444), "test"),
        ((2190, 2726, 3058), "test"),  # the last glioma of its batch
        ((936, 1050, 1185), "val"),
        ((1032, 1163, 1280), "test"),
        ((1438, 1625), "test"),
    ],
)
def test_a_patient_of_figshare_is_one_in_every_plane(slices, split):
    runs = read_patients()
    found = {place(number, runs) for number in slices}
    assert len(found) == 1
    assert found.pop()[0] == split


def test_slices_of_figshare_without_a_place_are_used_by_nothing():
    runs = read_patients()
    for number in (59, 209, 750, 1700, 2360, 2950, 3064):
        assert place(number, runs) == ("guard", f"figshare-unplaced-{number // 13}")


def test_the_runs_of_figshare_do_not_overlap_and_keep_their_distance():
    runs = read_patients()
    assert all(one.last < other.first for one, other in pairwise(runs))
    for batch in {run.batch for run in runs}:
        sides = defaultdict(set)
        for run in runs:
            if run.batch == batch:
                numbers = range(run.patient_first, run.patient_last + 1)
                for number in numbers:
                    sides[number].add(run.split)
        assert all(len(one) == 1 for one in sides.values()), batch
        ordered = [(number, *sides[number]) for number in sorted(sides)]
        for (_, one), (_, other) in pairwise(ordered):
            assert one == other or "guard" in (one, other), batch


def test_a_list_of_patients_that_is_none_is_told(tmp_path):
    (tmp_path / "patients.csv").write_text("first,last\n1,2\n")
    with pytest.raises(DataError, match="figshare's patients"):
        read_patients(tmp_path / "patients.csv")


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
        "train": 7714, "val": 1473, "test": 2016, "guard": 1220,
    }  # fmt: skip
    assert Counter(s.split for s in lgg) == {"train": 2428, "val": 351, "test": 522}
    patients = {split: {s.block for s in lgg if s.split == split} for split in SPLITS}
    assert {k: len(v) for k, v in patients.items()} == {"train": 70, "val": 10, "test": 14}


def test_distinct_scans_of_the_test_split(four_class):
    chosen = [four_class[i] for i in representatives(four_class, "test")]
    assert Counter(s.label for s in chosen) == {
        "glioma": 165, "meningioma": 117, "no_tumor": 38, "pituitary": 142,
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


def row(dataset, group, split, label="glioma", block=""):
    path = f"{group}-{split}.jpg"
    return Sample(dataset, path, label, split, group, block or group)


def joined(samples, *copies):
    sets = [[f"{s.dataset}/{s.path}" for s in ones] for ones in copies]
    return join_copies(samples, sets)


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        (("train", "test"), "train"),
        (("val", "train"), "train"),
        (("val", "test"), "test"),
        (("test", "test"), "test"),
    ],
)
def test_copies_that_an_audit_found_are_one_vote_on_one_side(sides, expected):
    samples = [row("sartaj", name, side) for name, side in zip("ab", sides, strict=True)]
    other = row("sartaj", "c", "test")
    found = joined([*samples, other], samples)
    assert [s.split for s in found] == [expected, expected, "test"]
    assert [(s.group, s.block) for s in found] == [("a", "a"), ("a", "a"), ("c", "c")]


def test_copies_of_copies_are_joined_and_figshare_decides_everything():
    samples = [
        row("nickparvar", "a", "train", "pituitary"),
        row("sartaj", "b", "train", "pituitary"),
        row("figshare", "c", "val", "meningioma", "figshare-m-3"),
    ]
    found = joined(samples, samples[:2], samples[1:])
    assert {(s.group, s.label, s.block, s.split) for s in found} == {
        ("a", "meningioma", "figshare-m-3", "val")
    }


def test_files_that_the_list_does_not_have_join_nothing():
    samples = [row("sartaj", "a", "train"), row("sartaj", "b", "test")]
    assert join_copies(samples, [["sartaj/a-train.jpg", "elsewhere/x.jpg"]]) == samples


def test_only_what_joins_is_kept_of_an_audit(tmp_path):
    samples = [row("sartaj", g, "train") for g in "ab"] + [row("sartaj", "b", "val")]
    known, new = ["sartaj/b-train.jpg", "sartaj/b-val.jpg"], ["sartaj/a-train.jpg", "x/y.jpg"]
    path = tmp_path / "new" / "copies.csv"
    write_copies(path, samples, [known, [*new, *known]])
    assert audited_copies(path) == [["sartaj/a-train.jpg", *known]]
    path.write_text(path.read_text("utf-8"), encoding="utf-8-sig")
    assert audited_copies(path) == [["sartaj/a-train.jpg", *known]]
    path.write_text("file\nx\n")
    with pytest.raises(DataError, match="train audit"):
        audited_copies(path)


def test_the_committed_list_has_each_audited_copy_on_one_side(four_class):
    group_of = {f"{s.dataset}/{s.path}": s.group for s in four_class}
    for names in audited_copies(COPIES_LIST):
        assert len({group_of[name] for name in names}) == 1, names[0]


@pytest.mark.data
def test_the_lists_come_from_the_data_byte_for_byte(data_root, tmp_path):
    four_class = join_copies(four_class_samples(data_root), audited_copies(COPIES_LIST))
    for made, committed in ((four_class, FOUR_CLASS_LIST), (lgg_samples(data_root), LGG_LIST)):
        write_list(tmp_path / "again.csv", made)
        assert (tmp_path / "again.csv").read_bytes() == committed.read_bytes(), committed.name


@pytest.mark.data
def test_the_labels_of_figshare_hold_in_the_committed_list(data_root, four_class):
    with (data_root / "manifest.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    radiologists = {r["dup_group"]: r["label"] for r in rows if r["dataset"] == "figshare"}
    for sample in four_class:
        group = sample.group.removeprefix("scan-")
        assert sample.label == radiologists.get(group, sample.label)
