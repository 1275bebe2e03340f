"""The manifest that binds weights to everything they need, and strict loading of what it names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from core.errors import WeightsError
from core.imaging import PREPROCESSING_VERSION
from core.types import CLASSES, ScanKind

if TYPE_CHECKING:
    from torch import nn

MANIFEST_FORMAT = 2
_CURE = (
    "Restore the folder from the repository (git checkout -- weights), or make the files again "
    "with `python -m train export`."
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BoundFile(_Strict):
    """A file in the weights folder and the sha256 of its bytes."""

    file: str
    sha256: str


class Graph(_Strict):
    """A saved inference graph (OpenVINO IR): structure and constants."""

    structure: BoundFile
    constants: BoundFile


class NetworkEntry(_Strict):
    """One network: weights, the graph exported from them, architecture and input side in pixels."""

    weights: BoundFile
    graph: Graph
    architecture: str
    input_side: int


class ClassifierEntry(NetworkEntry):
    """The classifier; ``mirrored`` if each picture is averaged with its mirror image."""

    mirrored: bool


class MaskRule(_Strict):
    """From probabilities to a mask, fitted on ``val``.

    ``threshold`` is the tumour probability a pixel needs; a connected part smaller than
    ``min_area_fraction`` of the head is no mask.
    """

    threshold: float
    min_area_fraction: float


class SegmenterEntry(NetworkEntry):
    """The segmenter, with a rule for each kind of scan: what it outlines differs, and how surely.

    A lesion on a gray scan may be a pituitary tumour of a few pixels; on a composite so small a
    part is mostly none.
    """

    gray: MaskRule
    composite: MaskRule

    def rule(self, kind: ScanKind) -> MaskRule:
        """The rule for scans of a kind."""
        return self.gray if kind is ScanKind.GRAY else self.composite


class Calibration(_Strict):
    """Softmax temperature and the threshold on the tumour probability, with their origin."""

    temperature: float
    decision_threshold: float
    fitted_on: str


class OutOfDistribution(_Strict):
    """The fitted feature model and the largest score that counts as in distribution."""

    parameters: BoundFile
    threshold: float
    method: str
    fitted_on: str


class Provenance(_Strict):
    """Where the weights come from."""

    data: str
    split: str
    commands: list[str]
    commit: str
    licence: str


class Manifest(_Strict):
    """``weights/manifest.json``."""

    format: int
    model_version: str
    created: str
    classes: list[str]
    preprocessing_version: str
    classifier: ClassifierEntry
    segmenter: SegmenterEntry
    calibration: Calibration
    ood: OutOfDistribution
    provenance: Provenance
    val_metrics: dict[str, float]


def load_manifest(folder: Path) -> Manifest:
    """Read and check ``manifest.json``.

    Raises:
        WeightsError: it is missing, malformed, or made for other classes or preprocessing.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise WeightsError(f"{path} is missing: there are no weights to analyse with. {_CURE}")
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise WeightsError(f"{path} is malformed: {error}. {_CURE}") from error
    if manifest.format != MANIFEST_FORMAT:
        raise WeightsError(
            f"{path} has format {manifest.format}, this program reads {MANIFEST_FORMAT}. {_CURE}"
        )
    if tuple(manifest.classes) != CLASSES:
        raise WeightsError(
            f"{path} lists the classes {manifest.classes}, expected {list(CLASSES)}. {_CURE}"
        )
    if manifest.preprocessing_version != PREPROCESSING_VERSION:
        raise WeightsError(
            f"The weights were trained with preprocessing {manifest.preprocessing_version!r}, "
            f"this program prepares scans with {PREPROCESSING_VERSION!r}. {_CURE}"
        )
    return manifest


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def checked_file(folder: Path, bound: BoundFile) -> Path:
    """The path of a manifest's file, once its bytes have the sha256 that the manifest names.

    Raises:
        WeightsError: the file is missing or other bytes than the manifest's.
    """
    path = folder / bound.file
    if not path.is_file():
        raise WeightsError(f"{path} is missing, although the manifest names it. {_CURE}")
    found = sha256_of(path)
    if found != bound.sha256:
        raise WeightsError(
            f"{path} is not the file the manifest names: its sha256 is {found[:12]}..., "
            f"expected {bound.sha256[:12]}.... {_CURE}"
        )
    return path


def load_arrays(folder: Path, bound: BoundFile) -> dict[str, np.ndarray]:
    """The tensors of a checked safetensors file, as NumPy arrays.

    Raises:
        WeightsError: the file is missing, changed, or no safetensors file.
    """
    path = checked_file(folder, bound)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is no readable safetensors file: {error}. {_CURE}") from error


def load_network(
    networks: Mapping[str, Callable[[], nn.Module]], folder: Path, entry: NetworkEntry
) -> nn.Module:
    """Build the manifest's network and fill it from its weights, every tensor by name and shape.

    Args:
        networks: what builds each architecture, by name.
        folder: the weights folder.
        entry: the network's part of the manifest.

    Returns:
        The network in evaluation mode, in float32, without gradients.

    Raises:
        WeightsError: the architecture is not among ``networks``, or a tensor is missing, unknown
            or of another shape.
    """
    import torch

    if entry.architecture not in networks:
        raise WeightsError(
            f"The manifest's {entry.weights.file} is a {entry.architecture!r}; this program knows "
            f"{', '.join(networks)}. {_CURE}"
        )
    network = networks[entry.architecture]()
    arrays = load_arrays(folder, entry.weights)
    expected: dict[str, Any] = network.state_dict()
    missing, unknown = expected.keys() - arrays.keys(), arrays.keys() - expected.keys()
    if missing or unknown:
        raise WeightsError(
            f"{entry.weights.file} does not fit {entry.architecture}: missing "
            f"{sorted(missing)[:3] or 'none'}, unknown {sorted(unknown)[:3] or 'none'}. {_CURE}"
        )
    for name, tensor in expected.items():
        if tuple(tensor.shape) != arrays[name].shape:
            raise WeightsError(
                f"{entry.weights.file}: {name} has shape {arrays[name].shape}, expected "
                f"{tuple(tensor.shape)}. {_CURE}"
            )
    tensors = {
        name: torch.from_numpy(arrays[name]).to(tensor.dtype) for name, tensor in expected.items()
    }
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False)
