"""The plain way to do what the engine does: what a notebook would write.

One picture at a time: an eager float32 forward of ResNet50 (and one of the mirror image where the
manifest averages the two), the ``grad-cam`` package's GradCAM on it, an eager float32 forward of
the ResUNet. Preprocessing, the mask's rule and the way back to the picture's
coordinates are the engine's own, so that only the networks' part differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from core.imaging import map_to_source, prepare, resize_square
from core.inference.masks import mask_in_source, square_mask
from core.inference.networks import CLASSIFIERS, SEGMENTERS
from core.inference.networks.served import IMAGENET_MEAN, IMAGENET_STD
from core.inference.networks.torchvision_compat import import_torchvision
from core.inference.weights import load_manifest, load_network
from core.types import Scan

_MEAN = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
_STD = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)


@dataclass(frozen=True, eq=False)
class PlainResult:
    """Probabilities (classes,), mask (bool) and heat map in the picture's coordinates."""

    probabilities: np.ndarray
    mask: np.ndarray
    heat_map: np.ndarray


class PlainPipeline:
    """Both networks in eager torch, from the same weights."""

    def __init__(self, folder: Path) -> None:
        import_torchvision()  # the grad-cam package imports torchvision by itself
        from pytorch_grad_cam import GradCAM

        self.manifest = load_manifest(folder)
        self.classifier = load_network(CLASSIFIERS, folder, self.manifest.classifier)
        # GradCAM goes backward through the body, as it does for anybody who uses it.
        self.classifier.requires_grad_(True)
        self.segmenter = load_network(SEGMENTERS, folder, self.manifest.segmenter)
        self.gradcam = GradCAM(self.classifier, [self.classifier.body.layer4[-1]])

    def analyse(self, scan: Scan) -> PlainResult:
        """Analyse one scan."""
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        prepared = prepare(scan)
        small = _tensor(resize_square(prepared.image, self.manifest.classifier.input_side))
        with torch.no_grad():
            logits = self.classifier(small)
            if self.manifest.classifier.mirrored:
                logits = (logits + self.classifier(small.flip(3))) / 2
            temperature = self.manifest.calibration.temperature
            probabilities = torch.softmax(logits / temperature, dim=1)[0].numpy()
        target = ClassifierOutputTarget(int(probabilities.argmax()))
        heat = self.gradcam(small, targets=[target])[0]
        large = _tensor(resize_square(prepared.image, self.manifest.segmenter.input_side))
        with torch.no_grad():
            tumour = torch.sigmoid(self.segmenter(large))[0, 0].numpy()
        rule = self.manifest.segmenter.rule(prepared.kind)
        mask = mask_in_source(tumour, square_mask(tumour, prepared.head, rule), prepared, rule)
        return PlainResult(
            probabilities,
            mask > 0,
            map_to_source(heat, prepared.geometry),
        )


def _tensor(image: np.ndarray) -> torch.Tensor:
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    return (pixels - _MEAN) / _STD
