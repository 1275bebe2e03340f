"""Augmentation: same geometry for image and mask, nothing drawn outside the generator."""

from dataclasses import replace

import pytest
import torch

from train.data.augment import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Augmentation,
    augment,
    mixed,
    quarter_turns,
    standardise,
)

NO_AUGMENTATION = Augmentation(0, 0, 0, 0, 0, 0, 0, 0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images():
    return torch.rand(6, 3, 32, 32, generator=generator(9))


@pytest.fixture
def disc():
    """A disc off the centre, shape (4, 1, 64, 64)."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    return (((y - 20) ** 2 + (x - 42) ** 2) < 100).float().expand(4, 1, 64, 64)


def test_no_augmentation_is_the_identity(images):
    masks = (images[:, :1] > 0.5).float()
    out, out_masks = augment(images, masks, NO_AUGMENTATION, generator())
    assert torch.allclose(out, images, atol=1e-5)
    assert torch.allclose(out_masks, masks, atol=1e-5)


def test_the_geometry_is_exact_where_the_network_computes_in_bfloat16():
    images = torch.rand(2, 3, 160, 160, generator=generator(9))
    every = Augmentation()
    exact, _ = augment(images, None, every, generator(5))
    with torch.autocast("cpu", torch.bfloat16):
        same, _ = augment(images, None, NO_AUGMENTATION, generator())
        changed, _ = augment(images, None, every, generator(5))
    assert torch.allclose(same, images, atol=1e-4)
    assert torch.equal(changed, exact)


def test_a_certain_mirror_is_a_flip_of_both(images):
    how = replace(NO_AUGMENTATION, mirror=1.0)
    out, masks = augment(images, images[:, :1].round(), how, generator())
    assert torch.allclose(out, images.flip(3), atol=1e-5)
    assert torch.allclose(masks, images[:, :1].round().flip(3), atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [{"rotation": 40.0}, {"scale": 0.3}, {"shift": 0.2}, {"mirror": 0.5}],
    ids=lambda change: next(iter(change)),
)
def test_image_and_mask_move_together(disc, change):
    how = replace(NO_AUGMENTATION, **change)
    out, masks = augment(disc.expand(-1, 3, -1, -1), disc, how, generator(3))
    assert torch.allclose(out[:, :1], masks, atol=1e-5)
    assert not torch.allclose(masks, disc, atol=0.1)


def test_a_rotation_keeps_the_area(disc):
    centred = torch.roll(disc, (12, -10), (2, 3))
    _, masks = augment(
        centred.expand(-1, 3, -1, -1), centred, replace(NO_AUGMENTATION, rotation=90.0), generator()
    )
    assert torch.allclose(masks.sum((1, 2, 3)), centred.sum((1, 2, 3)), rtol=0.02)


def test_the_generator_alone_decides(images):
    masks = images[:, :1].round()
    torch.manual_seed(1)
    first = augment(images, masks, Augmentation(), generator(5))
    torch.manual_seed(2)
    second = augment(images, masks, Augmentation(), generator(5))
    other = augment(images, masks, Augmentation(), generator(6))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], other[0])


def test_gray_stays_gray_and_values_stay_in_range(images):
    gray = images[:, :1].expand(-1, 3, -1, -1)
    strong = Augmentation(brightness=0.9, noise=0.5, blur=1.0)
    out, none = augment(gray, None, strong, generator())
    assert none is None
    assert torch.allclose(out[:, 0], out[:, 1], atol=1e-6)
    assert torch.allclose(out[:, 0], out[:, 2], atol=1e-6)
    assert out.min() >= 0
    assert out.max() <= 1


def test_standardise_is_imagenets():
    images = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert torch.allclose(standardise(images), torch.zeros(1, 3, 2, 2), atol=1e-6)
    above = images + torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
    assert torch.allclose(standardise(above), torch.ones(1, 3, 2, 2), atol=1e-5)


def test_quarter_turns_turn_image_and_mask_alike(disc):
    images, masks = quarter_turns(disc.expand(4, 3, 64, 64), disc, 1.0, generator())
    assert torch.equal(images[:, :1], masks)
    turns = [torch.rot90(disc[0], k, (1, 2)) for k in (1, 2, 3)]
    assert all(any(torch.equal(mask, turn) for turn in turns) for mask in masks)


def test_quarter_turns_leave_the_rest_as_it_is(disc):
    many = disc[:1].expand(400, 1, 64, 64)
    before = many.clone()
    turned, none = quarter_turns(many, None, 0.25, generator())
    changed = (turned != many).flatten(1).any(1).float().mean()
    assert none is None and torch.equal(many, before)
    assert 0.15 < changed < 0.35
    assert quarter_turns(many, None, 0.0, generator())[0] is many


def test_mixed_images_and_classes_are_in_the_same_proportion():
    labels = torch.arange(200) % 4
    images = labels.view(-1, 1, 1, 1).expand(-1, 3, 8, 8).float()
    out, wanted = mixed(images, labels, 4, 1.0, generator())
    assert torch.allclose(wanted.sum(1), torch.ones(200))
    # Each image says its class by its brightness, so the brightness says what it was mixed of.
    expected = wanted @ torch.arange(4.0)
    assert torch.allclose(out, expected.view(-1, 1, 1, 1).expand_as(out), atol=1e-5)
    assert 0.5 < (wanted.max(1).values < 1).float().mean() < 0.9  # a quarter meet their own class
    assert (wanted.argmax(1) == labels).float().mean() > 0.95


def test_mixing_leaves_the_rest_as_it_is():
    labels = torch.zeros(400, dtype=torch.long)
    labels[200:] = 2
    images = torch.rand(400, 1, 4, 4, generator=generator())
    out, _ = mixed(images, labels, 3, 0.25, generator())
    assert 0.15 < (out != images).flatten(1).any(1).float().mean() < 0.35
    none, alone = mixed(images, labels, 3, 0.0, generator())
    assert none is images
    assert torch.equal(alone.argmax(1), labels) and set(alone.unique().tolist()) == {0, 1}
