"""Losses: known values, known limits, gradients where they are needed."""

import pytest
import torch
from torch.nn import functional

from train.losses import distillation, focal_tversky, segmentation


@pytest.fixture
def logits():
    return torch.randn(8, 4, generator=torch.Generator().manual_seed(0))


LABELS = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])


def test_without_a_teacher_it_is_cross_entropy(logits):
    found = distillation(logits, LABELS, None, 0.7, 2.0, 0.05)
    assert found == functional.cross_entropy(logits, LABELS, label_smoothing=0.05)


def test_a_student_like_its_teacher_pays_for_the_labels_alone(logits):
    found = distillation(logits, LABELS, logits.clone(), 0.7, 2.0, 0.0)
    assert found.item() == pytest.approx(
        0.3 * functional.cross_entropy(logits, LABELS).item(), rel=1e-5
    )


def test_the_divergence_is_scaled_by_the_square_of_the_temperature(logits):
    teacher = logits.flip(1)
    wanted = (teacher / 3).softmax(1)
    expected = 9 * (wanted * (wanted.log() - (logits / 3).log_softmax(1))).sum(1).mean()
    found = distillation(logits, LABELS, teacher, 1.0, 3.0, 0.0)
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_perfect_mask_costs_next_to_nothing_and_a_missed_one_the_most():
    masks = torch.zeros(2, 1, 8, 8)
    masks[:, :, 2:5, 2:5] = 1
    good, bad = (masks * 2 - 1) * 30, -torch.full_like(masks, 30)
    assert segmentation(good, masks) < 1e-3
    assert focal_tversky(good, masks) < focal_tversky(bad, masks)
    assert focal_tversky(bad, masks) > 0.85


def test_the_tversky_index_by_hand():
    masks = torch.tensor([1.0, 1.0, 0.0, 0.0]).view(1, 1, 2, 2)
    logits = torch.tensor([40.0, -40.0, 40.0, -40.0]).view(1, 1, 2, 2)
    # One hit, one missed, one false pixel.
    index = (1 + 1) / (1 + 0.6 + 0.4 + 1)
    assert focal_tversky(logits, masks).item() == pytest.approx((1 - index) ** 0.75, rel=1e-4)


def test_a_missed_pixel_costs_more_than_a_false_one():
    masks = torch.zeros(1, 1, 4, 4)
    masks[..., :2] = 1
    missed, false = masks.clone(), masks.clone()
    missed[..., 0, 0], false[..., 0, 3] = 0, 1
    assert focal_tversky((missed * 2 - 1) * 30, masks) > focal_tversky((false * 2 - 1) * 30, masks)


def test_lesion_free_slices_still_teach():
    logits = torch.zeros(2, 1, 8, 8, requires_grad=True)
    segmentation(logits, torch.zeros(2, 1, 8, 8)).backward()
    assert (logits.grad > 0).all()


def test_a_perfect_prediction_has_a_finite_gradient():
    masks = torch.ones(1, 1, 4, 4)
    logits = torch.full_like(masks, 60.0).requires_grad_()
    segmentation(logits, masks).backward()
    assert torch.isfinite(logits.grad).all()


def test_half_precision_logits_give_a_full_precision_loss():
    masks = torch.zeros(1, 1, 16, 16)
    assert (
        segmentation(torch.zeros(1, 1, 16, 16, dtype=torch.bfloat16), masks).dtype is torch.float32
    )
