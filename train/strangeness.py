"""Fit of the out-of-distribution score: what scans look like, and which way other pictures lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from core.inference.ood import FeatureModel
from core.inference.runtime import Runtime
from core.inference.weights import BoundFile, OutOfDistribution, sha256_of
from core.types import FloatArray
from train.data.negatives import negatives
from train.data.pack import Pack
from train.evaluation.views import one_per_group
from train.served import classify

LEADING_DIRECTIONS = 16
# Share of val's four-class scans that the threshold accepts. LGG's slices do not count in it: those
# at the ends of a head hardly show any brain, and a limit that accepts them accepts photographs.
ACCEPTED_SHARE = 0.99
# One of so many training scans is damaged, to show the score what is no scan.
DAMAGED_EVERY = 16
# LGG's neighbouring slices are alike; one of so many stands for the others.
LGG_EVERY = 8
# Inverse strength of the regression's penalty; ten times less or more made no difference.
_PENALTY = 0.01


def write_feature_model(
    runtime: Runtime, four_class: Pack, lgg: Pack, out: Path
) -> tuple[OutOfDistribution, float]:
    """Fit the feature model on ``train``, its threshold on ``val``, and write it to ``out``.

    Returns:
        The manifest's entry, and the share of ``val`` that is accepted, LGG's slices counted.
    """

    def features(split: str) -> tuple[FloatArray, FloatArray]:
        """Of the four-class scans, and of them and LGG's slices, whole and by channel."""
        scans = classify(runtime, one_per_group(four_class, split)).features
        slices = lgg.subset(lgg.positions(split)[::LGG_EVERY])
        parts = [classify(runtime, slices, channel).features for channel in (-1, 0, 1, 2)]
        return scans, np.concatenate([scans, *parts])

    scans = one_per_group(four_class, "train").images[::DAMAGED_EVERY]
    pictures = negatives(scans)
    strange = np.concatenate(
        [runtime.classify(pictures[i : i + 32]).features for i in range(0, len(pictures), 32)]
    )
    val_scans, val = features("val")
    model = fit_feature_model(features("train")[1], val, strange, LEADING_DIRECTIONS)
    arrays = {name: torch.from_numpy(value) for name, value in vars(model).items()}
    file = out / "ood.safetensors"
    save_file(arrays, file)
    threshold = float(np.quantile(model.score(val_scans), ACCEPTED_SHARE))
    entry = OutOfDistribution(
        parameters=BoundFile(file=file.name, sha256=sha256_of(file)),
        threshold=threshold,
        method=(
            "Mahalanobis distance per dimension of the square roots of the pooled features under "
            f"probabilistic PCA with {LEADING_DIRECTIONS} directions, plus a linear term against "
            "pictures that are no scans"
        ),
        fitted_on=(
            f"train and {len(pictures)} pictures that are no scans; the threshold accepts "
            f"{ACCEPTED_SHARE:.0%} of val's distinct four-class scans"
        ),
    )
    return entry, float((model.score(val) <= threshold).mean())


def fit_feature_model(
    known: FloatArray, held_out: FloatArray, strange: FloatArray, leading: int
) -> FeatureModel:
    """The feature model with a linear term against pictures that are no scans.

    The term counts as much as the distance: over the held-out scans both vary equally, and the mean
    of the score stays that of the distance.

    Args:
        known: features of training scans, (n, dimensions).
        held_out: features of other scans.
        strange: features of pictures that are no scans.
        leading: directions with a variance of their own.
    """
    model = FeatureModel.fit(known, leading)
    rows = FeatureModel.rooted(np.concatenate([known, strange]))
    is_strange = np.arange(len(rows)) >= len(known)
    scaler = StandardScaler().fit(rows)
    regression = LogisticRegression(C=_PENALTY, class_weight="balanced", max_iter=1000)
    regression.fit(scaler.transform(rows), is_strange)
    direction = regression.coef_[0] / scaler.scale_
    found = FeatureModel.rooted(held_out) @ direction
    direction = direction * (model.score(held_out).std() / max(float(found.std()), 1e-9))
    offset = -(FeatureModel.rooted(held_out) @ direction).mean()
    return replace(
        model,
        direction=direction.astype(np.float32),
        offset=np.array([offset], np.float32),
    )
