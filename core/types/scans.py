"""One scan on its way: decoded, prepared, analysed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


class TumourClass(StrEnum):
    """The four classes, in the order of the classifier's outputs."""

    GLIOMA = "glioma"
    MENINGIOMA = "meningioma"
    NO_TUMOR = "no_tumor"
    PITUITARY = "pituitary"


CLASSES: tuple[TumourClass, ...] = tuple(TumourClass)


class ScanKind(StrEnum):
    """How the three network channels are filled.

    ``GRAY`` is one sequence, repeated three times; ``COMPOSITE`` holds three sequences, such as
    LGG's pre-contrast, FLAIR and post-contrast slices.
    """

    GRAY = "gray"
    COMPOSITE = "composite"


@dataclass(frozen=True, eq=False)
class Scan:
    """One decoded picture.

    Attributes:
        pixels: float32, shape (height, width, channels) with 1 channel for ``GRAY`` and 3 for
            ``COMPOSITE``, in the file's own value range.
        kind: how the channels are to be read.
        source_format: the container, such as ``"PNG"``.
        bits: bits per sample in the file.
        spacing_mm: millimetres between rows and between columns, where the file says so.
        window: lowest and highest value that the file asks to be shown, in the values of
            ``pixels``; None where it does not ask. For display only: networks see all values.
    """

    pixels: FloatArray
    kind: ScanKind
    source_format: str
    bits: int
    spacing_mm: tuple[float, float] | None = None
    window: tuple[float, float] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]


@dataclass(frozen=True)
class Geometry:
    """Where the network's square lies in the uploaded picture.

    Attributes:
        source_size: height and width of the uploaded picture, in pixels.
        box: top, left, bottom, right of the crop in the uploaded picture (end exclusive).
        placed: top, left, height, width of that crop inside the square.
        side: side of the square in pixels.
    """

    source_size: tuple[int, int]
    box: tuple[int, int, int, int]
    placed: tuple[int, int, int, int]
    side: int


@dataclass(frozen=True, eq=False)
class PreparedScan:
    """A scan as the networks see it.

    Attributes:
        image: uint8, shape (side, side, 3), 0 to 255.
        head: bool, shape (side, side); the head's outline, filled.
        geometry: the way back to the uploaded picture.
        kind: gray or composite.
        contrast: share of the value range of the file's pixels that the picture uses, 0 to 1;
            0 means a blank picture.
    """

    image: UInt8Array
    head: BoolArray
    geometry: Geometry
    kind: ScanKind
    contrast: float


@dataclass(frozen=True, eq=False)
class Analysis:
    """What the engine says of one scan.

    Attributes:
        probabilities: calibrated probability per class, summing to 1.
        predicted: the most probable class.
        tumour_probability: 1 minus the probability of ``no_tumor``.
        suspected: whether ``tumour_probability`` reaches the decision threshold.
        mask: uint8, 0 or 255, in the size of the uploaded picture.
        mask_area_fraction: masked area over the area of the head, 0 to 1.
        heat_maps: Grad-CAM by class: float32, 0 to 1, in the size of the uploaded picture. The
            engine's makes a map whenever it is asked for.
        heat_map_class: the class that ``heat_map`` explains.
        ood_score: out-of-distribution score; higher is stranger.
        in_distribution: whether ``ood_score`` is at most the threshold fitted on ``val``.
        kind: gray or composite, hence what the mask outlines.
        model_version: identity of the weights that made this.
        elapsed_ms: time spent on this scan in milliseconds (a batch's time is shared equally).
    """

    probabilities: dict[TumourClass, float]
    predicted: TumourClass
    tumour_probability: float
    suspected: bool
    mask: UInt8Array
    mask_area_fraction: float
    heat_maps: Mapping[TumourClass, FloatArray]
    heat_map_class: TumourClass
    ood_score: float
    in_distribution: bool
    kind: ScanKind
    model_version: str
    elapsed_ms: float

    @property
    def heat_map(self) -> FloatArray:
        """The heat map of ``heat_map_class``."""
        return self.heat_maps[self.heat_map_class]
