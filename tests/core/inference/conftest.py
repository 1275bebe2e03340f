"""Weights and synthetic scans for the tests of the engine."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.config import settings
from core.inference import Engine
from core.inference.weights import Manifest, load_manifest
from core.types import Scan, ScanKind


@pytest.fixture(scope="session")
def weights_folder() -> Path:
    return settings().weights


@pytest.fixture(scope="session")
def manifest(weights_folder: Path) -> Manifest:
    return load_manifest(weights_folder)


@pytest.fixture(scope="session")
def graph_engine(weights_folder: Path) -> Engine:
    return Engine.load(weights_folder, runtime="openvino")


@pytest.fixture(scope="session")
def torch_engine(weights_folder: Path) -> Engine:
    return Engine.load(weights_folder, runtime="torch")


@pytest.fixture
def linked_weights(weights_folder: Path, tmp_path: Path) -> Path:
    """A folder of links to the weights, in which a test may replace one file."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for file in weights_folder.iterdir():
        if file.is_file():
            (folder / file.name).symlink_to(file.resolve())
    return folder


def _head(seed: int, height: int, width: int) -> np.ndarray:
    """Something like a slice: a bright rim, textured brain, a brighter blob; values 0 to 1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    radius = np.hypot((y - height / 2) / (0.42 * height), (x - width / 2) / (0.36 * width))
    picture = np.where(radius < 1, 0.45, 0.0) + np.where((radius > 0.9) & (radius < 1), 0.4, 0)
    centre_y, centre_x = rng.uniform(0.35, 0.65, 2)
    blob = np.hypot(y / height - centre_y, x / width - centre_x) < rng.uniform(0.04, 0.12)
    picture = picture + np.where(blob, 0.4, 0) + rng.normal(0, 0.03, picture.shape) * (radius < 1)
    return np.clip(picture, 0, 1).astype(np.float32)


@pytest.fixture(scope="session")
def make_scan() -> Callable[..., Scan]:
    def make(seed: int = 0, height: int = 240, width: int = 200, composite: bool = False) -> Scan:
        if composite:
            pixels = np.stack([_head(seed + i, height, width) for i in range(3)], axis=2)
            return Scan(pixels * 255, ScanKind.COMPOSITE, "TIFF", 8)
        return Scan(_head(seed, height, width)[..., None] * 255, ScanKind.GRAY, "PNG", 8)

    return make
