"""What runs the networks: OpenVINO on the saved graphs, or torch on the safetensors weights.

Both take prepared squares and give the same arrays. torch is imported only where it runs.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from core.errors import WeightsError
from core.imaging import resize_square
from core.inference.weights import Graph, Manifest, checked_file, load_network
from core.types import FloatArray, UInt8Array

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ClassifierOutput:
    """What one forward pass of the classifier tells of a batch.

    Attributes:
        logits: float32 (n, classes), uncalibrated.
        features: float32 (n, 2048), pooled features before the head.
        maps: float32 (n, classes, h, w), unscaled Grad-CAM maps of every class.
    """

    logits: FloatArray
    features: FloatArray
    maps: FloatArray


class Runtime(Protocol):
    """Runs both networks on prepared squares, uint8 (n, 224, 224, 3). Safe to share by threads."""

    name: str

    def classify(self, images: UInt8Array) -> ClassifierOutput:
        """Logits, features and class maps."""

    def segment(self, images: UInt8Array) -> FloatArray:
        """Tumour probability per pixel, float32 (n, side, side) at the segmenter's input side."""


def load_runtime(folder: Path, manifest: Manifest, name: str, threads: int) -> Runtime:
    """Load the networks.

    Args:
        folder: the weights folder.
        manifest: its manifest.
        name: ``openvino``, ``torch``, or ``auto`` for OpenVINO where it is installed.
        threads: threads for inference; 0 takes all cores.

    Raises:
        WeightsError: a file is missing, changed or does not fit, or the named runtime is not
            installed.
    """
    if name == "torch":
        return TorchRuntime(folder, manifest, threads)
    try:
        import openvino  # noqa: F401
    except ImportError as error:
        if name == "openvino":
            raise WeightsError(
                "The runtime openvino is asked for but not installed. Install requirements.txt, "
                "or set NEUROTRIAGE_RUNTIME=torch."
            ) from error
        log.info("OpenVINO is not installed; running plain torch")
        return TorchRuntime(folder, manifest, threads)
    return OpenVinoRuntime(folder, manifest, threads)


def _resized(images: UInt8Array, side: int) -> UInt8Array:
    if images.shape[1] == side:
        return np.ascontiguousarray(images)
    return np.stack([resize_square(image, side) for image in images])


class OpenVinoRuntime:
    """Runs the saved graphs; nothing is converted at start."""

    name = "openvino"

    def __init__(self, folder: Path, manifest: Manifest, threads: int) -> None:
        import openvino

        self._sides = manifest.classifier.input_side, manifest.segmenter.input_side
        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if threads:
            options["INFERENCE_NUM_THREADS"] = str(threads)
        core = openvino.Core()
        # Where the CPU multiplies bfloat16 natively, the classifier is over four times as fast in
        # it. On 443 scans of val no class changed and no probability by more than 0.008. The
        # segmenter stays in float32: in bfloat16 a small mask at its threshold can vanish.
        native = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        fast = {**options, "INFERENCE_PRECISION_HINT": "bf16" if native else "f32"}
        self._classifier = _SharedGraph(core, folder, manifest.classifier.graph, fast)
        self._segmenter = _SharedGraph(core, folder, manifest.segmenter.graph, options)

    def classify(self, images: UInt8Array) -> ClassifierOutput:
        """See ``Runtime.classify``."""
        return ClassifierOutput(*self._classifier(_resized(images, self._sides[0])))

    def segment(self, images: UInt8Array) -> FloatArray:
        """See ``Runtime.segment``."""
        return self._segmenter(_resized(images, self._sides[1]))[0]


class _SharedGraph:
    """One compiled graph. Its request holds the buffers, so one thread at a time may run it."""

    def __init__(self, core: Any, folder: Path, graph: Graph, options: dict[str, str]) -> None:
        structure = checked_file(folder, graph.structure)
        constants = checked_file(folder, graph.constants)
        try:
            model = core.read_model(structure, constants)
            self._request = core.compile_model(model, "CPU", options).create_infer_request()
        except RuntimeError as error:
            raise WeightsError(
                f"{structure} cannot be read by this OpenVINO: {error}. "
                "Set NEUROTRIAGE_RUNTIME=torch, or export the graph again."
            ) from error
        self._lock = threading.Lock()

    def __call__(self, images: UInt8Array) -> list[FloatArray]:
        with self._lock:
            found = self._request.infer([images], share_inputs=True)
            # Copies: the request overwrites its buffers at the next call.
            return [np.array(value, dtype=np.float32) for value in found.to_tuple()]


class TorchRuntime:
    """Runs the safetensors weights in plain torch, on the CPU."""

    name = "torch"

    def __init__(self, folder: Path, manifest: Manifest, threads: int) -> None:
        import torch

        from core.inference.networks import CLASSIFIERS, SEGMENTERS
        from core.inference.networks.served import ServedClassifier, ServedSegmenter

        if threads:
            torch.set_num_threads(threads)
        self._torch = torch
        self._sides = manifest.classifier.input_side, manifest.segmenter.input_side
        body = load_network(CLASSIFIERS, folder, manifest.classifier)
        mask = load_network(SEGMENTERS, folder, manifest.segmenter)
        last = torch.channels_last
        self._classifier = (
            ServedClassifier(body, manifest.classifier.mirrored).eval().to(memory_format=last)
        )  # type: ignore[arg-type]
        self._segmenter = ServedSegmenter(mask).eval().to(memory_format=last)  # type: ignore[arg-type]

    def classify(self, images: UInt8Array) -> ClassifierOutput:
        """See ``Runtime.classify``."""
        with self._torch.inference_mode():
            found = self._classifier(self._torch.from_numpy(_resized(images, self._sides[0])))
        return ClassifierOutput(*(value.numpy() for value in found))

    def segment(self, images: UInt8Array) -> FloatArray:
        """See ``Runtime.segment``."""
        with self._torch.inference_mode():
            return self._segmenter(self._torch.from_numpy(_resized(images, self._sides[1]))).numpy()
