"""Volumes for NIfTI files: numbered voxels, and matrices that lay them askew."""

from __future__ import annotations

import numpy as np

# Each voxel has a value of its own.
NUMBERED = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)


def rotation(angle: float, axis: int) -> np.ndarray:
    turned = np.eye(3)
    i, j = [k for k in range(3) if k != axis]
    turned[i, i] = turned[j, j] = np.cos(angle)
    turned[i, j], turned[j, i] = -np.sin(angle), np.sin(angle)
    return turned


def oblique(spacing=(1.0, 0.9, 4.0)) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = rotation(0.2, 0) @ rotation(-0.15, 1) @ rotation(0.1, 2) @ np.diag(spacing)
    affine[:3, 3] = [11.0, -23.5, 7.25]
    return affine
