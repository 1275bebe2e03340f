"""Intervals by resampling whole blocks, and exact ones at the edge."""

import math

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("sklearn")

from train.evaluation.bootstrap import exact_interval, intervals, resamples


def test_resamples_hold_whole_blocks_of_every_stratum():
    blocks, strata = ["a", "a", "b", "c", "c", "c"], ["x", "x", "x", "y", "y", "y"]
    for positions in resamples(blocks, strata, 50, seed=1):
        counts = np.bincount(positions, minlength=6)
        assert counts[0] == counts[1]
        assert counts[3] == counts[4] == counts[5] == 1
        assert counts[0] + counts[2] == 2


def test_intervals_hold_the_figure_and_are_repeatable():
    values = np.random.default_rng(0).normal(size=200)
    blocks = [str(i // 5) for i in range(200)]

    def statistic(at):
        return {"mean": float(values[at].mean()), "absent": math.nan}

    first, second = intervals(statistic, blocks), intervals(statistic, blocks)
    assert first["mean"] == second["mean"]
    assert first["mean"]["value"] == pytest.approx(values.mean())
    assert first["mean"]["low"] < first["mean"]["value"] < first["mean"]["high"]
    # Forty independent blocks: close to the textbook interval of the mean.
    half = (first["mean"]["high"] - first["mean"]["low"]) / 2
    assert half == pytest.approx(1.96 * values.reshape(40, 5).mean(1).std() / 40**0.5, rel=0.15)
    assert math.isnan(first["absent"]["low"])


def test_nothing_to_resample_is_an_error():
    with pytest.raises(ValueError, match="no items"):
        intervals(lambda at: {}, [])


@pytest.mark.parametrize("trials", [1, 5, 41])
def test_the_exact_interval_is_that_of_clopper_and_pearson(trials):
    for value, right in ((0, 0), (1, trials)):
        expected = stats.binomtest(right, trials).proportion_ci(0.95, "exact")
        assert exact_interval(value, trials) == pytest.approx((expected.low, expected.high))


def test_a_proportion_at_its_edge_is_not_known_exactly():
    # Ten cases in four blocks, and five other items in a fifth.
    blocks = list("aaabbbccdd") + ["e"] * 5
    cases = np.arange(15) < 10

    def statistic(at):
        return {"all": 1.0, "none": 0.0, "auc": 1.0, "some": float((at % 2).mean())}

    proportions = dict.fromkeys(("all", "none", "some"), cases)
    figures = intervals(statistic, blocks, None, 100, proportions=proportions)
    assert figures["all"]["low"] == pytest.approx(0.025 ** (1 / 4))
    assert figures["all"]["high"] == 1
    assert (figures["none"]["low"], figures["none"]["high"]) == (
        0, pytest.approx(1 - 0.025 ** (1 / 4)),
    )  # fmt: skip
    # An AUC is no proportion, and within 0 and 1 nothing changes.
    assert figures["auc"]["low"] == 1
    assert figures["some"] == intervals(statistic, blocks, None, 100)["some"]
