"""The committed split lists, and how they are made.

A list row is one file: dataset, path inside the dataset's folder, label, split (train, val, test,
guard), group and block. ``group`` joins all copies of one scan: one vote each. ``block`` joins what
must stay together, in cuts and when resampling for confidence intervals: an LGG patient, a patient
of figshare (``train.data.figshare``), or a group of copies.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import numpy as np
from PIL import Image

from core.errors import DataError
from train.data.figshare import place, read_patients

SPLITS_FOLDER = Path(__file__).parent.parent / "splits"
FOUR_CLASS_LIST = SPLITS_FOLDER / "four_class.csv"
LGG_LIST = SPLITS_FOLDER / "lgg.csv"
# The copies that the data's own list of copies lacks, as the audit found them.
COPIES_LIST = SPLITS_FOLDER / "copies.csv"


@dataclass(frozen=True)
class Sample:
    """One file of a data set and its place in the split."""

    dataset: str
    path: str
    label: str
    split: str
    group: str
    block: str

    def file(self, root: Path) -> Path:
        """The picture's path; figshare's original ``N.mat`` where the JPEG is not there."""
        folder = root / self.dataset
        picture = folder / self.path
        if self.dataset == "figshare" and not picture.exists():
            original = folder / f"{picture.stem}.mat"
            return original if original.exists() else picture
        return picture

    def mask_file(self, root: Path) -> Path | None:
        """The tumour mask's path, or None where the data set has no masks."""
        if self.dataset == "figshare":
            picture = self.file(root)
            if picture.suffix == ".mat":
                return picture
            return root / "figshare" / "masks" / f"{picture.stem}.png"
        if self.dataset == "lgg":
            picture = root / "lgg" / self.path
            return picture.with_name(f"{picture.stem}_mask.tif")
        return None


def read_list(path: Path) -> list[Sample]:
    """Read a committed split list."""
    with path.open(newline="") as handle:
        return [Sample(**row) for row in csv.DictReader(handle)]


def write_list(path: Path, samples: Iterable[Sample]) -> None:
    """Write a split list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(field.name for field in fields(Sample))
        writer.writerows(astuple(sample) for sample in samples)


def four_class_samples(root: Path) -> list[Sample]:
    """Split list of figshare, sartaj, nickparvar and br35h from the data folder's manifest.csv.

    Where copies of one scan carry different labels, figshare's (given by radiologists) holds,
    otherwise the most frequent one. Slices of figshare and their copies are split by patient;
    the manifest's own split of them cuts between planes, with the same patients on both sides.
    """
    manifest = root / "manifest.csv"
    if not manifest.is_file():
        raise DataError(f"{manifest} is missing: it lists the four-class sets and their splits.")
    with manifest.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        weight = len(rows) if row["dataset"] == "figshare" else 1
        votes[row["dup_group"]][row["label"]] += weight
    patients = read_patients()
    index_of = {row["dup_group"]: int(row["figshare_index"]) for row in rows} | {
        row["dup_group"]: int(row["figshare_index"])
        for row in rows
        if int(row["figshare_index"]) >= 0
    }
    samples = []
    for row in rows:
        group = row["dup_group"]
        label = votes[group].most_common(1)[0][0]
        split, block = row["split"], f"scan-{group}"
        if index_of[group] >= 0:
            split, block = place(index_of[group], patients)
        samples.append(Sample(row["dataset"], row["path"], label, split, f"scan-{group}", block))
    return samples


def join_copies(samples: Sequence[Sample], copies: Iterable[Iterable[str]]) -> list[Sample]:
    """The list with the groups joined that an audit found to be copies of one another.

    Joined groups become one group and one block, so that they are one vote and fall on one side of
    every cut: that of figshare's patient if a slice of figshare is among them, whose label holds
    too, otherwise ``train`` if one of them stood there.

    Args:
        samples: the list.
        copies: sets of names, ``dataset/path``; names that the list does not have are left out.

    Returns:
        The list in its old order.
    """
    group_of = {f"{s.dataset}/{s.path}": s.group for s in samples}
    joined: dict[str, set[str]] = {s.group: {s.group} for s in samples}
    for names in copies:
        found = {group_of[name] for name in names if name in group_of}
        everyone = set().union(*(joined[group] for group in found))
        for group in everyone:
            joined[group] = everyone
    members: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        members[min(joined[sample.group])].append(sample)
    first = {key: min(ones, key=_authority) for key, ones in members.items()}
    splits = {key: _common_split(first[key], ones) for key, ones in members.items()}

    def one(sample: Sample) -> Sample:
        key = min(joined[sample.group])
        if len(joined[sample.group]) == 1:
            return sample
        head = first[key]
        return replace(sample, group=key, block=head.block, label=head.label, split=splits[key])

    return [one(sample) for sample in samples]


def _common_split(first: Sample, samples: Iterable[Sample]) -> str:
    """That of the patient where figshare knows one; otherwise ``train`` has what it had."""
    if first.block.startswith("figshare-"):
        return first.split
    found = {sample.split for sample in samples}
    return "train" if "train" in found else min(found)


def _authority(sample: Sample) -> tuple[bool, str]:
    """Figshare's copies first: radiologists gave their labels, and their blocks are patients."""
    return not sample.block.startswith("figshare-"), sample.block


def audited_copies(path: Path) -> list[list[str]]:
    """The groups of an audit's ``groups.csv``, or of ``COPIES_LIST``, as names ``dataset/path``.

    Raises:
        DataError: the file is missing or is no such list.
    """
    found: dict[str, list[str]] = defaultdict(list)
    try:
        # A spreadsheet may have put a byte-order mark before it.
        with path.open(newline="", encoding="utf-8-sig") as handle:
            for row in csv.DictReader(handle):
                found[row["group"]].append(f"{row['dataset']}/{row['path']}")
    except (OSError, KeyError) as error:
        raise DataError(f"{path} is no list of groups written by `train audit`: {error}") from error
    return [names for names in found.values() if len(names) > 1]


def write_copies(path: Path, samples: Sequence[Sample], copies: Iterable[Sequence[str]]) -> None:
    """Write those sets of copies that join groups of ``samples``, one row a file of the list."""
    group_of = {f"{s.dataset}/{s.path}": s.group for s in samples}
    known = ([name for name in names if name in group_of] for names in copies)
    joining = [names for names in known if len({group_of[name] for name in names}) > 1]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(("dataset", "path", "group"))
        for number, names in enumerate(sorted(joining)):
            writer.writerows((*name.split("/", 1), number) for name in sorted(names))


def lgg_samples(root: Path) -> list[Sample]:
    """Split list of the LGG slices: glioma where the mask holds a pixel, else no_tumor."""
    folder = root / "lgg"
    patients = folder / "patients.csv"
    if not patients.is_file():
        raise DataError(f"{patients} is missing: it gives a split for each LGG patient.")
    with patients.open(newline="") as handle:
        split_of = {row["patient"]: row["split"] for row in csv.DictReader(handle)}
    samples = []
    for patient, split in sorted(split_of.items()):
        pictures = (folder / "kaggle_3m" / patient).glob("*_[0-9]*.tif")
        slices = [path for path in pictures if not path.stem.endswith("_mask")]
        for picture in sorted(slices, key=lambda path: int(path.stem.rsplit("_", 1)[1])):
            with Image.open(picture.with_name(f"{picture.stem}_mask.tif")) as mask:
                lesion = bool(np.asarray(mask).any())
            path = picture.relative_to(folder).as_posix()
            label = "glioma" if lesion else "no_tumor"
            group = f"{patient}-{picture.stem.rsplit('_', 1)[1]}"
            samples.append(Sample("lgg", path, label, split, group, patient))
    return samples
