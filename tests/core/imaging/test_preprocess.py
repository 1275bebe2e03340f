"""What the networks see of a scan, and the way back into the uploaded picture."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from core.imaging.preprocess import SIDE, map_to_source, map_to_square, prepare
from core.types import Scan, ScanKind


def scan_of(pixels: np.ndarray, bits: int = 8) -> Scan:
    array = np.ascontiguousarray(pixels, dtype=np.float32)
    if array.ndim == 2:
        array = array[..., None]
    kind = ScanKind.GRAY if array.shape[2] == 1 else ScanKind.COMPOSITE
    return Scan(pixels=array, kind=kind, source_format="PNG", bits=bits)


def picture(
    size: tuple[int, int] = (320, 320),
    centre: tuple[float, float] | None = None,
    radii: tuple[float, float] = (120, 95),
) -> np.ndarray:
    """A textured ellipse, darker on its left, on black: a head that is not its mirror image."""
    cy, cx = centre or ((size[0] - 1) / 2, (size[1] - 1) / 2)
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    dy, dx = (y - cy) / radii[0], (x - cx) / radii[1]
    distance = dy**2 + dx**2
    brain = 110 + 35 * dx + 40 * np.sin(5 * dy) * np.cos(7 * dx)
    skull = np.where(distance > 0.85, 215, brain)
    return np.where(distance < 1, skull, 0.0)


def disc(size: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2
    return inside.astype(np.float32)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference in gray levels."""
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


@pytest.mark.parametrize("shift", [(-60, -70), (-60, 70), (55, -40), (64, 80), (0, 33)])
def test_the_head_is_cropped_the_same_wherever_it_lies(shift: tuple[int, int]) -> None:
    size = (480, 480)
    middle = prepare(scan_of(picture(size, (240, 240))))
    moved = prepare(scan_of(picture(size, (240 + shift[0], 240 + shift[1]))))
    expected = np.array(middle.geometry.box) + np.array([*shift, *shift])
    # The head is found on a thumbnail, so the box is exact to a thumbnail's pixel.
    assert np.abs(np.array(moved.geometry.box) - expected).max() <= 4
    assert dice(moved.head, middle.head) > 0.97


def test_the_crop_encloses_the_head_and_leaves_the_air_out() -> None:
    prepared = prepare(scan_of(picture((480, 480), (200, 260), (120, 95))))
    top, left, bottom, right = prepared.geometry.box
    assert top <= 80 and bottom >= 320 and left <= 165 and right >= 355
    assert bottom - top < 300 and right - left < 250
    assert 0.4 < prepared.head.mean() < 0.8


@pytest.mark.parametrize(
    ("factor", "offset", "bits"),
    [(0.5, 0, 8), (0.5, 60, 8), (4.7, 0, 16), (200, 0, 16), (9, 900, 16)],
)
def test_rescaled_intensities_give_the_same_square(factor: float, offset: float, bits: int) -> None:
    plain = prepare(scan_of(np.rint(picture())))
    other = prepare(scan_of(np.rint(picture() * factor + offset), bits))
    assert other.geometry == plain.geometry
    assert np.abs(other.image.astype(int) - plain.image.astype(int)).max() <= 2


@pytest.mark.parametrize("size", [(300, 420), (420, 300), (333, 217), (128, 129)])
def test_the_aspect_ratio_is_kept(size: tuple[int, int]) -> None:
    radii = (0.45 * size[0], 0.4 * size[1])
    geometry = prepare(scan_of(picture(size, radii=radii))).geometry
    top, left, bottom, right = geometry.box
    _, _, height, width = geometry.placed
    assert max(height, width) == SIDE
    assert height / (bottom - top) == pytest.approx(width / (right - left), rel=0.01)


def test_a_gray_scan_fills_the_three_channels_alike() -> None:
    image = prepare(scan_of(picture())).image
    assert image.shape == (SIDE, SIDE, 3) and image.dtype == np.uint8
    assert np.array_equal(image[..., 0], image[..., 1])
    assert np.array_equal(image[..., 0], image[..., 2])


def test_each_channel_of_a_composite_is_normalised_by_itself() -> None:
    base = picture()
    composite = prepare(scan_of(np.dstack([base, base * 0.3, base * 5])))
    assert composite.kind is ScanKind.COMPOSITE
    for channel in (1, 2):
        assert difference(composite.image[..., channel], composite.image[..., 0]) < 1


@pytest.mark.parametrize(
    "size", [(320, 320), (321, 255), (257, 399), (512, 300), (97, 131), (1200, 900), (64, 64)]
)
def test_a_mask_survives_the_way_into_the_square_and_back(size: tuple[int, int]) -> None:
    radii = (0.42 * size[0], 0.38 * size[1])
    geometry = prepare(scan_of(picture(size, radii=radii))).geometry
    mask = disc(size, (0.45 * size[0], 0.58 * size[1]), 0.15 * min(size))
    back = map_to_source(map_to_square(mask, geometry), geometry)
    assert back.shape == size
    assert dice(back >= 0.5, mask >= 0.5) > 0.97


def test_a_map_of_lower_resolution_lands_in_the_same_place() -> None:
    size = (400, 300)
    geometry = prepare(scan_of(picture(size, radii=(170, 120)))).geometry
    mask = disc(size, (180, 170), 50)
    square = map_to_square(mask, geometry)
    small = square.reshape(56, 4, 56, 4).mean(axis=(1, 3))
    assert dice(map_to_source(small, geometry) >= 0.5, mask >= 0.5) > 0.95


def test_a_map_ends_where_the_crop_ends() -> None:
    geometry = prepare(scan_of(picture((480, 480), (200, 260)))).geometry
    back = map_to_source(np.ones((SIDE, SIDE), np.float32), geometry)
    top, left, bottom, right = geometry.box
    assert np.allclose(back[top:bottom, left:right], 1)
    assert back.sum() == pytest.approx((bottom - top) * (right - left))


@pytest.mark.parametrize(
    "size",
    [(1, 1), (1, 2), (2, 1), (3, 3), (1, 300), (300, 1), (2, 5000), (5000, 2), (1, 60_000), (7, 2)],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_tiny_and_thin_pictures_go_there_and_back(size: tuple[int, int], channels: int) -> None:
    rng = np.random.default_rng(3)
    prepared = prepare(scan_of(rng.integers(0, 256, (*size, channels))))
    assert prepared.image.shape == (SIDE, SIDE, 3)
    assert prepared.head.any()
    whole = map_to_square(np.ones(size, np.float32), prepared.geometry)
    back = map_to_source(whole, prepared.geometry)
    top, left, bottom, right = prepared.geometry.box
    assert back.shape == size
    assert np.allclose(back[top:bottom, left:right], 1, atol=1e-4)


def test_a_mirrored_picture_gives_the_mirrored_square() -> None:
    array = picture((400, 360), (190, 150), (150, 110))
    straight = prepare(scan_of(array)).image
    mirrored = prepare(scan_of(array[:, ::-1])).image
    assert difference(straight, mirrored) > 10  # the picture is no mirror image of itself
    assert difference(straight[:, ::-1], mirrored) < 4


@pytest.mark.parametrize("value", [0, 1, 128, 255, 65535, -40])
@pytest.mark.parametrize("size", [(1, 1), (50, 70), (300, 300)])
def test_a_blank_picture_has_no_contrast(value: float, size: tuple[int, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepared = prepare(scan_of(np.full(size, value)))
    assert prepared.contrast == 0
    assert prepared.image.max() == 0
    assert prepared.head.any()


def test_a_scan_uses_most_of_its_range_and_noise_on_a_plain_ground_little() -> None:
    assert prepare(scan_of(picture())).contrast > 0.8
    noise = 200 + np.random.default_rng(1).normal(0, 1, (256, 256))
    assert prepare(scan_of(noise)).contrast < 0.1


def test_markers_beside_the_head_do_not_widen_the_crop() -> None:
    plain = picture((480, 480), (240, 240))
    marked = plain.copy()
    marked[20:38, 20:38] = 255  # a fish-oil capsule
    marked[440:452, 400:470:2] = 230  # lettering
    marked[235:250, 455:470] = 255
    box, expected = (np.array(prepare(scan_of(p)).geometry.box) for p in (marked, plain))
    assert np.abs(box - expected).max() <= 4


def test_values_far_apart_do_not_break_the_square() -> None:
    array = picture() * 1e28
    array[0, 0], array[5, 5] = 1e30, -1e30
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepared = prepare(scan_of(array, 32))
    assert np.isfinite(prepared.contrast)
