"""The pictures under audit: found in folders, with set, split and label from where they lie."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import DataError
from core.imaging import SUPPORTED_SUFFIXES
from core.imaging.dicom import is_dicom

# figshare's original files; read through train.data.layouts.
MAT_SUFFIX = ".mat"

_SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
# Folders that hold pictures and say nothing about them.
_PLAIN_FOLDERS = {"data", "dataset", "image", "images", "img", "imgs", "pictures", "scans"}
_MASK_FOLDERS = {"mask", "masks", "label", "labels", "segmentation", "segmentations"}
_NO_TUMOUR = {"no", "none", "normal", "healthy", "negative", "notumor", "notumour"}
_MASK_NAME = re.compile(r"[-_ ](mask|seg)(\.nii)?$", re.IGNORECASE)  # of the stem of a .nii.gz too
_DICOM_HEAD = 1 << 10  # bytes that tell a DICOM file

# What reports leave beside their figures; with --out inside a set they lie among its pictures.
REPORT_FIGURES = "audit.json"
EXAMPLES_FOLDER = "examples"
_EXAMPLE_NAME = re.compile(r"(leak|label|copy|near)-\d+\.jpg")


@dataclass(frozen=True)
class Picture:
    """One picture file.

    Attributes:
        file: where it lies.
        dataset: name of its set, that of the folder given.
        path: path inside that folder, with slashes.
        split: train, val or test by the folders' names; empty where they do not say.
        label: from the nearest folder that says something, in one spelling (``no_tumor``,
            ``glioma``); ``images``, ``Training`` and the like do not. Empty where none does.
        listed_split: the split that a list gives it: train, val or test where it is one of their
            usual names, else as the list has it; empty without a list.
        listed_group: the group of copies that a list gives it; empty without a list.
    """

    file: Path
    dataset: str
    path: str
    split: str
    label: str
    listed_split: str = ""
    listed_group: str = ""

    @property
    def name(self) -> str:
        """Set and path: how reports name the picture."""
        return f"{self.dataset}/{self.path}"


def fold_label(text: str) -> str:
    """One spelling for the same label: ``Glioma_tumor`` is ``glioma``, ``no`` is ``no_tumor``."""
    words = [word for word in re.split(r"[^a-z0-9]+", text.lower()) if word]
    if "".join(words) in _NO_TUMOUR:
        return "no_tumor"
    if len(words) > 1 and words[-1] in ("tumor", "tumour"):
        words.pop()
    return "_".join(words)


def fold_split(text: str) -> str:
    """``train``, ``val`` or ``test`` for their usual names, such as ``Testing``; others stay."""
    return _SPLITS.get(text.strip().lower(), text.strip())


def is_example(file: Path) -> bool:
    """Whether a file is an example picture of an audit's report, not one of the user's own."""
    return (
        file.parent.name == EXAMPLES_FOLDER
        and _EXAMPLE_NAME.fullmatch(file.name) is not None
        and (file.parent.parent / REPORT_FIGURES).is_file()
    )


def find_pictures(folders: Iterable[Path], *, folder_labels: bool = True) -> list[Picture]:
    """All pictures below the folders; masks and the examples of audits are left out.

    Args:
        folders: one a set.
        folder_labels: whether the folders' names are labels; they may be those of patients.

    Raises:
        DataError: a folder is absent or holds no picture.
    """
    pictures: list[Picture] = []
    names: set[str] = set()
    roots: list[Path] = []
    for folder in folders:
        folder = folder.resolve()
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder. Name folders that hold pictures.")
        _check_apart(folder, roots)
        roots.append(folder)
        dataset = _unique(folder, names)
        names.add(dataset)
        found = [
            _picture(file, folder, dataset, folder_labels)
            for file in sorted(folder.rglob("*"))
            if _wanted(file)
        ]
        if not found:
            kinds = ", ".join((*SUPPORTED_SUFFIXES, MAT_SUFFIX))
            raise DataError(f"{folder} holds no picture ({kinds}, or DICOM by its content).")
        pictures += found
    return pictures


def with_lists(pictures: list[Picture], lists: Iterable[Path]) -> list[Picture]:
    """The pictures with label, split and group from CSV lists, where these name them.

    A list has the columns ``dataset`` and ``path`` and any of ``label``, ``split``, ``group`` (or
    ``dup_group``), as ``train/splits/*.csv`` have. Usual names of splits and labels are folded as
    those of folders are.

    Raises:
        DataError: a list lacks dataset or path, or names none of the pictures.
    """
    for file in lists:
        rows = _read_rows(file)
        pictures = [_listed(picture, rows) for picture in pictures]
        if not any((picture.dataset, picture.path) in rows for picture in pictures):
            first = "/".join(next(iter(rows), ("", "")))
            raise DataError(
                f"{file} names none of the pictures: its first is {first!r}, the first picture is "
                f"{pictures[0].name!r}. Name the folders as the list's dataset column does."
            )
    return pictures


def _read_rows(file: Path) -> dict[tuple[str, str], dict[str, str]]:
    try:
        # Spreadsheets begin a file of "CSV UTF-8" with a byte-order mark.
        with file.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            columns = set(reader.fieldnames or ())
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} cannot be read as a CSV list: {error}") from error
    if not {"dataset", "path"} <= columns:
        raise DataError(f"{file} needs the columns dataset and path; it has {sorted(columns)}.")
    return {(row["dataset"], row["path"]): row for row in rows}


def _listed(picture: Picture, rows: dict[tuple[str, str], dict[str, str]]) -> Picture:
    row = rows.get((picture.dataset, picture.path))
    if row is None:
        return picture
    return replace(
        picture,
        label=fold_label(row.get("label") or picture.label),
        listed_split=fold_split(row.get("split") or "") or picture.listed_split,
        listed_group=row.get("group") or row.get("dup_group") or picture.listed_group,
    )


def _wanted(file: Path) -> bool:
    return (
        not file.name.startswith(".")
        and not _MASK_NAME.search(file.stem)
        and file.parent.name.lower() not in _MASK_FOLDERS
        and file.is_file()
        and not is_example(file)
        and (file.suffix.lower() in (*SUPPORTED_SUFFIXES, MAT_SUFFIX) or _is_dicom(file))
    )


def _is_dicom(file: Path) -> bool:
    """Whether a file is DICOM by its content: scanners give names such as IM0001 and 1.2.840.7."""
    if file.name.upper() == "DICOMDIR":  # lists the others
        return False
    try:
        with file.open("rb") as handle:
            return is_dicom(handle.read(_DICOM_HEAD))
    except OSError:
        return False


def _picture(file: Path, folder: Path, dataset: str, folder_labels: bool) -> Picture:
    path = file.relative_to(folder)
    parents = path.parts[:-1]
    splits = [_SPLITS[part.lower()] for part in parents if part.lower() in _SPLITS]
    # The common layout is Training/glioma/images/1.png: the nearest folder says nothing.
    speaking = [part for part in parents if part.lower() not in {*_SPLITS, *_PLAIN_FOLDERS}]
    label = fold_label(speaking[-1]) if speaking and folder_labels else ""
    return Picture(file, dataset, path.as_posix(), splits[0] if splits else "", label)


def _check_apart(folder: Path, others: Iterable[Path]) -> None:
    """A picture counted twice would be its own copy."""
    for other in others:
        if folder == other:
            raise DataError(f"{folder} is named twice.")
        if folder.is_relative_to(other) or other.is_relative_to(folder):
            raise DataError(f"{folder} and {other}: one lies inside the other. Name one of them.")


def _unique(folder: Path, taken: set[str]) -> str:
    """The folder's name, with its parent's before it where two folders have the same."""
    name, parent = folder.name, folder.parent
    while name in taken:
        name, parent = f"{parent.name}/{name}", parent.parent
    return name
