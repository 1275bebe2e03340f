"""Which files an audit looks at, and what their folders and lists say of them."""

import pytest

from core.errors import DataError
from tests.train.audit_pictures import head, save
from train.audit.pictures import find_pictures, fold_label, with_lists

PICTURE = head(1, 60, 50)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("glioma_tumor", "glioma"),
        ("Glioma", "glioma"),
        ("pituitary tumour", "pituitary"),
        ("no_tumor", "no_tumor"),
        ("notumor", "no_tumor"),
        ("no", "no_tumor"),
        ("Healthy", "no_tumor"),
        ("tumor", "tumor"),
        ("TCGA-12", "tcga_12"),
    ],
)
def test_labels_of_all_sets_get_one_spelling(text, label):
    assert fold_label(text) == label


@pytest.mark.parametrize(
    ("path", "split", "label"),
    [
        ("Training/glioma_tumor/a.jpg", "train", "glioma"),
        ("Testing/notumor/a.jpg", "test", "no_tumor"),
        ("valid/pituitary/a.png", "val", "pituitary"),
        ("meningioma/test/a.png", "test", "meningioma"),
        ("Training/glioma/images/a.png", "train", "glioma"),
        ("glioma/Images/train/a.png", "train", "glioma"),
        ("train/images/a.png", "train", ""),
        ("no/a.jpg", "", "no_tumor"),
        ("images/a.jpg", "", ""),
        ("a.jpg", "", ""),
    ],
)
def test_folders_say_split_and_label(tmp_path, path, split, label):
    save(tmp_path / "some_set" / path, PICTURE)
    (picture,) = find_pictures([tmp_path / "some_set"])
    assert (picture.split, picture.label) == (split, label)
    assert picture.name == f"some_set/{path}"


def test_folders_that_are_patients_are_no_labels(tmp_path):
    save(tmp_path / "Training" / "patient0" / "1.png", PICTURE)
    (picture,) = find_pictures([tmp_path], folder_labels=False)
    assert (picture.split, picture.label) == ("train", "")


def test_masks_hidden_files_and_other_files_are_left_out(tmp_path):
    for path in ("1.png", "1_mask.png", "masks/1.png", ".hidden.png"):
        save(tmp_path / path, PICTURE)
    (tmp_path / "notes.txt").write_text("no picture")
    assert [picture.path for picture in find_pictures([tmp_path])] == ["1.png"]


def test_sets_of_the_same_name_are_told_apart(tmp_path):
    for folder in ("a/data", "b/data"):
        save(tmp_path / folder / "1.png", PICTURE)
    names = [p.dataset for p in find_pictures([tmp_path / "a/data", tmp_path / "b/data"])]
    assert names == ["data", "b/data"]


def test_a_folder_named_twice_is_refused(tmp_path):
    save(tmp_path / "set" / "1.png", PICTURE)
    with pytest.raises(DataError, match="named twice"):
        find_pictures([tmp_path / "set", tmp_path / "set"])


def test_a_folder_inside_another_is_refused(tmp_path):
    save(tmp_path / "set" / "Training" / "1.png", PICTURE)
    with pytest.raises(DataError, match="inside"):
        find_pictures([tmp_path / "set", tmp_path / "set" / "Training"])


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no picture"):
        find_pictures([tmp_path])
    with pytest.raises(DataError, match="not a folder"):
        find_pictures([tmp_path / "absent"])


def test_a_list_gives_label_split_and_group(tmp_path):
    save(tmp_path / "set" / "images" / "1.png", PICTURE)
    save(tmp_path / "set" / "images" / "2.png", PICTURE)
    table = tmp_path / "list.csv"
    table.write_text("dataset,path,label,split,dup_group\nset,images/1.png,Glioma,val,7\n")
    first, second = with_lists(find_pictures([tmp_path / "set"]), [table])
    assert (first.label, first.split, first.listed_split) == ("glioma", "", "val")
    assert first.listed_group == "7"
    assert (second.label, second.listed_split, second.listed_group) == ("", "", "")


@pytest.mark.parametrize(
    ("given", "split"),
    [("Training", "train"), (" TEST ", "test"), ("Validation", "val"), ("Guard", "Guard")],
)
def test_splits_of_lists_are_spelled_as_those_of_folders_are(tmp_path, given, split):
    save(tmp_path / "set" / "1.png", PICTURE)
    table = tmp_path / "list.csv"
    table.write_text(f"dataset,path,split\nset,1.png,{given}\n")
    (picture,) = with_lists(find_pictures([tmp_path / "set"]), [table])
    assert picture.listed_split == split


def test_a_list_from_a_spreadsheet_may_begin_with_a_byte_order_mark(tmp_path):
    save(tmp_path / "set" / "1.png", PICTURE)
    table = tmp_path / "list.csv"
    table.write_text("dataset,path,label\nset,1.png,glioma\n", encoding="utf-8-sig")
    (picture,) = with_lists(find_pictures([tmp_path / "set"]), [table])
    assert picture.label == "glioma"


def test_a_list_that_names_none_of_the_pictures_is_refused(tmp_path):
    save(tmp_path / "set" / "1.png", PICTURE)
    table = tmp_path / "list.csv"
    table.write_text("dataset,path,label\nother,1.png,glioma\n")
    with pytest.raises(DataError, match=r"other/1\.png.*set/1\.png"):
        with_lists(find_pictures([tmp_path / "set"]), [table])


def test_a_list_without_the_columns_is_refused(tmp_path):
    save(tmp_path / "set" / "1.png", PICTURE)
    table = tmp_path / "list.csv"
    table.write_text("file,label\n1.png,glioma\n")
    with pytest.raises(DataError, match="dataset and path"):
        with_lists(find_pictures([tmp_path / "set"]), [table])
