"""A frozen teacher for distillation: a trained network that only ever goes forward."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from train.config import RunConfig, trained_side
from train.loop import device
from train.models.registry import create_model

Teacher = Callable[[Tensor], Tensor]


def load_teacher(folder: Path) -> Teacher:
    """The trained network of a run folder, as a function from standardised images to logits.

    On the CPU it runs in OpenVINO: a step of the student's training waits for the teacher's
    forward pass, and depthwise convolutions are slow in eager torch.
    """
    config = RunConfig.load(folder / "config.json")
    model = create_model(config.arch, str(folder / "weights.safetensors"))
    model = model.eval().requires_grad_(False)
    side = trained_side(folder)
    if device().type == "cpu":
        return _compiled(model, side)
    model = model.to(device(), memory_format=torch.channels_last)

    def forward(images: Tensor) -> Tensor:
        with torch.no_grad():
            return model(_at(images, side)).float()

    return forward


def _at(images: Tensor, side: int) -> Tensor:
    """The images at the side the teacher was trained at."""
    if images.shape[-1] == side:
        return images
    return nn.functional.interpolate(
        images, size=(side, side), mode="bilinear", antialias=images.shape[-1] > side
    )


def _compiled(model: nn.Module, side: int) -> Teacher:
    import openvino

    example = torch.zeros(1, 3, side, side)
    graph = openvino.convert_model(model, example_input=example, input=[-1, 3, side, side])
    request = openvino.Core().compile_model(graph, "CPU").create_infer_request()

    def forward(images: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            array = _at(images.float(), side).contiguous().numpy()
        found = request.infer([array], share_inputs=True)
        return torch.from_numpy(np.array(found.to_tuple()[0], dtype=np.float32))

    return forward
