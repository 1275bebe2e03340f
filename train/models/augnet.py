"""A ResNet50 pre-trained without labels, from a package: for machines that cannot download weights.

AugNet (Chen et al. 2021, arXiv 2106.06250) learns from unlabelled photographs which pictures are
altered copies of one another. Its network lies in the package imgsim (MIT licence).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from core.errors import DataError, WeightsError

INSTALL = "python -m pip install --no-deps imgsim==0.1.2"
_PREFIX = "module.pre."


def augnet_state() -> dict[str, Tensor]:
    """The tensors of the body, under torchvision's names and without ``fc``.

    Raises:
        DataError: the package is not installed.
        WeightsError: its file is not the one that is known.
    """
    # Only its folder is asked for: importing it would load OpenCV and a network of its own.
    spec = find_spec("imgsim")
    if spec is None or spec.origin is None:
        raise DataError(f"AugNet's weights come with a package: {INSTALL}")
    path = Path(spec.origin).with_name("model.pth")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, UnpicklingError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error
    body = {k.removeprefix(_PREFIX): v for k, v in state.items() if k.startswith(_PREFIX)}
    return {name: value for name, value in body.items() if not name.startswith("fc.")}
