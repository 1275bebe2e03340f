"""How strange a scan looks to the classifier.

The features of the training scans are described by probabilistic PCA (Tipping, Bishop 1999): a
Gaussian with full variance in its leading directions and one common variance in all others. The
score is the Mahalanobis distance under it, per dimension, so that training scans lie near 1.

The square root of the features (rectified, hence not negative) is taken first: it steadies their
variance, and unlike unit length it keeps how strongly the network responds at all. How it fares
against other scores stands in the model card.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.types import FloatArray


@dataclass(frozen=True, eq=False)
class FeatureModel:
    """A fitted description of the training features.

    Attributes:
        mean: float32 (dimensions,).
        components: float32 (dimensions, leading), orthonormal columns.
        variances: float32 (leading,), along the components.
        residual_variance: float32 (1,), of every other direction.
    """

    mean: FloatArray
    components: FloatArray
    variances: FloatArray
    residual_variance: FloatArray

    @staticmethod
    def fit(features: FloatArray, leading: int) -> FeatureModel:
        """Fit to features (n, dimensions), not negative."""
        rows = _rooted(features).astype(np.float64)
        mean = rows.mean(axis=0)
        _, singular, transposed = np.linalg.svd(rows - mean, full_matrices=False)
        variance = singular**2 / (len(rows) - 1)
        rest = variance[leading:].sum() / (rows.shape[1] - leading)
        arrays = (mean, transposed[:leading].T, variance[:leading], np.array([rest]))
        return FeatureModel(*(np.ascontiguousarray(a, dtype=np.float32) for a in arrays))

    def score(self, features: FloatArray) -> FloatArray:
        """Out-of-distribution score of features (n, dimensions), shape (n,); higher is stranger."""
        centred = _rooted(features) - self.mean
        inside = centred @ self.components
        outside = np.maximum((centred**2).sum(axis=1) - (inside**2).sum(axis=1), 0)
        distance = (inside**2 / self.variances).sum(axis=1) + outside / self.residual_variance
        return np.sqrt(distance / len(self.mean)).astype(np.float32)


def _rooted(features: FloatArray) -> FloatArray:
    return np.sqrt(np.maximum(features, 0))
