"""The networks that are served."""

from core.inference.networks.resnet50 import ResNet50Classifier
from core.inference.networks.resunet import ResUNet

__all__ = ["ResNet50Classifier", "ResUNet"]
