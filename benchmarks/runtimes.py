"""``python -m benchmarks.runtimes``: one forward pass of both networks, by what can run them.

The engine serves what wins here and costs users least to install. ONNX Runtime takes part where it
and ``onnx`` are installed; the project does not need them.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
import typer
from torch import nn

from benchmarks.machine import BUSY_SHARE, busy_share
from core.config import settings
from core.inference.networks import CLASSIFIERS, SEGMENTERS
from core.inference.networks.served import ServedClassifier, ServedSegmenter
from core.inference.weights import NetworkEntry, checked_file, load_manifest, load_network

ROUNDS = 30

Forward = Callable[[np.ndarray], np.ndarray]


def _torch(model: nn.Module) -> Forward:
    def forward(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            found = model(torch.from_numpy(images))
        return (found[0] if isinstance(found, tuple) else found).numpy()

    return forward


def _openvino(folder: Path, entry: NetworkEntry) -> Forward:
    import openvino

    structure = checked_file(folder, entry.graph.structure)
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(structure, "CPU", options).create_infer_request()
    return lambda images: np.array(request.infer([images]).to_tuple()[0])


def _onnx_runtime(model: nn.Module, side: int) -> Forward:
    import onnxruntime

    example = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        torch.onnx.export(model, (example,), path, dynamo=False, input_names=["images"])
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})[0]


def _candidates(
    model: nn.Module, folder: Path, entry: NetworkEntry
) -> Iterator[tuple[str, Callable[[], Forward]]]:
    yield "torch eager", lambda: _torch(model)
    last = torch.channels_last
    yield "torch channels_last", lambda: _torch(model.to(memory_format=last))  # type: ignore[call-overload]
    example = torch.zeros(1, entry.input_side, entry.input_side, 3, dtype=torch.uint8)

    def fused() -> Forward:
        traced = torch.jit.trace(model, example)
        return _torch(torch.jit.optimize_for_inference(torch.jit.freeze(traced)))

    yield "torch fused (jit.freeze)", fused
    yield "torch.compile", lambda: _torch(torch.compile(model))
    yield "ONNX Runtime", lambda: _onnx_runtime(model, entry.input_side)
    yield "OpenVINO, float32", lambda: _openvino(folder, entry)


def main() -> None:
    """Median milliseconds of one picture, preparation and first call in seconds."""
    if (busy := busy_share()) > BUSY_SHARE:
        typer.echo(f"Other programs use {busy:.0%} of this machine's cores.", err=True)
        raise typer.Exit(2)
    folder = settings().weights
    manifest = load_manifest(folder)
    served_classifier = partial(ServedClassifier, mirrored=manifest.classifier.mirrored)
    networks = (
        ("ResNet50", served_classifier, CLASSIFIERS, manifest.classifier),
        ("ResUNet", ServedSegmenter, SEGMENTERS, manifest.segmenter),
    )
    for title, served, known, entry in networks:
        model = served(load_network(known, folder, entry)).eval().requires_grad_(False)
        side = entry.input_side
        images = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
        expected = _torch(model)(images)
        typer.echo(f"{title}, {side} px")
        for name, build in _candidates(model, folder, entry):
            started = time.perf_counter()
            try:
                forward = build()
                found = forward(images)
            except ImportError as error:
                typer.echo(f"  {name:<26} not installed ({error.name})")
                continue
            ready = time.perf_counter() - started
            typer.echo(
                f"  {name:<26} {_median_ms(forward, images):7.1f} ms   ready after {ready:5.1f} s"
                f"   differs by {np.abs(found - expected).max():.4f}"
            )


def _median_ms(forward: Forward, images: np.ndarray) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        forward(images)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    typer.run(main)
