"""What changed since a patient's earlier scan, in words."""

import pytest

from core.services.review_change import Measure
from pages.components.case_earlier import change_in_words


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        (Measure("Area", "mm²", 500, 610), "Area: 500 → 610 mm² (+110 mm², +22 %)"),
        (Measure("Area", "mm²", 500, 400), "Area: 500 → 400 mm² (−100 mm², −20 %)"),
        (Measure("Area", "mm²", 500, 500.2), "Area: 500 → 500 mm² (no change)"),
        (Measure("Share", "%", 5, 6), "Share: 5.0 → 6.0 % (+1.0 percentage points, +20 %)"),
    ],
)
def test_a_change_is_said_absolutely_and_in_percent(measure, text):
    assert change_in_words(measure) == text
