"""First weights by name: a package's fill the body and nothing else, absent ones are named."""

from importlib.machinery import ModuleSpec
from importlib.util import find_spec

import pytest
import torch
from safetensors.torch import save_file

from core.errors import DataError, WeightsError
from train.models import augnet
from train.models.registry import create_model
from train.models.transfer import build_classifier


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package imgsim whose file holds the tensors given to it, or nothing of the kind."""

    def made(tensors: dict[str, torch.Tensor] | bytes) -> None:
        path = tmp_path / "model.pth"
        if isinstance(tensors, bytes):
            path.write_bytes(tensors)
        else:
            torch.save(tensors, path)
        spec = ModuleSpec("imgsim", None, origin=str(tmp_path / "__init__.py"))
        monkeypatch.setattr(augnet, "find_spec", lambda name: spec)

    return made


def named_as_the_package(body: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"module.pre.{k}": v for k, v in body.items()}


def test_augnet_fills_the_body_and_leaves_the_head(package):
    body = build_classifier("resnet50", (), 2, side=32).body.state_dict()
    kept = {k: torch.full_like(v, 3) for k, v in body.items()}
    package(named_as_the_package(kept | {"fc.weight": torch.zeros(768, 2048)}))
    state = create_model("resnet50", "augnet").state_dict()
    heads = {"body.fc.weight", "body.fc.bias"}
    assert {k for k, v in state.items() if not bool((v == 3).all())} == heads
    transferred = build_classifier("resnet50", (8,), 2, side=32, init="augnet")
    assert all(bool((v == 3).all()) for v in transferred.body.state_dict().values())


@pytest.mark.parametrize("missing", ["conv1.weight", "layer4.2.bn3.running_var"])
def test_a_package_that_lacks_a_tensor_is_refused(package, missing):
    body = build_classifier("resnet50", (), 2, side=32).body.state_dict()
    package(named_as_the_package({k: v for k, v in body.items() if k != missing}))
    with pytest.raises(WeightsError, match=missing):
        create_model("resnet50", "augnet")
    with pytest.raises(WeightsError, match=missing):
        build_classifier("resnet50", (), 2, side=32, init="augnet")


def test_a_package_whose_file_cannot_be_read_is_refused(package):
    package(b"no weights")
    with pytest.raises(WeightsError, match="cannot be read"):
        create_model("resnet50", "augnet")


def test_an_absent_package_is_named_with_its_command(monkeypatch):
    monkeypatch.setattr(augnet, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install .*imgsim"):
        create_model("resnet50", "augnet")


def test_a_classifiers_weights_fit_the_encoder_of_a_u_net(tmp_path):
    classifier = create_model("resnet50")
    save_file(classifier.state_dict(), tmp_path / "c.safetensors")
    network = create_model("resunet50", str(tmp_path / "c.safetensors"))
    theirs = classifier.body.state_dict()
    assert all(torch.equal(v, theirs[k]) for k, v in network.body.state_dict().items())
    # Its own file is taken whole, and another network's is refused.
    save_file(network.state_dict(), tmp_path / "u.safetensors")
    again = create_model("resunet50", str(tmp_path / "u.safetensors"))
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in network.state_dict().items())
    save_file(create_model("resunet").state_dict(), tmp_path / "r.safetensors")
    with pytest.raises(WeightsError, match=r"r\.safetensors does not fit resunet50"):
        create_model("resunet50", str(tmp_path / "r.safetensors"))


@pytest.mark.parametrize(("arch", "init"), [("resunet", "imagenet"), ("resunet", "augnet"),
                                            ("efficientnet_lite0", "augnet")])  # fmt: skip
def test_weights_that_a_network_does_not_have_are_refused(arch, init):
    with pytest.raises(ValueError, match=init):
        create_model(arch, init)


@pytest.mark.skipif(find_spec("imgsim") is None, reason=f"imgsim is absent: {augnet.INSTALL}")
def test_the_real_package_holds_a_network_that_has_learnt():
    """Its first filters are smooth, as those of a trained network are and drawn ones are not."""

    def roughness(model: torch.nn.Module) -> float:
        filters = model.body.conv1.weight.detach()
        return float((filters.diff(dim=3).square().mean() / filters.square().mean()).sqrt())

    assert roughness(create_model("resnet50", "augnet")) < 1.2 < roughness(create_model("resnet50"))
