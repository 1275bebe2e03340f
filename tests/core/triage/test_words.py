"""Times and sizes in words."""

import pytest

from core.triage.words import against_target, diameter, duration
from core.types import CaseStatus, Lesion, WaitState
from tests.fakes import case_summary


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "under 1 min"),
        (0.99, "under 1 min"),
        (1, "1 min"),
        (59.99, "59 min"),
        (60, "1 h"),
        (130, "2 h 10 min"),
        (24 * 60 - 0.01, "23 h 59 min"),
        (24 * 60, "1 d"),
        (24 * 60 + 59, "1 d"),
        (76 * 60 + 5, "3 d 4 h"),
    ],
)
def test_a_time_span_has_its_two_largest_units(minutes, words):
    assert duration(minutes) == words


def test_the_wait_is_told_against_the_target():
    assert against_target(case_summary(waited_minutes=12)) == "due in 48 min, target 1 h"
    late = case_summary(waited_minutes=130, wait_state=WaitState.OVER_TARGET)
    assert against_target(late) == "over the target of 1 h by 1 h 10 min"


def test_a_reported_case_is_no_longer_due():
    case = case_summary(status=CaseStatus.REPORTED, waited_minutes=40)
    assert against_target(case) == "reported on time, target 1 h"
    case = case_summary(status=CaseStatus.REPORTED, waited_minutes=61)
    assert against_target(case) == "reported late, target 1 h"


def test_a_diameter_is_in_pixels_where_the_spacing_is_not_known():
    assert diameter(Lesion(120, 14.2, 0.01, 80.1, 11.6)) == "12 mm"
    assert diameter(Lesion(120, 14.2, 0.01)) == "14 px"
