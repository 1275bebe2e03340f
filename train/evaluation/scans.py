"""Scans as the engine gets them, with their mirror images and true masks.

Nothing is taken from the training's packs: every picture is decoded and prepared the way an
uploaded one is, so that the figures are those of what is served.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from core.imaging import SIDE, map_to_square, prepare
from core.types import BoolArray, Geometry, Scan, ScanKind, UInt8Array
from train.data.layouts import read_mask, read_scan
from train.data.splits import Sample


@dataclass(frozen=True, eq=False)
class ScanSet:
    """Prepared scans.

    Attributes:
        samples: rows of a split list, in the arrays' order.
        images: uint8 (n, 224, 224, 3).
        mirrored: the same of the pictures mirrored left to right before the preprocessing, as a
            user would upload them.
        heads: bool (n, 224, 224), the head's outline in each square.
        mirrored_heads: the same of the mirrored pictures.
        geometries: where each square lies in its picture.
        mirrored_geometries: the same of the mirrored pictures.
        masks: bool (n, 224, 224), the true masks in the square; empty where there is none.
        has_mask: bool (n,); whether the data set has a mask for the scan (an empty one counts).
        kinds: gray or composite, by which rule a mask is made.
    """

    samples: tuple[Sample, ...]
    images: UInt8Array
    mirrored: UInt8Array
    heads: BoolArray
    mirrored_heads: BoolArray
    geometries: tuple[Geometry, ...]
    mirrored_geometries: tuple[Geometry, ...]
    masks: BoolArray
    has_mask: BoolArray
    kinds: tuple[ScanKind, ...]

    @property
    def labels(self) -> list[str]:
        """Class name of each scan."""
        return [sample.label for sample in self.samples]

    @property
    def blocks(self) -> list[str]:
        """Resampling block of each scan."""
        return [sample.block for sample in self.samples]


def load_scans(
    samples: Sequence[Sample], root: Path, channel: int | None = None, title: str = "scans"
) -> ScanSet:
    """Decode and prepare samples.

    Args:
        samples: rows of a split list.
        root: the data folder.
        channel: show only this channel of a composite, as a gray picture of its own.
        title: of the progress bar.

    Raises:
        DataError: a file is missing.
    """
    count = len(samples)
    images = np.zeros((count, SIDE, SIDE, 3), np.uint8)
    mirrored = np.zeros_like(images)
    masks = np.zeros((count, SIDE, SIDE), bool)
    heads, mirrored_heads = np.zeros_like(masks), np.zeros_like(masks)
    has_mask = np.zeros(count, bool)
    geometries, mirrored_geometries, kinds = [], [], []
    for i, sample in enumerate(tqdm(samples, desc=f"preparing {title}", unit="scan")):
        scan = read_scan(sample, root)
        if channel is not None:
            scan = single_channel(scan, channel)
        prepared = prepare(scan)
        other = prepare(mirror(scan))
        images[i], mirrored[i] = prepared.image, other.image
        heads[i], mirrored_heads[i] = prepared.head, other.head
        geometries.append(prepared.geometry)
        mirrored_geometries.append(other.geometry)
        kinds.append(prepared.kind)
        mask = read_mask(sample, root)
        if mask is not None:
            has_mask[i] = True
            masks[i] = map_to_square(mask, prepared.geometry) >= 0.5
    return ScanSet(
        tuple(samples), images, mirrored, heads, mirrored_heads,
        tuple(geometries), tuple(mirrored_geometries), masks, has_mask,
        tuple(kinds),
    )  # fmt: skip


def mirror(scan: Scan) -> Scan:
    """The picture mirrored left to right."""
    pixels = np.ascontiguousarray(scan.pixels[:, ::-1])
    return Scan(pixels, scan.kind, scan.source_format, scan.bits)


def single_channel(scan: Scan, channel: int) -> Scan:
    """One channel as a gray picture.

    A slice whose sequences were missing has the same picture in all channels and was decoded as
    gray already: its only channel stands for each.
    """
    chosen = min(channel, scan.pixels.shape[2] - 1)
    pixels = np.ascontiguousarray(scan.pixels[..., chosen : chosen + 1])
    return Scan(pixels, ScanKind.GRAY, scan.source_format, scan.bits)
