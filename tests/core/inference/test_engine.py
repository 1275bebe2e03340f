"""The engine's answers: typed, in the scan's own coordinates, the same from both runtimes."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.errors import WeightsError
from core.imaging import decode
from core.inference import Engine
from core.inference.runtime import load_runtime
from core.inference.weights import MaskRule
from core.types import CLASSES, Scan, ScanKind, TumourClass


def dice(a: np.ndarray, b: np.ndarray) -> float:
    total = int((a > 0).sum() + (b > 0).sum())
    return 1.0 if total == 0 else 2 * int(((a > 0) & (b > 0)).sum()) / total


def test_an_analysis_is_complete_and_consistent(
    graph_engine: Engine, make_scan: Callable[..., Scan]
):
    scan = make_scan(3, 301, 187)
    (found,) = graph_engine.analyse([scan])
    assert tuple(found.probabilities) == CLASSES
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert found.predicted == max(found.probabilities, key=found.probabilities.get)
    assert found.tumour_probability == pytest.approx(
        1 - found.probabilities[TumourClass.NO_TUMOR], abs=1e-6
    )
    threshold = graph_engine.manifest.calibration.decision_threshold
    assert found.suspected == (found.tumour_probability >= threshold)
    assert found.mask.shape == found.heat_map.shape == (301, 187)
    assert found.mask.dtype == np.uint8
    assert set(np.unique(found.mask)) <= {0, 255}
    assert found.heat_map.min() >= 0
    assert found.heat_map.max() <= 1
    assert 0 <= found.mask_area_fraction <= 1
    assert (found.mask_area_fraction > 0) == bool(found.mask.any())
    assert found.in_distribution == (found.ood_score <= graph_engine.manifest.ood.threshold)
    assert found.heat_map_class == found.predicted
    assert found.elapsed_ms > 0
    assert found.model_version == graph_engine.model_version


def test_a_batch_keeps_order_and_gives_what_single_scans_give(
    graph_engine: Engine, make_scan: Callable[..., Scan]
):
    scans = [make_scan(s, 200 + 10 * s, 220, composite=s % 2 == 1) for s in range(5)]
    together = graph_engine.analyse(scans)
    for scan, one in zip(scans, together, strict=True):
        (alone,) = graph_engine.analyse([scan])
        assert one.mask.shape == scan.size
        assert one.kind == scan.kind
        for name in CLASSES:
            assert one.probabilities[name] == pytest.approx(alone.probabilities[name], abs=1e-3)
        assert dice(one.mask, alone.mask) > 0.99
        assert one.ood_score == pytest.approx(alone.ood_score, rel=1e-3)


def test_each_kind_of_scan_has_its_own_rule_for_the_mask(
    graph_engine: Engine, make_scan: Callable[..., Scan]
):
    scans = [make_scan(1, composite=composite) for composite in (False, True)]
    entry = graph_engine.manifest.segmenter
    whole = MaskRule(threshold=0.0, min_area_fraction=0.0)
    none = MaskRule(threshold=0.0, min_area_fraction=9.0)  # no part is nine times the head
    rules = entry.model_copy(update={"gray": whole, "composite": none})
    manifest = graph_engine.manifest.model_copy(update={"segmenter": rules})
    engine = Engine(manifest, graph_engine.runtime, graph_engine._feature_model)
    gray, composite = engine.analyse(scans)
    assert gray.mask.any() and not composite.mask.any()


def test_no_scans_no_analyses(graph_engine: Engine):
    assert graph_engine.analyse([]) == []


def test_graph_and_torch_weights_agree(
    graph_engine: Engine, torch_engine: Engine, make_scan: Callable[..., Scan]
):
    scans = [make_scan(seed, composite=seed % 3 == 0) for seed in range(6)]
    pairs = zip(graph_engine.analyse(scans), torch_engine.analyse(scans), strict=True)
    for graph, plain in pairs:
        for name in CLASSES:
            assert graph.probabilities[name] == pytest.approx(plain.probabilities[name], abs=0.01)
        assert dice(graph.mask, plain.mask) > 0.99
        assert graph.ood_score == pytest.approx(plain.ood_score, rel=0.01)
        assert np.abs(graph.heat_map - plain.heat_map).max() < 0.05


@pytest.mark.data
def test_graph_and_torch_weights_agree_on_real_scans(
    graph_engine: Engine, torch_engine: Engine, data_root: Path
):
    files = sorted((data_root / "figshare" / "images").glob("*.jpg"))[::250]
    files += sorted((data_root / "lgg").glob("kaggle_3m/*/*_1[05].tif"))[::20]
    scans = [decode(file.read_bytes()) for file in files]
    pairs = zip(graph_engine.analyse(scans), torch_engine.analyse(scans), strict=True)
    for graph, plain in pairs:
        for name in CLASSES:
            assert graph.probabilities[name] == pytest.approx(plain.probabilities[name], abs=0.01)
        assert dice(graph.mask, plain.mask) > 0.99


def test_blank_and_noise_are_no_brain_scans(graph_engine: Engine):
    rng = np.random.default_rng(0)
    pictures = {
        "black": np.zeros((200, 200, 1)),
        "white": np.full((200, 200, 1), 255.0),
        "noise": rng.uniform(0, 255, (200, 200, 1)),
    }
    for name, pixels in pictures.items():
        scan = Scan(pixels.astype(np.float32), ScanKind.GRAY, "PNG", 8)
        (found,) = graph_engine.analyse([scan])
        assert not found.in_distribution, name
        assert np.isfinite(list(found.probabilities.values())).all()


def test_serving_the_graph_needs_no_torch(weights_folder: Path):
    script = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from core.inference import Engine\n"
        "from core.types import Scan, ScanKind\n"
        f"engine = Engine.load(Path({str(weights_folder)!r}), runtime='openvino')\n"
        "engine.analyse([Scan(np.eye(90, dtype=np.float32)[..., None], ScanKind.GRAY, 'PNG', 8)])\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_threads_share_one_engine(graph_engine: Engine, make_scan: Callable[..., Scan]):
    scans = [make_scan(seed) for seed in range(4)]
    expected = [graph_engine.analyse([scan])[0] for scan in scans]
    found: dict[tuple[int, int], float] = {}

    def work(thread: int) -> None:
        for index, scan in enumerate(scans):
            found[thread, index] = graph_engine.analyse([scan])[0].tumour_probability

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    for (_, index), value in found.items():
        assert value == pytest.approx(expected[index].tumour_probability, abs=1e-5)


def test_a_runtime_that_is_not_installed_is_said(
    weights_folder: Path, monkeypatch: pytest.MonkeyPatch, graph_engine: Engine
):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(WeightsError, match="NEUROTRIAGE_RUNTIME"):
        load_runtime(weights_folder, graph_engine.manifest, "openvino", 0)
    assert load_runtime(weights_folder, graph_engine.manifest, "auto", 0).name == "torch"
