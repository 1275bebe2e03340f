"""The pictures of an experiment, as its document prepares them, and which of them are for what.

The documents resize the whole picture and nothing more: neither the crop to the head nor the
stretched contrast of ``core.imaging.prepare``, which belong to the project's own networks.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from core.errors import DataError
from core.types import FloatArray, Scan, UInt8Array
from train.data.augment import standardise
from train.data.layouts import read_mask, read_scan
from train.data.pack import Pack, fill_once, origin
from train.data.splits import FOUR_CLASS_LIST, LGG_LIST, SPLITS_FOLDER, Sample, read_list
from train.distributed import Team
from train.evaluation.views import representatives
from train.experiments.config import Experiment, Input

SPLITS = ("random", "patient")


@dataclass(frozen=True, eq=False)
class Parts:
    """Pictures, their classes, and three lists of positions.

    Attributes:
        pack: the pictures; masks only where the experiment outlines tumours.
        labels: (n,), class numbers.
        fit: what is trained on.
        watch: what the curves and the adaptive learning rate follow.
        test: what the figures are of. In the random split it is ``watch``, as in the documents.
        resized: names the resized pictures by the data folder and the files they are made of.
    """

    pack: Pack
    labels: np.ndarray
    fit: np.ndarray
    watch: np.ndarray
    test: np.ndarray
    resized: str


def load_parts(
    experiment: Experiment,
    split: str,
    root: Path,
    cache: Path,
    team: Team,
    lists: Path = SPLITS_FOLDER,
) -> Parts:
    """Read and divide the pictures of an experiment.

    Args:
        experiment: one that trains a network.
        split: ``random`` is the documents': slices, whoever's they are, are shuffled and cut.
            ``patient`` is the committed one: no patient and no copy on two sides, and one vote for
            each distinct scan.
        root: the data folder.
        cache: folder for the resized pictures.
        team: its first process prepares the pictures, the others wait.
        lists: folder of the split lists.

    Raises:
        DataError: no picture of a part is in the data folder.
        ValueError: an unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
    samples = _samples(experiment, root, lists)
    if team.first:
        pack, resized = _load_pictures(samples, root, cache, experiment)
        team.wait()
    else:
        team.wait()
        pack, resized = _load_pictures(samples, root, cache, experiment)
    labels = np.array([experiment.classes.index(_class_of(s, experiment)) for s in samples])
    if split == "random":
        order = np.random.default_rng(experiment.training.seed).permutation(len(samples))
        cut = round(len(samples) * experiment.data.test_share)
        test, fit = np.sort(order[:cut]), np.sort(order[cut:])
        watch = test
    else:
        fit = pack.positions("train")
        watch, test = (
            np.array(representatives(samples, name), dtype=int) for name in ("val", "test")
        )
    if experiment.data.lesions_only:
        fit = fit[labels[fit] == experiment.classes.index("tumor")]
    for name, part in (("train on", fit), ("watch", watch), ("test on", test)):
        if not len(part):
            raise DataError(f"No picture to {name}: {root} lacks {experiment.data.source}'s files.")
    return Parts(pack, labels, fit, watch, test, resized)


def to_tensor(images: UInt8Array, how: Input, flipped: np.ndarray | None = None) -> Tensor:
    """A batch as the network takes it: float (n, channels, side, side).

    Args:
        images: uint8 (n, side, side, 1 or 3).
        how: channels and normalisation.
        flipped: which ones are mirrored, bool (n,).
    """
    batch = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
    if flipped is not None:
        batch[flipped] = batch[flipped].flip(3)
    batch = batch.expand(-1, how.channels, -1, -1)
    if how.normalise and how.channels == 3:
        batch = standardise(batch)
    return batch.contiguous(memory_format=torch.channels_last)


def _class_of(sample: Sample, experiment: Experiment) -> str:
    if experiment.data.source == "lgg":
        return "no_tumor" if sample.label == "no_tumor" else "tumor"
    return sample.label


def _samples(experiment: Experiment, root: Path, lists: Path) -> list[Sample]:
    source = experiment.data.source
    if source == "lgg":
        return _lgg(root, lists / LGG_LIST.name)
    listed = read_list(lists / FOUR_CLASS_LIST.name)
    kept = [s for s in listed if s.dataset == source]
    if source == "figshare" and experiment.input.region == "whole":
        kept += [s for s in listed if s.dataset == "br35h"]
    return kept


def _lgg(root: Path, listed_in: Path) -> list[Sample]:
    """Every slice of the folder; patients whom the list does not know are for training.

    A slice that it does not know goes with its patient.
    """
    known = {sample.path: sample for sample in read_list(listed_in)}
    splits = {sample.block: sample.split for sample in known.values()}
    folder, samples = root / "lgg", []
    for path in sorted((folder / "kaggle_3m").glob("TCGA_*/TCGA_*[0-9].tif")):
        name, patient = path.relative_to(folder).as_posix(), path.parent.name
        if name in known:
            samples.append(known[name])
            continue
        new = Sample("lgg", name, "", splits.get(patient, "train"), path.stem, patient)
        lesion = read_mask(new, root).any()
        samples.append(replace(new, label="glioma" if lesion else "no_tumor"))
    if not samples:
        raise DataError(f"{folder}/kaggle_3m holds no slices (TCGA_*/TCGA_*_N.tif).")
    return samples


def _load_pictures(
    samples: list[Sample], root: Path, cache: Path, experiment: Experiment
) -> tuple[Pack, str]:
    """The resized pictures, made now or read from the cache, and their name in it."""
    how, masked = experiment.input, experiment.task == "localisation"
    channels = how.channels if experiment.data.source == "lgg" else 1
    made_of = origin(samples, root)
    identity = json.dumps(["resized", how.side, channels, how.region, masked, made_of])
    folder = cache / f"pictures-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    fill_once(folder, lambda own: _make(samples, root, own, how, channels, masked))
    masks = np.load(folder / "masks.npy", mmap_mode="r")
    images = np.load(folder / "images.npy", mmap_mode="r")
    return Pack(tuple(samples), images, masks, np.full(len(samples), masked)), folder.name


def _make(
    samples: list[Sample], root: Path, folder: Path, how: Input, channels: int, masked: bool
) -> None:
    side, count = how.side, len(samples)
    images = np.lib.format.open_memmap(
        folder / "images.npy", mode="w+", dtype=np.uint8, shape=(count, side, side, channels)
    )
    masks = np.zeros((count if masked else 0, side, side), np.uint8)
    for i, sample in enumerate(tqdm(samples, desc="resizing pictures", unit="picture")):
        pixels = _in_bytes(read_scan(sample, root))
        mask = read_mask(sample, root) if masked or how.region == "tumour" else None
        if how.region == "tumour":
            pixels = pixels[_box(mask, sample)]
        if channels == 1:
            pixels = pixels.mean(axis=2, keepdims=True)
        images[i] = np.rint(_resized(pixels, side)).astype(np.uint8)
        if masked:
            masks[i] = np.where(_resized(mask[..., None], side)[..., 0] >= 0.5, 255, 0)
    images.flush()
    np.save(folder / "masks.npy", masks)


def _in_bytes(scan: Scan) -> FloatArray:
    """Values 0 to 255: bytes as they are, deeper files by their brightest value."""
    if scan.bits == 8:
        return scan.pixels
    return scan.pixels * (255 / max(float(scan.pixels.max()), 1.0))


def _box(mask: FloatArray, sample: Sample) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise DataError(f"{sample.dataset}/{sample.path} has an empty mask: nothing to crop by.")
    return np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _resized(pixels: FloatArray, side: int) -> FloatArray:
    shrinking = min(pixels.shape[:2]) > side
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    pixels = np.ascontiguousarray(pixels, dtype=np.float32)
    resized = cv2.resize(pixels, (side, side), interpolation=method)
    return resized.reshape(side, side, -1)
