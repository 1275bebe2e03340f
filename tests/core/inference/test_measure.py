"""Sizes of regions whose sizes are known."""

import time

import cv2
import numpy as np
import pytest
from skimage.measure import label, regionprops

from core.inference.measure import measure_lesion


def blank(height: int = 200, width: int = 240) -> np.ndarray:
    return np.zeros((height, width), np.uint8)


def disk(radius: float, height: int = 200, width: int = 240) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.where(np.hypot(y - 90, x - 110) <= radius, 255, 0).astype(np.uint8)


def test_nothing_masked_has_no_size():
    assert measure_lesion(blank(), 0.0, (1.0, 1.0)) is None


def test_a_single_pixel_is_one_pixel_long():
    mask = blank()
    mask[199, 239] = 255
    lesion = measure_lesion(mask, 0.01, None)
    assert (lesion.area_px, lesion.diameter_px, lesion.area_fraction) == (1, 1.0, 0.01)
    assert lesion.area_mm2 is None
    assert lesion.diameter_mm is None


@pytest.mark.parametrize("radius", [5.5, 20.0, 60.0])
def test_a_disk_is_twice_its_radius_long(radius):
    lesion = measure_lesion(disk(radius), 0.1, None)
    assert lesion.diameter_px == pytest.approx(2 * radius + 1, abs=1)
    assert lesion.area_px == pytest.approx(np.pi * radius**2, rel=0.05)


@pytest.mark.parametrize(("height", "width"), [(1, 30), (30, 1), (2, 2), (40, 70), (200, 240)])
def test_a_rectangle_is_as_long_as_its_diagonal(height, width):
    mask = blank()
    mask[:height, :width] = 255
    longer, shorter = max(height, width), min(height, width)
    lesion = measure_lesion(mask, 0.1, None)
    assert lesion.diameter_px == pytest.approx(np.hypot(longer, shorter - 1))
    assert lesion.area_px == height * width


def test_a_diagonal_line_is_as_long_as_it_is():
    mask = np.where(np.eye(50), 255, 0).astype(np.uint8)
    assert measure_lesion(mask, 0.1, None).diameter_px == pytest.approx(np.hypot(50, 49))


def test_millimetres_follow_the_spacing_of_rows_and_of_columns():
    mask = blank()
    mask[10:40, 20] = 255  # 30 pixels from top to bottom
    upright = measure_lesion(mask, 0.1, (2.0, 0.5))
    assert upright.diameter_mm == pytest.approx(60)
    assert upright.area_mm2 == pytest.approx(30)
    lying = measure_lesion(mask.T, 0.1, (2.0, 0.5))
    assert lying.diameter_mm == pytest.approx(15)
    assert lying.diameter_px == upright.diameter_px == 30


def test_the_longest_line_in_millimetres_may_be_another_one_than_in_pixels():
    mask = blank()
    mask[50, 20:60] = 255  # 40 pixels wide
    mask[40:70, 40] = 255  # 30 pixels high
    lesion = measure_lesion(mask, 0.1, (3.0, 1.0))
    assert lesion.diameter_px == pytest.approx(40)
    assert lesion.diameter_mm == pytest.approx(90)


def test_an_ellipse_made_round_by_its_spacing_is_a_disk():
    mask = blank()
    cv2.ellipse(mask, (120, 100), (80, 40), 0, 0, 360, 255, -1)
    assert measure_lesion(mask, 0.1, (2.0, 1.0)).diameter_mm == pytest.approx(162, abs=2)


def test_the_diameter_is_of_the_largest_region_the_area_of_all():
    mask = blank()
    mask[10:30, 10:30] = 255
    mask[190, 50:52] = 255
    lesion = measure_lesion(mask, 0.1, None)
    assert lesion.area_px == 402
    assert lesion.diameter_px == pytest.approx(np.hypot(20, 19))


def test_pixels_that_touch_at_a_corner_are_one_region():
    mask = blank()
    mask[10, 10] = mask[11, 11] = mask[12, 12] = 255
    assert measure_lesion(mask, 0.1, None).diameter_px == pytest.approx(np.hypot(3, 2))


def blobs(seed: int, sigma: float, height: int = 120, width: int = 150) -> np.ndarray:
    """Random regions whose largest is clearly the largest."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(size=(height, width)).astype(np.float32), (0, 0), sigma)
    return np.where(noise > np.quantile(noise, 0.8), 255, 0).astype(np.uint8)


def largest_region(mask: np.ndarray):
    return max(regionprops(label(mask > 0, connectivity=2)), key=lambda region: region.area)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.7, 2.5)])
def test_no_two_edges_of_the_region_are_further_apart(seed, spacing):
    mask = blobs(seed, sigma=3, height=40, width=50)
    pixels = largest_region(mask).coords
    middles = [pixels + step for step in ((-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5))]
    points = np.concatenate(middles) * spacing
    longest = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)).max()
    assert measure_lesion(mask, 0.2, spacing).diameter_mm == pytest.approx(longest, abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_it_is_within_half_a_pixel_of_scikit_image(seed):
    # scikit-image fills the convex hull with pixels first, which may make it a little longer.
    mask = blobs(seed, sigma=6)
    lesion = measure_lesion(mask, 0.2, None)
    assert lesion.diameter_px == pytest.approx(largest_region(mask).feret_diameter_max, abs=0.5)


def test_a_large_mask_takes_no_time():
    mask = disk(1900, 4000, 4000)
    started = time.perf_counter()
    assert measure_lesion(mask, 0.5, (0.3, 0.3)).diameter_mm > 500
    assert time.perf_counter() - started < 2
