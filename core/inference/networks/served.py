"""The networks as they are served: from uint8 squares to everything one forward pass can tell.

Both runtimes run these modules, torch directly and OpenVINO as the graph exported from them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.inference.networks.resnet50 import ResNet50Classifier
from core.inference.networks.resunet import ResUNet

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class _Standardised(nn.Module):
    """Turns uint8 (n, side, side, 3) into ImageNet-standardised float32 (n, 3, side, side)."""

    def __init__(self) -> None:
        super().__init__()
        mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
        self.register_buffer("scale", 1 / (255 * std), persistent=False)
        self.register_buffer("offset", -mean / std, persistent=False)

    def standardise(self, images: Tensor) -> Tensor:
        return images.permute(0, 3, 1, 2).float() * self.scale + self.offset


class ServedClassifier(_Standardised):
    """Logits, pooled features and the Grad-CAM map of every class, from one forward pass.

    Args:
        network: the classifier.
        mirrored: whether each picture goes through together with its mirror image and the two are
            averaged, so that a scan and its mirror image get the same answer.
    """

    def __init__(self, network: ResNet50Classifier, mirrored: bool) -> None:
        super().__init__()
        self.network = network
        self.mirrored = mirrored

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (n, classes), features (n, 2048), maps (n, classes, side/32, side/32).

        A class's map is the sum of the feature maps, weighted by the head's weights of that class:
        with global average pooling before one linear layer these weights are, up to the factor
        1 / (height * width), the gradients that Grad-CAM averages. The maps are those of the
        picture as it came, also where its mirror image has a say in logits and features.
        """
        pictures = self.standardise(images)
        if self.mirrored:
            pictures = torch.stack((pictures, pictures.flip(3)), dim=1).flatten(0, 1)
        maps = self.network.forward_features(pictures)
        features = torch.mean(maps, dim=(2, 3))
        if self.mirrored:
            features = features.unflatten(0, (-1, 2)).mean(dim=1)
            maps = maps.unflatten(0, (-1, 2))[:, 0]
        head = self.network.body.fc
        class_maps = nn.functional.conv2d(maps, head.weight[:, :, None, None])
        return head(features), features, class_maps


class ServedSegmenter(_Standardised):
    """Tumour probability of each pixel."""

    def __init__(self, network: ResUNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Tumour probability (n, side, side), 0 to 1."""
        return torch.sigmoid(self.network(self.standardise(images)))[:, 0]
