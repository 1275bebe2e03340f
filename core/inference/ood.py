"""How strange a scan looks to the classifier.

The features of the training scans are described by probabilistic PCA (Tipping, Bishop 1999): a
Gaussian with full variance in its leading directions and one common variance in all others. The
score is the Mahalanobis distance under it, per dimension, so that training scans lie near 1.

The square root of the features (rectified, hence not negative) is taken first: it steadies their
variance, and unlike unit length it keeps how strongly the network responds at all.

A picture can be no scan and yet have common features, such as a scan cut into shuffled tiles. So
where pictures that are no scans were to be had, a linear term is added that was fitted to tell them
from scans (outlier exposure: Hendrycks et al. 2019, arXiv 1812.04606). How the score fares against
others, on pictures of kinds it was not fitted with, stands in the model card.
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
        direction: float32 (dimensions,), along which pictures that are no scans lie; or None.
        offset: float32 (1,), of the linear term; or None.
    """

    mean: FloatArray
    components: FloatArray
    variances: FloatArray
    residual_variance: FloatArray
    direction: FloatArray | None = None
    offset: FloatArray | None = None

    @staticmethod
    def fit(features: FloatArray, leading: int) -> FeatureModel:
        """Fit to features (n, dimensions), not negative."""
        rows = FeatureModel.rooted(features).astype(np.float64)
        mean = rows.mean(axis=0)
        _, singular, transposed = np.linalg.svd(rows - mean, full_matrices=False)
        variance = singular**2 / (len(rows) - 1)
        rest = variance[leading:].sum() / (rows.shape[1] - leading)
        arrays = (mean, transposed[:leading].T, variance[:leading], np.array([rest]))
        return FeatureModel(*(np.ascontiguousarray(a, dtype=np.float32) for a in arrays))

    def score(self, features: FloatArray) -> FloatArray:
        """Out-of-distribution score of features (n, dimensions), shape (n,); higher is stranger."""
        rooted = self.rooted(features)
        centred = rooted - self.mean
        inside = centred @ self.components
        outside = np.maximum((centred**2).sum(axis=1) - (inside**2).sum(axis=1), 0)
        distance = (inside**2 / self.variances).sum(axis=1) + outside / self.residual_variance
        score = np.sqrt(distance / len(self.mean))
        if self.direction is not None and self.offset is not None:
            score = score + rooted @ self.direction + self.offset
        return score.astype(np.float32)

    @staticmethod
    def rooted(features: FloatArray) -> FloatArray:
        """What mean, components and direction are of: the square roots of the features."""
        return np.sqrt(np.maximum(features, 0))
