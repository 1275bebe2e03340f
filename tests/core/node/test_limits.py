"""The pace of senders."""

import pytest

from core.node.limits import Pace


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_minutes_worth_may_come_at_once_and_the_rest_is_spread(clock):
    pace = Pace(60, clock)
    assert [pace.delay("a", 10) for _ in range(60)] == [0] * 60
    assert [pace.delay("a", 10) for _ in range(3)] == pytest.approx([1, 2, 3])


def test_what_would_wait_too_long_does_not_count(clock):
    pace = Pace(60, clock)
    for _ in range(62):
        assert pace.delay("a", 2) is not None
    assert pace.delay("a", 2) is None
    assert pace.delay("a", 2) is None
    clock.at += 1
    assert pace.delay("a", 2) == pytest.approx(2)


def test_senders_have_a_pace_each_and_the_quiet_ones_are_forgotten(clock):
    pace = Pace(60, clock)
    for _ in range(65):
        pace.delay("busy", 10)
    assert pace.delay("other", 10) == 0
    for number in range(5000):
        clock.at += 0.01
        assert pace.delay(f"quiet {number}", 10) == 0
    # A minute and more has gone by for most of them, and for the busy one not yet all.
    clock.at += 10
    pace.delay("one more", 10)
    assert len(pace._due) < 1100


def test_after_a_pause_a_burst_is_free_again(clock):
    pace = Pace(60, clock)
    for _ in range(65):
        pace.delay("a", 10)
    clock.at += 120
    assert [pace.delay("a", 0) for _ in range(60)] == [0] * 60
