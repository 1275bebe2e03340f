"""The volume behind the three orthogonal views: where things lie in it, and what it refuses."""

import dataclasses
import tracemalloc

import numpy as np
import pytest

from core.errors import InputError
from core.services.volume_planes import (
    LONGEST_SIDE,
    MOST_SLICES,
    SliceSource,
    build_volume,
    check_places,
    direction_letters,
    edge_letters,
    slices_to_read,
)
from core.types import SlicePlace

# Row and column directions of slices as they are usual, and some that are not.
AXIAL, CORONAL, SAGITTAL = (
    ((1, 0, 0), (0, 1, 0)),
    ((1, 0, 0), (0, 0, -1)),
    ((0, 1, 0), (0, 0, -1)),
)
MIRRORED = ((-1, 0, 0), (0, -1, 0))
UPSIDE_DOWN = ((0, 0, 1), (1, 0, 0))
WIDTH_MM, HEIGHT_MM, DEPTH_MM = 120.0, 90.0, 60.0
BALL_RADIUS = 14.0


def stack(directions, step=3.0, spacing=(1.5, 1.0)):
    """Places of slices amid the patient's origin."""
    row, column = (np.array(one, float) for one in directions)
    normal = np.cross(row, column)
    corner = -row * WIDTH_MM / 2 - column * HEIGHT_MM / 2
    levels = np.arange(-DEPTH_MM / 2, DEPTH_MM / 2 + 0.1, step)
    return [
        SlicePlace(
            tuple(corner + normal * level),
            tuple(map(float, row)),
            tuple(map(float, column)),
            spacing,
        )
        for level in levels
    ]


def sources(places, centre):
    """Slices through a ball of value 100 and its mask; each is read when it is asked for."""
    for place in places:
        rows = round(HEIGHT_MM / place.spacing_mm[0])
        columns = round(WIDTH_MM / place.spacing_mm[1])
        y, x = np.mgrid[0:rows, 0:columns]
        at = (
            np.array(place.origin)
            + x[..., None] * place.spacing_mm[1] * np.array(place.along_row)
            + y[..., None] * place.spacing_mm[0] * np.array(place.along_column)
        )
        ball = np.linalg.norm(at - np.array(centre), axis=2) <= BALL_RADIUS
        mask = np.where(ball, 255, 0).astype(np.uint8) if ball.any() else None
        yield SliceSource((ball * 100).astype(np.float32), mask)


def built(directions, centre=(12.0, -6.0, 9.0), leading=0, **options):
    places = check_places(stack(directions, **options))
    chosen = [places[index] for index in slices_to_read(len(places))]
    return build_volume(sources(chosen, centre), places, (0.0, 100.0), leading), places


@pytest.mark.parametrize("directions", [AXIAL, CORONAL, SAGITTAL, MIRRORED, UPSIDE_DOWN])
def test_a_ball_is_round_and_where_radiologists_expect_it(directions):
    volume, places = built(directions)
    step_mm = np.ptp([one.position_mm for one in places]) / np.ptp(volume.slice_steps)
    for body in (volume.pixels > 127, volume.mask):
        at = np.argwhere(body)
        size_mm = (np.ptp(at, axis=0) + 1) * step_mm
        # Masks keep the thickness of the slices.
        assert size_mm == pytest.approx([2 * BALL_RADIUS] * 3, abs=4)
        # Down to the feet, back and to the patient's left from the middle.
        off_mm = (at.mean(axis=0) - (np.array(body.shape) - 1) / 2) * step_mm
        assert off_mm == pytest.approx([-9.0, -6.0, 12.0], abs=1.6)
    assert volume.pixels.shape == volume.mask.shape
    assert volume.tilt_degrees == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("directions", [AXIAL, CORONAL, SAGITTAL, MIRRORED, UPSIDE_DOWN])
def test_slices_are_found_again_in_the_volume(directions):
    volume, places = built(directions)
    axis = volume.stack_axis
    assert len(volume.slice_steps) == len(places)
    counts = volume.mask.sum(axis=tuple({0, 1, 2} - {axis}))
    normal = np.array(places[0].normal)
    for place, step in zip(places, volume.slice_steps, strict=True):
        assert 0 <= round(step) < volume.mask.shape[axis]
        distance = abs((np.array(place.origin) - (12.0, -6.0, 9.0)) @ normal)
        if abs(distance - BALL_RADIUS) > 1:
            assert (counts[round(step)] > 0) == (distance < BALL_RADIUS)


def test_it_starts_amid_the_masked_region_of_the_leading_slice():
    places = stack(AXIAL)
    leading = min(range(len(places)), key=lambda n: abs(places[n].position_mm - 9))
    volume, _ = built(AXIAL, leading=leading)
    z, y, x = volume.start
    assert volume.mask[z, y, x]
    assert z == round(volume.slice_steps[leading])
    elsewhere, _ = built(AXIAL, leading=0)
    assert elsewhere.start[1:] == (
        elsewhere.pixels.shape[1] // 2,
        elsewhere.pixels.shape[2] // 2,
    )


def test_tilted_slices_keep_their_own_axes_and_say_by_how_much():
    angle = np.radians(20)
    column = (0, float(np.cos(angle)), float(np.sin(angle)))
    volume, _ = built(((1, 0, 0), column))
    assert volume.tilt_degrees == pytest.approx(20)
    assert volume.stack_axis == 0


def test_it_is_bounded_in_size_however_many_slices_there_are():
    places = [
        SlicePlace((0.0, 0.0, level * 0.2), (1, 0, 0), (0, 1, 0), (0.4, 0.4))
        for level in range(1000)
    ]
    read = []

    def slices():
        for index in slices_to_read(len(places)):
            read.append(index)
            yield SliceSource(np.zeros((512, 512), np.float32), None)

    tracemalloc.start()
    volume = build_volume(slices(), check_places(places), (0.0, 1.0), 0)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(read) <= MOST_SLICES
    assert max(volume.pixels.shape) <= LONGEST_SIDE
    # 334 slices of 512 x 512 floats would take 350 MB.
    assert most < 100e6


def test_a_composite_is_shown_gray():
    places = check_places(stack(AXIAL))
    colour = np.zeros((60, 120, 3), np.float32)
    colour[..., 0] = 90
    slices = (SliceSource(colour, None) for _ in places)
    volume = build_volume(slices, places, (0.0, 60.0), 0)
    assert set(np.unique(volume.pixels)) == {128}
    assert not volume.mask.any()


def test_what_makes_no_volume_is_refused_in_words():
    places = stack(AXIAL)
    with pytest.raises(InputError, match="does not say where"):
        check_places([*places, None])
    with pytest.raises(InputError, match="at least 3"):
        check_places(places[:2])
    with pytest.raises(InputError, match="same place"):
        check_places([places[0], *places])
    askew = [
        dataclasses.replace(one, origin=(one.origin[0] + n, *one.origin[1:]))
        for n, one in enumerate(places)
    ]
    with pytest.raises(InputError, match="not stacked straight"):
        check_places(askew)


@pytest.mark.parametrize(
    ("directions", "letters"),
    [
        (AXIAL, ("R", "L", "A", "P")),
        (CORONAL, ("R", "L", "H", "F")),
        (SAGITTAL, ("A", "P", "H", "F")),
        (MIRRORED, ("L", "R", "P", "A")),
    ],
)
def test_the_edges_of_a_slice_are_named(directions, letters):
    assert edge_letters(stack(directions)[0]) == letters


def test_a_tilted_direction_has_a_second_letter():
    assert direction_letters((0.0, 0.8, 0.6)) == "PH"
    assert direction_letters((-0.99, 0.1, 0.0)) == "R"
