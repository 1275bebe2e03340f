"""Temperature and the out-of-distribution score, on numbers made up here."""

from dataclasses import replace

import numpy as np
import pytest

from core.inference.calibration import calibrated
from core.inference.ood import FeatureModel


def test_temperature_one_is_softmax():
    logits = np.array([[1.0, 2.0, 3.0, 4.0]], np.float32)
    expected = np.exp(logits) / np.exp(logits).sum()
    assert calibrated(logits, 1.0) == pytest.approx(expected, abs=1e-6)


def test_a_higher_temperature_is_less_sure_and_keeps_the_order():
    logits = np.array([[0.3, 2.0, -1.0, 1.0]], np.float32)
    sure, unsure = calibrated(logits, 0.5)[0], calibrated(logits, 4.0)[0]
    assert sure.max() > unsure.max()
    assert (sure.argsort() == unsure.argsort()).all()


def test_huge_logits_stay_finite():
    assert np.isfinite(calibrated(np.array([[1e4, -1e4, 0, 0]], np.float32), 0.1)).all()


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(8, 64))
    roots = 20 + rng.normal(size=(500, 8)) @ basis + 0.1 * rng.normal(size=(500, 64))
    return (roots**2).astype(np.float32)


def test_training_like_features_score_near_one_and_others_higher(features: np.ndarray):
    model = FeatureModel.fit(features[:400], leading=8)
    held_out = model.score(features[400:])
    assert 0.5 < np.median(held_out) < 2
    strange = np.random.default_rng(1).uniform(0, 400, size=(100, 64)).astype(np.float32)
    assert model.score(strange).min() > held_out.max()


def test_the_score_is_a_mahalanobis_distance(features: np.ndarray):
    model = FeatureModel.fit(features, leading=8)
    full = model.components @ np.diag(model.variances) @ model.components.T
    full += model.residual_variance * (np.eye(64) - model.components @ model.components.T)
    centred = (np.sqrt(features) - model.mean).astype(np.float64)
    expected = np.sqrt((centred @ np.linalg.inv(full) * centred).sum(axis=1) / 64)
    assert model.score(features) == pytest.approx(expected, rel=0.02)


def test_zero_features_do_not_divide_by_zero(features: np.ndarray):
    model = FeatureModel.fit(features, leading=8)
    assert np.isfinite(model.score(np.zeros((1, 64), np.float32))).all()


def test_the_linear_term_is_added_to_the_distance(features: np.ndarray):
    plain = FeatureModel.fit(features, leading=8)
    direction = np.random.default_rng(2).normal(size=64).astype(np.float32)
    model = replace(plain, direction=direction, offset=np.array([-3], np.float32))
    added = np.sqrt(features) @ direction - 3
    assert model.score(features) == pytest.approx(plain.score(features) + added, abs=1e-3)
