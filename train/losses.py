"""Losses of the classifier (with distillation) and of the segmenter."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def distillation(
    logits: Tensor,
    labels: Tensor,
    teacher: Tensor | None,
    weight: float,
    temperature: float,
    smoothing: float,
) -> Tensor:
    """Cross entropy, mixed with the divergence from a teacher's softened output.

    Source: Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network"
    (arXiv 1503.02531). The teacher sees the same augmented picture as the student.

    Args:
        logits: (n, classes).
        labels: (n,), class numbers, or (n, classes), the share of each class.
        teacher: the teacher's logits (n, classes), or None for cross entropy alone.
        weight: share of the teacher's term, 0 to 1.
        temperature: softening of both distributions.
        smoothing: label smoothing of the cross entropy.
    """
    hard = functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    if teacher is None:
        return hard
    soft = functional.kl_div(
        functional.log_softmax(logits / temperature, dim=1),
        functional.log_softmax(teacher / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - weight) * hard + weight * temperature**2 * soft


def focal_tversky(
    logits: Tensor,
    masks: Tensor,
    alpha: float = 0.6,
    gamma: float = 0.75,
    smooth: float = 1.0,
    total: Callable[[Tensor], Tensor] = lambda counts: counts,
) -> Tensor:
    """Focal Tversky loss over the batch.

    Source: Abraham, Khan 2019, "A Novel Focal Tversky Loss Function with Improved Attention U-Net
    for Lesion Segmentation" (arXiv 1810.07842).

    Args:
        logits: (n, 1, height, width).
        masks: the same shape, 0 to 1.
        alpha: weight of missed pixels; ``1 - alpha`` weighs false ones.
        gamma: exponent; below 1 it sharpens the slope near a perfect overlap.
        smooth: added to numerator and denominator.
        total: adds the counts of the batch's other parts, where processes share a batch.
    """
    probability = torch.sigmoid(logits)
    counts = (probability * masks, (1 - probability) * masks, probability * (1 - masks))
    hit, missed, false = total(torch.stack([count.sum() for count in counts]))
    index = (hit + smooth) / (hit + alpha * missed + (1 - alpha) * false + smooth)
    return (1 - index).clamp(min=1e-6) ** gamma


def segmentation(logits: Tensor, masks: Tensor) -> Tensor:
    """Focal Tversky plus pixelwise cross entropy.

    The first follows the overlap that is reported; the second gives a gradient on slices without
    any lesion, where an overlap has none.
    """
    logits = logits.float()
    pixelwise = functional.binary_cross_entropy_with_logits(logits, masks)
    return focal_tversky(logits, masks) + pixelwise
