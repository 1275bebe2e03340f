"""Prepared scans and masks packed into arrays, so that an epoch reads memory and not files.

The pack holds what ``core.imaging.prepare`` returns, nothing else: training sees what serving sees.
It lies in a cache folder, is made once, and is remade when the preprocessing, the lists, the data
folder or the size of a file in it change.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from core.imaging import (
    PREPROCESSING_VERSION,
    SIDE,
    map_to_square,
    prepare,
    resize_square,
)
from core.types import ScanKind, UInt8Array
from train.data.layouts import read_mask, read_scan
from train.data.splits import Sample

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Pack:
    """Prepared scans of a list of samples.

    Attributes:
        samples: the list, in the arrays' order.
        images: uint8 (n, side, side, 3) for composites, (n, side, side, 1) for gray sets.
        masks: uint8 (n, side, side), 0 or 255; only for samples with ``has_mask``.
        has_mask: bool (n,).
    """

    samples: tuple[Sample, ...]
    images: UInt8Array
    masks: UInt8Array
    has_mask: np.ndarray

    @property
    def side(self) -> int:
        """Side of the squares in pixels."""
        return self.images.shape[1]

    def resized(self, side: int) -> Pack:
        """The same pack at another resolution, in memory."""
        if side == self.side:
            return self
        count, channels = len(self.samples), self.images.shape[3]
        images = np.empty((count, side, side, channels), np.uint8)
        masks = np.empty((count, side, side), np.uint8)
        for i in range(count):
            images[i] = _keep_axis(resize_square(self.images[i], side))
            masks[i] = _binary(resize_square(self.masks[i], side))
        return Pack(self.samples, images, masks, self.has_mask)

    def subset(self, keep: np.ndarray) -> Pack:
        """The samples at the given positions."""
        chosen = tuple(self.samples[i] for i in keep)
        return Pack(chosen, self.images[keep], self.masks[keep], self.has_mask[keep])

    def positions(self, split: str) -> np.ndarray:
        """Positions of one split's samples."""
        return np.array([i for i, s in enumerate(self.samples) if s.split == split], dtype=int)


def _keep_axis(image: UInt8Array) -> UInt8Array:
    return image if image.ndim == 3 else image[..., None]


def _binary(mask: UInt8Array) -> UInt8Array:
    return np.where(mask >= 128, 255, 0).astype(np.uint8)


def origin(samples: Sequence[Sample], root: Path) -> list[Any]:
    """What a cache is made of, for its name: the data folder, and every file with its size.

    Args:
        samples: rows of a split list.
        root: the data folder.

    Returns:
        The folder's resolved path; and for each sample its data set, path, and the sizes in bytes
        of picture and mask, None where there is no such file.
    """
    files = [(s.dataset, s.path, _size(s.file(root)), _size(s.mask_file(root))) for s in samples]
    return [str(root.resolve()), files]


def _size(path: Path | None) -> int | None:
    try:
        return None if path is None else path.stat().st_size
    except FileNotFoundError:
        return None


def fill_once(folder: Path, make: Callable[[Path], None]) -> None:
    """Have a cache folder filled, unless it is.

    Two runs may begin together. Each writes into a folder of its own and moves whole files from
    there, the mark that they are complete last: none cuts short what another has written.

    Args:
        folder: of the cache; marked by the file ``done``.
        make: writes its files into the folder that it is given.
    """
    if (folder / "done").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    own = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", suffix=".part", dir=folder.parent))
    try:
        make(own)
        if not (folder / "done").exists():
            for path in own.iterdir():
                path.replace(folder / path.name)
            (folder / "done").touch()
    finally:
        shutil.rmtree(own, ignore_errors=True)


def load_pack(samples: list[Sample], root: Path, cache: Path, channels: int) -> Pack:
    """Return the pack of ``samples``, made now or read from ``cache``.

    What was made in another data folder, or of files of other sizes, is not read.

    Args:
        samples: rows of a split list.
        root: the data folder.
        cache: folder for the packed arrays; about 0.5 GB for each of the two lists.
        channels: 1 for gray sets, 3 for composites.
    """
    identity = [PREPROCESSING_VERSION, SIDE, channels, origin(samples, root)]
    key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
    folder = cache / f"pack-{key}"
    fill_once(folder, lambda own: _make(samples, root, own, channels))
    return Pack(
        tuple(samples),
        np.load(folder / "images.npy", mmap_mode="r"),
        np.load(folder / "masks.npy", mmap_mode="r"),
        np.load(folder / "has_mask.npy"),
    )


def _make(samples: list[Sample], root: Path, folder: Path, channels: int) -> None:
    count = len(samples)
    images = np.lib.format.open_memmap(
        folder / "images.npy", mode="w+", dtype=np.uint8, shape=(count, SIDE, SIDE, channels)
    )
    masks = np.lib.format.open_memmap(
        folder / "masks.npy", mode="w+", dtype=np.uint8, shape=(count, SIDE, SIDE)
    )
    has_mask = np.zeros(count, bool)
    for i, sample in enumerate(tqdm(samples, desc="preparing scans", unit="scan")):
        prepared = prepare(read_scan(sample, root))
        if channels == 1 and prepared.kind is ScanKind.COMPOSITE:
            log.warning("%s/%s has differing channels; averaged", sample.dataset, sample.path)
        whole = channels == 3
        images[i] = prepared.image if whole else prepared.image.mean(axis=2, keepdims=True)
        mask = read_mask(sample, root)
        if mask is not None:
            has_mask[i] = True
            masks[i] = np.where(map_to_square(mask, prepared.geometry) >= 0.5, 255, 0)
    images.flush()
    masks.flush()
    np.save(folder / "has_mask.npy", has_mask)
