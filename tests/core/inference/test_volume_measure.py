"""Sizes of bodies whose sizes are known."""

import numpy as np
import pytest

from core.inference.measure import measure_lesion
from core.inference.volume_measure import MaskedSlice, measure_volume, slice_extents

SPACING = (0.9, 0.6)


def ellipsoid(half_axes, positions, spacing=SPACING, centre=(48.0, 45.0, 0.0), size=(110, 160)):
    """Slices through an ellipsoid; half axes and centre in mm along rows, columns and the stack."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    y = (rows * spacing[0] - centre[0]) / half_axes[0]
    x = (columns * spacing[1] - centre[1]) / half_axes[1]
    return [
        MaskedSlice(
            np.where(x**2 + y**2 + ((z - centre[2]) / half_axes[2]) ** 2 <= 1, 255, 0).astype(
                np.uint8
            ),
            spacing,
            z,
        )
        for z in positions
    ]


def volume_of(half_axes):
    return 4 / 3 * np.pi * np.prod(half_axes)


@pytest.mark.parametrize("half_axes", [(20, 20, 20), (30, 12, 18), (11, 28, 9)])
@pytest.mark.parametrize(("distance", "tolerance"), [(1.0, 0.01), (3.0, 0.02)])
def test_an_ellipsoid_has_its_volume_and_its_longest_diameter(half_axes, distance, tolerance):
    positions = np.arange(-40, 40, distance).tolist()
    found = measure_volume(ellipsoid(half_axes, positions))
    assert found.volume_mm3 == pytest.approx(volume_of(half_axes), rel=tolerance)
    # In the plane of the slices, whatever the extent across them; pixels have a size of their own.
    assert found.diameter_mm == pytest.approx(2 * max(half_axes[:2]), abs=1.3)
    assert abs(positions[found.diameter_slice]) <= distance
    assert found.regions == 1
    assert found.largest_mm3 == found.volume_mm3


def test_slices_that_are_unevenly_spaced_count_for_the_room_between_them():
    rng = np.random.default_rng(3)
    positions = np.cumsum(rng.uniform(0.5, 3.0, 60)) - 45
    found = measure_volume(ellipsoid((20, 20, 20), positions.tolist()))
    assert found.volume_mm3 == pytest.approx(volume_of((20, 20, 20)), rel=0.02)
    falling = measure_volume(ellipsoid((20, 20, 20), positions[::-1].tolist()))
    assert falling.volume_mm3 == pytest.approx(found.volume_mm3)


def test_a_slice_that_is_missing_is_bridged():
    positions = np.arange(-40, 40, 2.0).tolist()
    whole = measure_volume(ellipsoid((20, 20, 20), positions))
    without = measure_volume(ellipsoid((20, 20, 20), positions[:22] + positions[23:]))
    assert without.volume_mm3 == pytest.approx(whole.volume_mm3, rel=0.01)


def test_extents_are_half_the_way_to_each_neighbour():
    assert slice_extents([0, 2, 3, 7]) == [2, 1.5, 2.5, 4]
    assert slice_extents([7, 3, 2, 0]) == [4, 2.5, 1.5, 2]
    assert slice_extents([5]) is None
    assert slice_extents([5, 5]) is None
    assert slice_extents([0, None, 2]) is None


def test_positions_out_of_order_are_refused():
    with pytest.raises(ValueError, match="rise or fall"):
        measure_volume(ellipsoid((20, 20, 20), [0.0, 2.0, 1.0]))


def test_two_balls_are_two_regions_and_the_larger_one_is_told_apart():
    positions = np.arange(-60, 60, 2.0).tolist()
    small = ellipsoid((8, 8, 8), positions, centre=(48, 45, -35))
    large = ellipsoid((20, 20, 20), positions, centre=(48, 45, 15))
    both = [
        MaskedSlice(np.maximum(one.mask, other.mask), SPACING, one.position_mm)
        for one, other in zip(small, large, strict=True)
    ]
    found = measure_volume(both)
    assert found.regions == 2
    assert found.largest_mm3 == pytest.approx(volume_of((20, 20, 20)), rel=0.02)
    total = volume_of((20, 20, 20)) + volume_of((8, 8, 8))
    assert found.volume_mm3 == pytest.approx(total, rel=0.02)


def test_branches_that_meet_later_are_one_region():
    """A U: two columns that only the last slice joins."""
    columns = np.zeros((20, 40), np.uint8)
    columns[8:12, 5:9] = columns[8:12, 30:34] = 255
    bridge = np.zeros((20, 40), np.uint8)
    bridge[9:11, 5:34] = 1  # every value but 0 counts
    masks = [columns, columns, None, columns, bridge]
    slices = [MaskedSlice(mask, (1, 1), float(z)) for z, mask in enumerate(masks)]
    found = measure_volume(slices)
    # An empty slice separates: the two columns before it, and the U after it.
    assert found.regions == 3
    assert found.masked_slices == 4
    assert found.volume_mm3 == 3 * 32 + 58
    assert found.largest_mm3 == 32 + 58
    assert (found.diameter_slice, found.diameter_mm) == (4, pytest.approx(np.hypot(29, 1)))


def test_a_slice_is_measured_as_it_is_measured_alone():
    [one] = ellipsoid((20, 14, 20), [3.0])
    found = measure_volume([one])
    alone = measure_lesion(one.mask, 0.0, SPACING)
    assert (found.diameter_mm, found.diameter_px) == (alone.diameter_mm, alone.diameter_px)
    assert (found.volume_mm3, found.largest_mm3) == (None, None), "one slice has no volume"
    assert found.masked_slices == found.regions == 1


@pytest.mark.parametrize(("spacing", "step"), [(None, 1.0), ((1.0, 1.0), None), (None, None)])
def test_what_is_not_known_is_not_claimed(spacing, step):
    slices = [
        MaskedSlice(one.mask, spacing, None if step is None else index * step)
        for index, one in enumerate(ellipsoid((20, 20, 20), [-2, 0, 2]))
    ]
    found = measure_volume(slices)
    assert found.volume_mm3 is None
    assert (found.diameter_mm is None) == (spacing is None)
    assert found.diameter_px > 40
    assert found.masked_slices == 3


def test_the_longest_diameter_is_found_in_millimetres_not_in_pixels():
    wide, tall = np.zeros((2, 60, 60), np.uint8)
    wide[10, 5:35] = 255  # 30 pixels of 0.5 mm
    tall[10:30, 5] = 255  # 20 pixels of 2 mm
    found = measure_volume([MaskedSlice(wide, (2.0, 0.5), 0.0), MaskedSlice(tall, (2.0, 0.5), 3.0)])
    assert found.diameter_slice == 1
    assert found.diameter_mm == pytest.approx(40, abs=0.1)


def test_nothing_masked_has_no_size():
    empty = np.zeros((5, 5), np.uint8)
    assert measure_volume([]) is None
    assert measure_volume([MaskedSlice(None, (1, 1), 0.0), MaskedSlice(empty, (1, 1), 1.0)]) is None
