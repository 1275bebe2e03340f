"""Reading a sample's scan and mask in the layout its publisher chose."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

from core.errors import DataError
from core.imaging import decode
from core.types import CLASSES, FloatArray, Scan, ScanKind
from train.data.splits import Sample


def read_scan(sample: Sample, root: Path) -> Scan:
    """Decode a sample's picture, through the same decoder that serving uses.

    Raises:
        DataError: the file is not in the data folder.
    """
    path = sample.file(root)
    if not path.is_file():
        raise DataError(
            f"{path} is missing. NEUROTRIAGE_DATA must name the folder that holds "
            f"{sample.dataset}/ in its original layout."
        )
    if path.suffix == ".mat":
        return read_figshare_mat(path)[0]
    return decode(path.read_bytes())


def read_mask(sample: Sample, root: Path) -> FloatArray | None:
    """A sample's tumour mask, float32 0 or 1 in the picture's size; None where the set has none."""
    path = sample.mask_file(root)
    if path is None:
        return None
    if path.suffix == ".mat":
        return read_figshare_mat(path)[1]
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise DataError(f"{path} is missing or no picture.")
    return (mask > 127).astype(np.float32)


def read_figshare_mat(path: Path) -> tuple[Scan, FloatArray]:
    """Scan and mask of an original figshare file (MATLAB v7.3, an HDF5 file; arrays transposed).

    Source of the layout: Cheng 2017, doi 10.6084/m9.figshare.1512427.
    """
    import h5py  # only the original layout needs it

    try:
        with h5py.File(path) as file:
            record = file["cjdata"]
            image = np.asarray(record["image"], dtype=np.float32).T
            mask = np.asarray(record["tumorMask"], dtype=np.float32).T
    except (OSError, KeyError) as error:
        raise DataError(f"{path} is no figshare file: cjdata/image or tumorMask missing") from error
    pixels = np.ascontiguousarray(image)[..., None]
    return Scan(pixels, ScanKind.GRAY, "MAT", 16), np.ascontiguousarray(mask)


def reader_samples(root: Path, dataset: str, certain_only: bool = True) -> list[Sample]:
    """Scans that readers labelled in the application, as its training export holds them.

    All are of the split ``train``: what is measured on stays as it is committed. That none of them
    is a scan of ``val`` or ``test`` is for whoever exports them to make sure of.

    Args:
        root: the data folder.
        dataset: the folder in it into which the archive was unpacked.
        certain_only: leave out pictures whose label holds for their case but perhaps not for them.

    Raises:
        DataError: the folder holds no such export, or a label is unknown.
    """
    manifest = root / dataset / "manifest.csv"
    try:
        with manifest.open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
        samples = [
            Sample(
                dataset, row["path"], row["label"], "train",
                group=f"{dataset}-{Path(row['path']).stem}",
                block=f"{dataset}-patient-{row['patient']}",
            )
            for row in rows
            if row["label_of"] == "scan" or not certain_only
        ]  # fmt: skip
    except (OSError, KeyError) as error:
        raise DataError(
            f"{manifest} is missing or no list of a training export. Unpack the archive there."
        ) from error
    unknown = {sample.label for sample in samples} - set(CLASSES)
    if unknown:
        raise DataError(f"{manifest} has unknown labels: {', '.join(sorted(unknown))}.")
    return samples
