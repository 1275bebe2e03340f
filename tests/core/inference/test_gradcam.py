"""The closed form is Grad-CAM: compared with the grad-cam package on the same layer."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch

from core.imaging import prepare, resize_square
from core.inference import Engine
from core.inference.gradcam import heat_map
from core.inference.networks.torchvision_compat import import_torchvision
from core.types import CLASSES, Scan, TumourClass


@pytest.mark.parametrize("number", range(len(CLASSES)))
def test_heat_maps_agree_with_the_grad_cam_package(
    torch_engine: Engine, graph_engine: Engine, make_scan: Callable[..., Scan], number: int
):
    import_torchvision()  # the package imports torchvision by itself
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    side = torch_engine.manifest.classifier.input_side
    squares = [prepare(make_scan(seed)).image for seed in range(3)]
    images = np.stack([resize_square(square, side) for square in squares])
    served = torch_engine.runtime._classifier
    tensors = served.standardise(torch.from_numpy(images))
    # The package goes backward through the body, so its copy needs gradients; ours has none.
    network = copy.deepcopy(served.network).requires_grad_(True)
    with GradCAM(network, [network.body.layer4[-1]]) as reference:
        targets = [ClassifierOutputTarget(number)] * len(images)
        expected = reference(tensors, targets=targets)
    for engine in (torch_engine, graph_engine):
        maps = engine.runtime.classify(np.stack(squares)).maps[:, number]
        for mine, theirs in zip(maps, expected, strict=True):
            found = heat_map(mine, side)
            if theirs.max() == 0:
                assert found.max() == 0
            else:
                assert np.corrcoef(found.ravel(), theirs.ravel())[0, 1] > 0.99
    assert expected.max() > 0  # at least one picture speaks for the class


def test_a_map_without_support_is_blank():
    assert not heat_map(-np.ones((5, 5), np.float32), 32).any()


def test_a_map_is_scaled_to_the_full_range():
    found = heat_map(np.arange(25, dtype=np.float32).reshape(5, 5), 64)
    assert found.min() == 0
    assert found.max() == pytest.approx(1)
    assert found.shape == (64, 64)


def test_explaining_another_class_changes_the_map_and_nothing_else(
    graph_engine: Engine, make_scan: Callable[..., Scan]
):
    scan = make_scan(1)
    maps = {c: graph_engine.analyse([scan], heat_map_class=c)[0] for c in TumourClass}
    assert {c: m.heat_map_class for c, m in maps.items()} == {c: c for c in TumourClass}
    assert len({m.predicted for m in maps.values()}) == 1
    pictures = {m.heat_map.tobytes() for m in maps.values()}
    assert len(pictures) > 1


def test_all_heat_maps_are_those_of_the_single_classes(
    graph_engine: Engine, make_scan: Callable[..., Scan]
):
    scan = make_scan(1)
    (found,) = graph_engine.analyse([scan])
    assert set(found.heat_maps) == set(TumourClass)
    assert np.array_equal(found.heat_map, found.heat_maps[found.predicted])
    for name, heat in found.heat_maps.items():
        (alone,) = graph_engine.analyse([scan], heat_map_class=name)
        assert np.abs(heat - alone.heat_map).max() < 1e-3
