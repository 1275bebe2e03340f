"""The networks that are served."""

from core.inference.networks.resnet50 import ResNet50Classifier
from core.inference.networks.resunet import ResUNet, ResUNet50

# By the architecture that a manifest names.
CLASSIFIERS = {"resnet50": ResNet50Classifier}
SEGMENTERS = {"resunet": ResUNet, "resunet50": ResUNet50}

__all__ = ["CLASSIFIERS", "SEGMENTERS", "ResNet50Classifier", "ResUNet", "ResUNet50"]
