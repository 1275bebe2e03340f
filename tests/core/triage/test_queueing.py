"""Waiting adds to a priority without changing the order, and nothing waits for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import PriorityRules
from core.triage.queueing import queue_rank, rank_key, rate_per_second, wait_state
from core.types import RequestedPriority, WaitState

RULES = PriorityRules()
YEAR_2026 = 1.77e9

scores = st.floats(0, 200)
moments = st.floats(0, 10 * 365 * 86400).map(lambda seconds: YEAR_2026 + seconds)


def score_at(now: float, score: float, received_at: float) -> float:
    return score + rate_per_second(RULES) * (now - received_at)


@given(scores, moments, scores, moments, st.floats(0, 1e9))
def test_the_order_of_the_keys_is_the_order_of_the_scores_at_every_moment(a, at, b, bt, later):
    now = max(at, bt) + later
    by_key = rank_key(a, at, RULES) - rank_key(b, bt, RULES)
    assert by_key == pytest.approx(score_at(now, a, at) - score_at(now, b, bt), abs=1e-5)


@given(moments, st.floats(0, 1e6), scores)
def test_a_calm_case_stands_before_everything_that_comes_after_a_known_time(at, wait, urgent):
    longest = 200 / rate_per_second(RULES)
    assert rank_key(0, at, RULES) > rank_key(urgent, at + longest + 1 + wait, RULES)


def test_three_days_of_waiting_outweigh_every_other_reason():
    highest = RULES.glioma + max(RULES.lesion_size, RULES.contradiction) + RULES.emergency
    assert rank_key(0, YEAR_2026, RULES) > rank_key(highest, YEAR_2026 + 3 * 86400, RULES)
    assert rank_key(0, YEAR_2026, RULES) < rank_key(highest, YEAR_2026 + 2 * 86400, RULES)


def test_an_hour_of_waiting_adds_its_points():
    assert rate_per_second(RULES) * 3600 == pytest.approx(RULES.waiting_per_hour)


def test_a_second_of_waiting_makes_a_difference_today():
    assert rank_key(50, YEAR_2026, RULES) > rank_key(50, YEAR_2026 + 1, RULES)


def test_images_are_scored_by_request_and_an_old_one_is_not_starved():
    routine, urgent, emergency = (queue_rank(one, YEAR_2026, RULES) for one in RequestedPriority)
    assert routine < urgent < emergency
    assert queue_rank(RequestedPriority.ROUTINE, YEAR_2026 - 40 * 3600, RULES) > emergency


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (0, WaitState.ON_TIME),
        (749, WaitState.ON_TIME),
        (750, WaitState.DUE_SOON),
        (1000, WaitState.DUE_SOON),
        (1000.5, WaitState.OVER_TARGET),
        (-5, WaitState.ON_TIME),  # a clock that was set back
    ],
)
def test_waiting_turns_amber_and_red(now, expected):
    assert wait_state(YEAR_2026, YEAR_2026 + 1000, YEAR_2026 + now, 0.75) is expected
