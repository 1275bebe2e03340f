"""In which order slices lie, and which of them speaks for a series."""

import random

import pytest

from core.config import settings
from core.services.slice_order import Rank, in_order, speaker, standing_out
from core.types import TumourClass
from tests.core.store.made_up import finding

GLIOMA = finding(TumourClass.GLIOMA, 0.9)
NOTHING = finding(TumourClass.NO_TUMOR, 0.1, suspected=False)


def ranks(**columns):
    """Ranks of as many slices as the columns have values."""
    depth = len(next(iter(columns.values())))
    plain = {"position_mm": [None] * depth, "taken": [(0, 0)] * depth, "frame": [0] * depth}
    columns = plain | {"id": list(range(depth))} | columns
    return [
        Rank(*values)
        for values in zip(*(columns[name] for name in Rank.__annotations__), strict=True)
    ]


@pytest.mark.parametrize(
    "known",
    [
        ranks(position_mm=[-5.0, 0.0, 2.5, 30.0], taken=[(1, 9 - n) for n in range(4)]),
        ranks(position_mm=[-5.0, None, 0.0, -9.0], taken=[(1, 8), (1, 9), (2, 1), (2, 2)]),
        ranks(taken=[(0, 2), (0, 3), (0, 10), (0, 11)]),
        ranks(frame=[0, 1, 2, 10], id=[9, 8, 7, 6]),
        ranks(id=[1, 2, 3, 4]),
    ],
    ids=["positions", "one without a position", "numbers", "frames", "nothing but receipt"],
)
def test_slices_go_by_position_else_by_number_else_by_frame_else_by_receipt(known):
    mixed = random.Random(4).sample(known, len(known))
    assert in_order(mixed, lambda rank: rank) == known


LONE = [NOTHING, NOTHING, GLIOMA, NOTHING, NOTHING]


def test_thin_neighbours_must_agree_and_one_that_they_do_not_bear_out_stands_out():
    rules, known = settings().priority, ranks(position_mm=[2.0 * n for n in range(5)])
    speaks = speaker(LONE, known, rules)
    assert LONE[speaks] is NOTHING
    assert standing_out(LONE, speaks, rules) == 2
    pair = [NOTHING, GLIOMA, GLIOMA, NOTHING, NOTHING]
    speaks = speaker(pair, known, rules)
    assert pair[speaks] is GLIOMA
    assert standing_out(pair, speaks, rules) is None


@pytest.mark.parametrize(
    "known",
    [
        ranks(position_mm=[5.0 * n for n in range(5)]),
        ranks(taken=[(0, n) for n in range(5)]),
        ranks(frame=list(range(5))),
    ],
    ids=["thick", "by number", "by frame"],
)
def test_one_slice_decides_where_slices_are_thick_or_may_be(known):
    assert speaker(LONE, known, settings().priority) == 2


@pytest.mark.parametrize(
    "unknown",
    [ranks(taken=[(0, 0)] * 5), ranks(taken=[(0, 1), (0, 1), (0, 2), (0, 3), (0, 4)])],
    ids=["no number", "one number twice"],
)
def test_the_worst_slice_speaks_where_nobody_knows_the_neighbours(unknown):
    findings = [NOTHING, NOTHING, None, GLIOMA, NOTHING]
    assert speaker(findings, unknown, settings().priority) == 3
    assert speaker([None] * 5, unknown, settings().priority) is None
