"""Words for the figures of a volume: units, digits, and nothing claimed that is not known."""

import pytest

from core.inference.volume_measure import VolumeMeasures
from core.triage import volume_words
from core.types import ScoringState, SlicePlace


def measures(**changes):
    values = dict(
        masked_slices=4,
        regions=2,
        diameter_px=31.6,
        diameter_slice=6,
        diameter_mm=28.44,
        volume_mm3=12_345.0,
        largest_mm3=980.0,
    )
    return VolumeMeasures(**(values | changes))


def places(*positions, thickness=None):
    return [
        SlicePlace((0.0, 0.0, at), (1, 0, 0), (0, 1, 0), (0.5, 0.75), thickness) for at in positions
    ]


def test_a_volume_is_said_in_cubic_centimetres():
    said = volume_words.volume(measures())
    assert said == (
        "12.3 cm³ in 2 separate regions, outlined in 4 slices; the largest region has 0.98 cm³."
    )
    one = volume_words.volume(measures(regions=1, masked_slices=1))
    assert one == "12.3 cm³ in one region, outlined in 1 slice."


def test_a_volume_that_is_not_known_is_not_claimed():
    said = volume_words.volume(measures(volume_mm3=None, largest_mm3=None))
    assert "Not known" in said
    assert "cm³" not in said
    assert "2 separate regions in 4 slices" in said


def test_a_diameter_is_in_the_unit_that_is_known_and_slices_count_from_one():
    assert volume_words.longest_diameter(measures()) == "28.4 mm in slice 7."
    said = volume_words.longest_diameter(measures(diameter_mm=None))
    assert said == "32 px in slice 7; the files give no pixel spacing."


@pytest.mark.parametrize(
    ("indices", "said"),
    [([], ""), ([0], "1"), ([2, 3, 4, 8], "3–5, 9"), ([0, 2, 3], "1, 3–4")],
)
def test_neighbouring_slices_are_put_together(indices, said):
    assert volume_words.ranges(indices) == said


def test_slices_and_the_room_between_them_are_described():
    even = volume_words.geometry(places(0, 3, 6, thickness=2.5), (256, 192))
    assert even == "192 × 256 pixels of 0.75 × 0.5 mm, slices 3 mm apart, 2.5 mm thick"
    uneven = volume_words.geometry(places(0, 3, 9), (256, 192))
    assert "slices 3 to 6 mm apart" in uneven
    assert "do not say where" in volume_words.geometry([None, None], (256, 192))


def test_slices_without_a_result_are_counted():
    assert volume_words.states(0, 0, 9) is None
    assert volume_words.states(2, 0, 9) == "2 of 9 slices wait for the model."
    assert "3 of 9 were not analysed" in volume_words.states(1, 3, 9)
    assert volume_words.slice_finding(None, ScoringState.QUEUED) == "Waits for the model"
