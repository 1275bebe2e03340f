"""The segmenters: U-Nets whose blocks are residual.

After Zhang, Liu, Wang 2018, "Road Extraction by Deep Residual U-Net" (arXiv 1711.10684):
encoder, bridge and decoder of residual blocks, skip connections by concatenation. Each block here
keeps convolution, batch norm and ReLU in that order, so that inference folds the norm into the
convolution.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.inference.networks.torchvision_compat import import_torchvision

WIDTHS = (16, 32, 64, 128, 256)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; ``stride`` 2 halves the resolution."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False),
                nn.BatchNorm2d(outputs),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, outputs, height/stride, width/stride)."""
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResUNet(nn.Module):
    """Residual U-Net with one output channel.

    Input: float32 (n, 3, height, width), ImageNet-standardised, sides divisible by 16.
    Output: tumour logits (n, 1, height, width).
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        inputs = (3, *widths[:-1])
        self.encoder = nn.ModuleList(
            ResidualBlock(i, o, stride=1 if level == 0 else 2)
            for level, (i, o) in enumerate(zip(inputs[:-1], widths[:-1], strict=True))
        )
        self.bridge = ResidualBlock(inputs[-1], widths[-1], stride=2)
        self.decoder = nn.ModuleList(
            ResidualBlock(deep + skip, skip)
            for deep, skip in zip(reversed(widths[1:]), reversed(widths[:-1]), strict=True)
        )
        self.head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Tumour logits in the resolution of the input."""
        skips = []
        x = images
        for block in self.encoder:
            x = block(x)
            skips.append(x)
        x = self.bridge(x)
        for block, skip in zip(self.decoder, reversed(skips), strict=True):
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(torch.cat((x, skip), dim=1))
        return self.head(x)


class ResUNet50(nn.Module):
    """Residual U-Net whose encoder is the first four stages of a ResNet50.

    The encoder has torchvision's names under ``body``, as ``ResNet50Classifier`` has, so that a
    trained classifier's fit: what tells tumours apart also knows where they lie. The decoder's
    blocks, and one that sees the picture in full resolution, are those of ``ResUNet``.

    Input: float32 (n, 3, height, width), ImageNet-standardised, sides divisible by 16.
    Output: tumour logits (n, 1, height, width).
    """

    def __init__(self) -> None:
        super().__init__()
        # Zero-initialised last norms start each block as the identity, which helps from scratch.
        body = import_torchvision().models.resnet50(weights=None, zero_init_residual=True)
        del body.layer4, body.fc
        self.body = body
        self.full = ResidualBlock(3, 16)
        # Coarse to fine: 1/16, 1/8 and 1/4 of the side are narrowed before they are joined.
        self.narrow = nn.ModuleList(
            nn.Sequential(nn.Conv2d(i, o, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU())
            for i, o in ((1024, 256), (512, 128), (256, 64))
        )
        self.decoder = nn.ModuleList(
            ResidualBlock(deep + skip, outputs)
            for deep, skip, outputs in ((256, 128, 128), (128, 64, 64), (64, 64, 32), (32, 16, 16))
        )
        self.head = nn.Conv2d(16, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Tumour logits in the resolution of the input."""
        body = self.body
        half = body.relu(body.bn1(body.conv1(images)))
        quarter = body.layer1(body.maxpool(half))
        eighth = body.layer2(quarter)
        narrowed = [
            part(x)
            for part, x in zip(self.narrow, (body.layer3(eighth), eighth, quarter), strict=True)
        ]
        x, skips = narrowed[0], (*narrowed[1:], half, self.full(images))
        for block, skip in zip(self.decoder, skips, strict=True):
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(torch.cat((x, skip), dim=1))
        return self.head(x)
