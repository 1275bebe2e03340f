"""Augmentation on whole batches, drawn from an explicit generator so that a run can be resumed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from core.inference.networks.served import IMAGENET_MEAN, IMAGENET_STD


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes; zero switches one off.

    Attributes:
        mirror: probability of a left-right mirror image.
        rotation: largest rotation in degrees.
        scale: largest relative change of size, per axis.
        shift: largest shift as a share of the side.
        gamma: largest absolute exponent of the contrast curve, as a power of e.
        brightness: largest relative change of brightness.
        blur: probability of a light Gaussian blur.
        noise: largest standard deviation of additive noise, of a value range of 1.
    """

    mirror: float = 0.5
    rotation: float = 18.0
    scale: float = 0.15
    shift: float = 0.06
    gamma: float = 0.4
    brightness: float = 0.15
    blur: float = 0.2
    noise: float = 0.03


def standardise(images: Tensor) -> Tensor:
    """ImageNet standardisation of images in 0..1, shape (n, 3, height, width)."""
    mean = torch.tensor(IMAGENET_MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=images.device).view(1, 3, 1, 1)
    return (images - mean) / std


def augment(
    images: Tensor, masks: Tensor | None, how: Augmentation, rng: Generator
) -> tuple[Tensor, Tensor | None]:
    """Change a batch of images, and their masks by the same geometry.

    Args:
        images: float (n, 3, height, width), 0..1.
        masks: float (n, 1, height, width), 0 or 1, or None.
        how: ranges of the changes.
        rng: CPU generator; every draw comes from it.

    Returns:
        Images in 0..1 and masks in 0..1, in the given shapes.
    """
    # Under autocast the grid would be bfloat16, whose coordinates are off by up to a pixel.
    with torch.autocast(images.device.type, enabled=False):
        grid = _affine_grid(images, how, rng)
        images = functional.grid_sample(images, grid, mode="bilinear", align_corners=False)
        if masks is not None:
            masks = functional.grid_sample(masks, grid, mode="bilinear", align_corners=False)
        return _intensities(images, how, rng), masks


def quarter_turns(
    images: Tensor, masks: Tensor | None, share: float, rng: Generator
) -> tuple[Tensor, Tensor | None]:
    """Turn some of the square images by 90, 180 or 270 degrees, and their masks with them.

    Args:
        images: float (n, channels, side, side).
        masks: float (n, 1, side, side), or None.
        share: probability that an image is turned, 0 to 1.
        rng: CPU generator; every draw comes from it.

    Returns:
        Images and masks in the given shapes.
    """
    if not share:
        return images, masks
    n = images.shape[0]
    turned = torch.rand(n, generator=rng) < share
    turns = torch.randint(1, 4, (n,), generator=rng)
    images, masks = images.clone(), None if masks is None else masks.clone()
    for index in torch.nonzero(turned).flatten().tolist():
        k = int(turns[index])
        images[index] = torch.rot90(images[index], k, (1, 2))
        if masks is not None:
            masks[index] = torch.rot90(masks[index], k, (1, 2))
    return images, masks


def mixed(
    images: Tensor, labels: Tensor, classes: int, share: float, rng: Generator
) -> tuple[Tensor, Tensor]:
    """Lay some images over others of their batch, and their classes in the same proportion.

    Source: Zhang, Cisse, Dauphin, Lopez-Paz 2018, "mixup: Beyond Empirical Risk Minimization"
    (arXiv 1710.09412), with Beta(1, 1) for the proportion.

    Args:
        images: float (n, channels, height, width).
        labels: (n,), class numbers.
        classes: how many classes there are.
        share: probability that an image is mixed, 0 to 1.
        rng: CPU generator; every draw comes from it.

    Returns:
        Images in the given shape, and the share of each class in each of them (n, classes).
    """
    wanted = functional.one_hot(labels, classes).to(images.dtype)
    if not share:
        return images, wanted
    n = images.shape[0]
    other = torch.randperm(n, generator=rng)
    # Which of the two is called the first does not matter, so half the range says everything.
    kept = 1 - torch.rand(n, generator=rng) / 2
    kept = torch.where(torch.rand(n, generator=rng) < share, kept, 1.0)[:, None].to(images.device)
    wanted = kept * wanted + (1 - kept) * wanted[other]
    kept = kept[..., None, None]
    return kept * images + (1 - kept) * images[other], wanted


def _uniform(n: int, limit: float, rng: Generator) -> Tensor:
    return (torch.rand(n, generator=rng) * 2 - 1) * limit


def _affine_grid(images: Tensor, how: Augmentation, rng: Generator) -> Tensor:
    n = images.shape[0]
    angle = _uniform(n, math.radians(how.rotation), rng)
    scale_x = 1 / (1 + _uniform(n, how.scale, rng))
    scale_y = 1 / (1 + _uniform(n, how.scale, rng))
    flip = torch.where(torch.rand(n, generator=rng) < how.mirror, -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = cos * scale_x * flip, -sin * scale_y
    theta[:, 1, 0], theta[:, 1, 1] = sin * scale_x * flip, cos * scale_y
    theta[:, 0, 2] = _uniform(n, 2 * how.shift, rng)
    theta[:, 1, 2] = _uniform(n, 2 * how.shift, rng)
    return functional.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)


def _intensities(images: Tensor, how: Augmentation, rng: Generator) -> Tensor:
    n, device = images.shape[0], images.device

    def column(values: Tensor) -> Tensor:
        return values.view(n, 1, 1, 1).to(device)

    if how.blur:
        blurred = torch.rand(n, generator=rng) < how.blur
        taps = torch.tensor([1.0, 2.0, 1.0], device=device) / 4
        kernel = torch.outer(taps, taps).expand(3, 1, 3, 3)
        smooth = functional.conv2d(images, kernel, padding=1, groups=3)
        images = torch.where(column(blurred), smooth, images)
    if how.gamma:
        images = images.clamp(min=1e-4) ** column(torch.exp(_uniform(n, how.gamma, rng)))
    if how.brightness:
        images = images * column(1 + _uniform(n, how.brightness, rng))
    if how.noise:
        sigma = column(torch.rand(n, generator=rng) * how.noise)
        # One noise field for all channels keeps a gray scan gray.
        field = torch.randn((n, 1, *images.shape[2:]), generator=rng).to(device)
        images = images + sigma * field
    return images.clamp(0, 1)
