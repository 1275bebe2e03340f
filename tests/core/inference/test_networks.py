"""The networks' shapes, and torchvision beside a torch it was not built for."""

import subprocess
import sys

import pytest
import torch

from core.inference.networks import SEGMENTERS, ResNet50Classifier, ResUNet
from core.inference.networks.torchvision_compat import import_torchvision


def test_the_classifier_is_torchvisions_resnet50_with_four_outputs():
    network = ResNet50Classifier()
    reference = import_torchvision().models.resnet50(num_classes=4)
    mine = {k.removeprefix("body."): v.shape for k, v in network.state_dict().items()}
    assert mine == {k: v.shape for k, v in reference.state_dict().items()}
    reference.load_state_dict({k[5:]: v for k, v in network.state_dict().items()})
    images = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        expected = reference.eval()(images)
        assert torch.allclose(network.eval()(images), expected, atol=1e-5)
    assert expected.shape == (2, 4)


@pytest.mark.parametrize("side", [64, 128, 160])
def test_the_resunet_keeps_the_resolution(side: int):
    with torch.inference_mode():
        for network in SEGMENTERS.values():
            assert network().eval()(torch.randn(2, 3, side, side)).shape == (2, 1, side, side)


def test_every_resunet_weight_takes_part():
    network = ResUNet()
    network(torch.randn(2, 3, 32, 32)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_torchvision_imports_in_a_fresh_process_and_only_once_cured():
    script = (
        "from core.inference.networks.torchvision_compat import import_torchvision\n"
        "first = import_torchvision()\n"
        "assert import_torchvision() is first\n"
        "import torchvision\n"
        "assert torchvision is first and torchvision.models.resnet18 is not None\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
