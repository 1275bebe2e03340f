"""Loading is strict: nothing but the files of the manifest is ever run."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from core.errors import WeightsError
from core.inference import Engine
from core.inference.networks import SEGMENTERS
from core.inference.weights import load_manifest, load_network, sha256_of


def replace(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def edit_manifest(folder: Path, **changes: object) -> None:
    record = json.loads((folder / "manifest.json").read_text())
    replace(folder / "manifest.json", json.dumps({**record, **changes}).encode())


def test_the_committed_weights_load_and_name_their_version(graph_engine: Engine):
    assert re.fullmatch(r"\d{4}\.\d{2}\.\d{2}-[0-9a-f]{8}", graph_engine.model_version)


def test_every_file_is_under_the_size_a_repository_takes(weights_folder: Path):
    assert all(f.stat().st_size < 95e6 for f in weights_folder.iterdir())


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
@pytest.mark.parametrize("network", ["classifier", "segmenter"])
def test_a_changed_file_is_refused_by_name(linked_weights: Path, runtime: str, network: str):
    name = f"{network}.bin" if runtime == "openvino" else f"{network}.safetensors"
    damaged = bytearray((linked_weights / name).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    replace(linked_weights / name, bytes(damaged))
    with pytest.raises(WeightsError, match=name) as error:
        Engine.load(linked_weights, runtime=runtime)
    assert "git checkout" in str(error.value)


@pytest.mark.parametrize("name", ["classifier.xml", "segmenter.bin", "ood.safetensors"])
def test_a_missing_file_is_named_with_the_cure(linked_weights: Path, name: str):
    (linked_weights / name).unlink()
    with pytest.raises(WeightsError, match=re.escape(name)) as error:
        Engine.load(linked_weights, runtime="openvino")
    assert "train export" in str(error.value)


def test_an_empty_folder_is_no_random_network(tmp_path: Path):
    with pytest.raises(WeightsError, match=re.escape("manifest.json")):
        Engine.load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"classes": ["glioma", "no_tumor", "meningioma", "pituitary"]}, "classes"),
        ({"preprocessing_version": "0"}, "preprocessing"),
        ({"format": 99}, "format"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_manifest_for_other_code_is_refused(linked_weights: Path, changes: dict, word: str):
    edit_manifest(linked_weights, **changes)
    with pytest.raises(WeightsError, match=word):
        load_manifest(linked_weights)


def test_a_manifest_cut_short_is_refused(linked_weights: Path):
    text = (linked_weights / "manifest.json").read_bytes()
    replace(linked_weights / "manifest.json", text[: len(text) // 2])
    with pytest.raises(WeightsError, match="malformed"):
        load_manifest(linked_weights)


@pytest.mark.parametrize("fault", ["missing", "unknown", "shape"])
def test_every_tensor_is_checked(linked_weights: Path, fault: str):
    path = linked_weights / "segmenter.safetensors"
    tensors = load_file(path)
    if fault == "missing":
        del tensors["head.bias"]
    elif fault == "unknown":
        tensors["stowaway"] = np.zeros(1, np.float32)
    else:
        tensors["head.weight"] = np.zeros((1, 7, 1, 1), np.float16)
    path.unlink()
    save_file(tensors, path)
    entry = load_manifest(linked_weights).segmenter
    bound = entry.weights.model_copy(update={"sha256": sha256_of(path)})
    with pytest.raises(WeightsError, match=r"missing|shape"):
        load_network(SEGMENTERS, linked_weights, entry.model_copy(update={"weights": bound}))


def test_an_architecture_of_a_later_version_is_named(linked_weights: Path):
    entry = load_manifest(linked_weights).segmenter.model_copy(update={"architecture": "unet99"})
    with pytest.raises(WeightsError, match=r"'unet99'; this program knows resunet, resunet50"):
        load_network(SEGMENTERS, linked_weights, entry)


def test_the_manifest_binds_the_weights_that_are_there(weights_folder: Path):
    record = json.loads((weights_folder / "manifest.json").read_text())
    for network in ("classifier", "segmenter"):
        bound = record[network]["weights"]
        assert sha256_of(weights_folder / bound["file"]) == bound["sha256"]
        assert bound["file"].endswith(".safetensors")
