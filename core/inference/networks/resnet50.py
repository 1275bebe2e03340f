"""The four-class classifier: torchvision's ResNet50 with a linear head.

Global average pooling followed by one linear layer makes Grad-CAM of the last block a closed form
of the forward pass, see ``core.inference.gradcam``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.inference.networks.torchvision_compat import import_torchvision
from core.types import CLASSES


class ResNet50Classifier(nn.Module):
    """ResNet50 (He et al. 2016, arXiv 1512.03385) with one output per class.

    Input: float32 (n, 3, side, side), ImageNet-standardised. The state dict is torchvision's own,
    so ImageNet weights load into everything but ``fc``.
    """

    def __init__(self, classes: int = len(CLASSES)) -> None:
        super().__init__()
        # Zero-initialised last norms start each block as the identity, which helps from scratch.
        body = import_torchvision().models.resnet50(weights=None, zero_init_residual=True)
        body.fc = nn.Linear(body.fc.in_features, classes)
        self.body = body

    def forward_features(self, images: Tensor) -> Tensor:
        """Feature maps of the last block, shape (n, 2048, side/32, side/32), rounded up."""
        body = self.body
        x = body.maxpool(body.relu(body.bn1(body.conv1(images))))
        return body.layer4(body.layer3(body.layer2(body.layer1(x))))

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape (n, classes)."""
        return self.body.fc(torch.mean(self.forward_features(images), dim=(2, 3)))
