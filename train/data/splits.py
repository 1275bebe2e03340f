"""The committed split lists, and how they are made.

A list row is one file: dataset, path inside the dataset's folder, label, split (train, val, test,
guard), group and block. ``group`` joins all copies of one scan: one vote each. ``block`` joins what
must be resampled together for confidence intervals: an LGG patient, a run of consecutive figshare
slices (stored patient by patient, 13 slices a patient on average), or a duplicate group.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image

from core.errors import DataError

SPLITS_FOLDER = Path(__file__).parent.parent / "splits"
FOUR_CLASS_LIST = SPLITS_FOLDER / "four_class.csv"
LGG_LIST = SPLITS_FOLDER / "lgg.csv"

_FIGSHARE_BLOCK = 13


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
    otherwise the most frequent one.
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
    samples = []
    for row in rows:
        group = row["dup_group"]
        label = votes[group].most_common(1)[0][0]
        index = int(row["figshare_index"])
        block = f"figshare-{label}-{index // _FIGSHARE_BLOCK}" if index >= 0 else f"scan-{group}"
        samples.append(
            Sample(row["dataset"], row["path"], label, row["split"], f"scan-{group}", block)
        )
    return samples


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
