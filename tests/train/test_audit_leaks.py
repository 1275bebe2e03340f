"""What the groups say of splits, sets and labels: counted by hand."""

from pathlib import Path

from train.audit import leaks
from train.audit.leaks import Member
from train.audit.pictures import Picture


def member(group, name, mirrored=False, **listed):
    """A picture named ``set/split/label``; ``-`` stands for nothing."""
    dataset, split, label = (part.strip("-") for part in name.split("/"))
    picture = Picture(Path(name), dataset, name, split, label, **listed)
    return Member(picture, group, mirrored)


def counts(rows):
    return {(r.of, r.among, r.label): (r.pictures, r.copied, r.mirrored) for r in rows}


def test_leaks_of_the_published_splits_are_counted_by_class():
    members = [
        member(1, "a/train/glioma"),
        member(1, "a/test/glioma"),
        member(2, "a/train/glioma", mirrored=True),
        member(2, "a/test/glioma"),
        member(3, "a/test/glioma"),
        member(3, "a/test/glioma"),
        member(4, "a/train/no_tumor"),
        member(5, "a/test/no_tumor"),
        # A copy in another set's training folder is no leak of this split.
        member(5, "b/train/no_tumor"),
    ]
    assert counts(leaks.split_leaks(members)) == {
        ("a test", "a train", "all"): (5, 2, 1),
        ("a test", "a train", "glioma"): (4, 2, 1),
        ("a test", "a train", "no_tumor"): (1, 0, 0),
    }


def test_a_validation_folder_can_leak_too():
    members = [member(1, "a/train/x"), member(1, "a/val/x"), member(2, "a/val/x")]
    assert counts(leaks.split_leaks(members)) == {("a val", "a train", "all"): (2, 1, 0)}


def test_a_copy_on_both_sides_of_the_mirror_does_not_count_as_mirrored():
    members = [
        member(1, "a/train/x"),
        member(1, "a/train/x", mirrored=True),
        member(1, "a/test/x", mirrored=True),
    ]
    (row,) = leaks.split_leaks(members)
    assert (row.copied, row.mirrored, row.share) == (1, 0, 1.0)


def test_a_set_without_a_training_folder_has_no_leak():
    assert leaks.split_leaks([member(1, "a/test/x"), member(1, "a/-/x")]) == []


def test_leaks_of_a_listed_split_go_across_sets():
    members = [
        member(1, "a/-/x", listed_split="train"),
        member(1, "b/-/x", listed_split="test"),
        member(2, "b/-/x", listed_split="test"),
        member(2, "c/-/x", listed_split="guard"),
        member(3, "c/-/x", listed_split="train"),
        member(3, "c/-/x", listed_split="train"),
    ]
    assert counts(leaks.listed_leaks(members)) == {("test", "train", "all"): (2, 1, 0)}
    assert list(leaks.torn_groups(members)) == [1]
    assert leaks.other_splits(members) == {"guard": 1}


def test_how_much_of_a_set_stands_in_another():
    members = [
        member(1, "a/-/x"),
        member(1, "b/-/x", mirrored=True),
        member(2, "b/-/x"),
        member(3, "b/-/y"),
    ]
    found = counts(leaks.set_overlaps(members))
    assert found["a", "b", "all"] == (1, 1, 1)
    assert found["b", "a", "all"] == (3, 1, 1)
    assert found["b", "a", "x"] == (2, 1, 1)
    assert ("b", "a", "y") not in found


def test_distinct_scans_by_set_label_and_over_all():
    members = [
        member(1, "a/-/x"),
        member(1, "a/-/x"),
        member(1, "b/-/x"),
        member(2, "b/-/y"),
    ]
    found = {
        (r.dataset, r.label): (r.pictures, r.scans, r.largest)
        for r in leaks.distinct_scans(members)
    }
    assert found == {
        ("a", "all"): (2, 1, 2),
        ("b", "all"): (2, 2, 1),
        ("b", "x"): (1, 1, 1),
        ("b", "y"): (1, 1, 1),
        ("all", "all"): (4, 2, 3),
        ("all", "x"): (3, 1, 3),
        ("all", "y"): (1, 1, 1),
    }


def test_contradicting_labels_are_named_and_missing_ones_are_none():
    members = [
        member(1, "a/-/glioma"),
        member(1, "b/-/pituitary"),
        member(1, "b/-/pituitary"),
        member(2, "a/-/glioma"),
        member(2, "b/-/-"),
        member(3, "a/-/glioma"),
        member(3, "b/-/glioma"),
    ]
    (found,) = leaks.contradictions(members)
    assert found.group == 1
    assert found.counts == (("a", "glioma", 1), ("b", "pituitary", 2))
    assert leaks.disputed(members) == [
        ("a", "glioma", "pituitary", 1),
        ("b", "pituitary", "glioma", 2),
    ]


def test_agreement_counts_pairs_within_and_between_sets():
    members = [
        member(1, "a/-/x", listed_group="p"),
        member(1, "a/-/x", listed_group="p"),
        member(2, "a/-/x", listed_group="p"),
        member(2, "b/-/x", listed_group="q"),
        member(9, "b/-/x"),
    ]
    rows = {row.dataset: row for row in leaks.agreement(members)}
    assert (rows["a"].found, rows["a"].listed, rows["a"].both) == (1, 3, 1)
    assert (rows["all"].found, rows["all"].listed, rows["all"].both) == (2, 3, 1)
    assert rows["all"].precision == 0.5
    assert rows["a"].recall == 1 / 3
    assert (rows["b"].precision, rows["b"].recall) == (1.0, 1.0)


def test_without_listed_groups_there_is_no_agreement():
    assert leaks.agreement([member(1, "a/-/x")]) == []
