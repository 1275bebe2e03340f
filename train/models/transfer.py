"""Networks of a body, from torchvision or drawn here, and a head of dense layers.

The split matters to training: a frozen body gives each picture the same features in every epoch, so
they are computed once and only the head is run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from core.errors import DataError, WeightsError
from core.inference.networks.torchvision_compat import import_torchvision
from train.models.augnet import augnet_state
from train.models.cnn import plain_cnn_body, small_cnn_body
from train.models.registry import NAMED_WEIGHTS, create_model


class BodyAndHead(nn.Module):
    """A classifier: pictures -> features (n, width) -> outputs (n, classes)."""

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body, self.head = body, head

    def forward(self, images: Tensor) -> Tensor:
        """Outputs of pictures (n, channels, side, side)."""
        return self.head(self.body(images))


class _Vgg16(nn.Module):
    """VGG16's convolutions (Simonyan, Zisserman 2014, arXiv 1409.1556), names as in torchvision.

    Args:
        grid: side of the grid of features that pooling leaves; 7 is torchvision's, 1 the mean.
    """

    def __init__(self, grid: int) -> None:
        super().__init__()
        vgg = import_torchvision().models.vgg
        self.features = vgg.make_layers(vgg.cfgs["D"])
        self.pool = nn.AdaptiveAvgPool2d(grid)
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        return self.pool(self.features(images)).flatten(1)


def _resnet(name: str) -> nn.Module:
    body = getattr(import_torchvision().models, name)(weights=None)
    body.fc = nn.Identity()
    return body


def _efficientnet_b0() -> nn.Module:
    body = import_torchvision().models.efficientnet_b0(weights=None)
    body.classifier = nn.Identity()
    return body


def _efficientnet_lite0(init: str = "scratch") -> nn.Module:
    body = create_model("efficientnet_lite0", init)
    body.reset_classifier(0)
    return body


# Of the bodies that torchvision has weights for: how to draw them, and the name of the weights.
_TORCHVISION: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "resnet18": (lambda: _resnet("resnet18"), "ResNet18_Weights"),
    "resnet50": (lambda: _resnet("resnet50"), "ResNet50_Weights"),
    "resnet101": (lambda: _resnet("resnet101"), "ResNet101_Weights"),
    "efficientnet_b0": (_efficientnet_b0, "EfficientNet_B0_Weights"),
    "vgg16": (lambda: _Vgg16(1), "VGG16_Weights"),
    "vgg16_flat": (lambda: _Vgg16(7), "VGG16_Weights"),
}
_OWN: dict[str, Callable[[int, float], nn.Module]] = {
    "small_cnn": small_cnn_body,
    "plain_cnn": plain_cnn_body,
}
# efficientnet_lite0 is in no document: its ImageNet weights come from a package, so that a frozen
# body can be run where nothing may be downloaded.
BODIES = (*_TORCHVISION, *_OWN, "efficientnet_lite0")
OUTPUTS = {"log_softmax": lambda: nn.LogSoftmax(dim=1), "log_sigmoid": nn.LogSigmoid}


def build_classifier(
    body: str,
    head: Sequence[int | str],
    classes: int,
    *,
    init: str = "scratch",
    side: int = 224,
    channels: int = 3,
    dropout: float = 0.0,
    output: str = "log_softmax",
) -> BodyAndHead:
    """Build a classifier.

    Args:
        body: one of ``BODIES``.
        head: its layers in order; a number is a dense layer of that width, beside ``relu``,
            ``norm`` and ``dropout``. A dense layer with one output per class and the output
            function follow.
        classes: number of classes.
        init: ``scratch``; ``imagenet`` or, for ResNet50, ``augnet`` (the body alone); or a file,
            see ``load_weights``.
        side: of the pictures, in pixels.
        channels: of the pictures.
        dropout: probability of all dropout layers.
        output: one of ``OUTPUTS``.

    Raises:
        ValueError: an unknown name, or channels that the body does not take.
        DataError: the named weights could not be had.
        WeightsError: the weights do not fit.
    """
    if init in NAMED_WEIGHTS and (body in _OWN or (init == "augnet" and body != "resnet50")):
        raise ValueError(f"{body} has no weights named {init}; use --init scratch")
    if body in _OWN:
        network = _OWN[body](channels, dropout)
    elif body not in BODIES:
        raise ValueError(f"unknown body {body!r}; known: {', '.join(BODIES)}")
    elif channels != 3:
        raise ValueError(f"{body} takes pictures of 3 channels, got {channels}")
    elif body == "efficientnet_lite0":
        network = _efficientnet_lite0(init if init == "imagenet" else "scratch")
    else:
        network = _TORCHVISION[body][0]()
        if init == "imagenet":
            _load_body(network, _imagenet_state(_TORCHVISION[body][1]), "ImageNet's weights")
        elif init == "augnet":
            _load_body(network, augnet_state(), "AugNet's weights")
    with torch.no_grad():
        width = network.eval()(torch.zeros(1, channels, side, side)).shape[1]
    built = BodyAndHead(network, _head(head, width, classes, dropout, output)).train()
    if init not in ("scratch", *NAMED_WEIGHTS):
        load_weights(built, Path(init))
    return built


def load_weights(network: BodyAndHead, path: Path) -> None:
    """Load a whole network (a run's ``weights.safetensors``), or its body alone.

    A body comes as torchvision's file (``.pth``), or as safetensors with torchvision's names,
    which may begin with ``body.``; the old head is left out.

    Raises:
        WeightsError: the file cannot be read or does not fit.
    """
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, UnpicklingError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error
    if any(name.startswith("head.") for name in state):
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsError(f"{path} does not fit the network: {error}") from error
        return
    _load_body(network.body, {k.removeprefix("body."): v for k, v in state.items()}, str(path))


def _imagenet_state(name: str) -> dict[str, Tensor]:
    weights = getattr(import_torchvision().models, name).IMAGENET1K_V1
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except OSError as error:
        raise DataError(
            f"ImageNet weights could not be downloaded. Fetch {weights.url} elsewhere and give the "
            "file with --init PATH, or use --init scratch."
        ) from error


def _load_body(body: nn.Module, state: dict[str, Tensor], name: str) -> None:
    kept = {k: v for k, v in state.items() if k.split(".")[0] not in ("fc", "classifier")}
    try:
        body.load_state_dict(kept)
    except RuntimeError as error:
        raise WeightsError(f"{name} does not fit the body: {error}") from error


def _head(
    layers: Sequence[int | str], width: int, classes: int, dropout: float, output: str
) -> nn.Sequential:
    if output not in OUTPUTS:
        raise ValueError(f"unknown output {output!r}; known: {', '.join(OUTPUTS)}")
    made: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, int):
            made.append(nn.Linear(width, layer))
            width = layer
        elif layer == "relu":
            made.append(nn.ReLU())
        elif layer == "norm":
            made.append(nn.BatchNorm1d(width))
        elif layer == "dropout":
            made.append(nn.Dropout(dropout))
        else:
            raise ValueError(f"unknown layer {layer!r} in the head; known: relu, norm, dropout")
    return nn.Sequential(*made, nn.Linear(width, classes), OUTPUTS[output]())
