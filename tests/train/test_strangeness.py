"""The out-of-distribution score and the pictures that it is fitted with."""

from itertools import combinations
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from safetensors.numpy import load_file

pytest.importorskip("sklearn")

from core.inference.ood import FeatureModel
from core.inference.weights import sha256_of
from core.types import ScanKind
from train.data.negatives import damaged, negatives
from train.data.pack import load_pack
from train.evaluation.strangers import CHOSEN, FITTED, MEASURED, shipped
from train.evaluation.views import one_per_group
from train.metrics import rank_auc
from train.strangeness import fit_feature_model, write_feature_model


@pytest.fixture(scope="module")
def scan():
    y, x = np.mgrid[:96, :90].astype(np.float32)
    head = np.hypot((y - 48) / 40, (x - 45) / 36) < 1
    return (head * (90 + 40 * np.sin(x / 6)))[..., None].astype(np.float32)


def test_damage_is_of_many_kinds_and_changes_the_scan(scan):
    found = damaged(scan, np.random.default_rng(0))
    assert len(found) == 7
    for name, pixels in found.items():
        assert pixels.dtype == np.float32
        assert pixels.min() >= 0, name
        rows, columns = pixels.shape[:2]
        assert abs(pixels - scan[:rows, :columns]).mean() > 5, name
    again = damaged(scan, np.random.default_rng(0))
    assert all(np.array_equal(found[name], again[name]) for name in found)


def test_negatives_are_squares_as_the_networks_see_them(scan):
    squares = negatives(np.rint(scan)[None].astype(np.uint8))
    photographs = len(list(shipped(FITTED)))
    assert squares.shape == (7 + 200 + 100 + photographs, 224, 224, 3)
    assert squares.dtype == np.uint8
    assert photographs >= 10


def test_no_photograph_is_fitted_with_chosen_by_or_measured_with_twice():
    parts = [[one.pixels for one in shipped(part)] for part in (FITTED, CHOSEN, MEASURED)]
    assert min(map(len, parts)) >= 10
    for some, others in combinations(parts, 2):
        assert not any(np.array_equal(mine, other) for mine in some for other in others)
    kinds = {one.kind for one in shipped(MEASURED)}
    assert kinds == {ScanKind.GRAY, ScanKind.COMPOSITE}


def test_strangers_that_the_distance_cannot_tell_are_told_by_the_linear_term():
    rng = np.random.default_rng(3)

    def draw(count, shift):
        roots = 20 + rng.normal(size=(count, 64))
        roots[:, 5] += shift  # within the spread of the scans: the distance hardly notices
        return (roots**2).astype(np.float32)

    known, held_out, scans = draw(400, 0), draw(200, 0), draw(200, 0)
    strangers = draw(200, 2)
    model = fit_feature_model(known, held_out, draw(200, 2), leading=8)
    plain = FeatureModel.fit(known, leading=8)
    wrong = np.repeat([False, True], 200)

    def auc(one):
        return rank_auc(wrong, one.score(np.concatenate([scans, strangers])))

    assert auc(plain) < 0.75
    assert auc(model) > 0.8
    assert model.score(held_out).mean() == pytest.approx(plain.score(held_out).mean(), abs=1e-3)


class Thumbnails:
    """A runtime whose features are the picture's own brightness, eight by eight."""

    def classify(self, images):
        small = [cv2.resize(one, (8, 8), interpolation=cv2.INTER_AREA) for one in images]
        features = np.stack(small).mean(axis=3).reshape(len(images), -1).astype(np.float32)
        empty = np.zeros((len(images), 4), np.float32)
        return SimpleNamespace(logits=empty, features=features, maps=empty)


def test_what_is_written_is_what_the_engine_loads(tiny_data, tmp_path):
    cache, out = tmp_path / "cache", tmp_path / "weights"
    out.mkdir()
    gray = load_pack(tiny_data.four_class, tiny_data.root, cache, channels=1)
    lgg = load_pack(tiny_data.lgg, tiny_data.root, cache, channels=3)
    entry, accepted = write_feature_model(Thumbnails(), gray, lgg, out)
    assert entry.parameters.sha256 == sha256_of(out / entry.parameters.file)
    assert 0.5 < accepted <= 1
    model = FeatureModel(**load_file(out / entry.parameters.file))
    val = one_per_group(gray, "val").images.repeat(3, axis=3)
    within = model.score(Thumbnails().classify(val).features) <= entry.threshold
    assert within.sum() == len(val) - 1  # the limit lies below the strangest one
    page = np.full((1, 224, 224, 3), 250, np.uint8)
    assert model.score(Thumbnails().classify(page).features)[0] > entry.threshold
