"""Which slice speaks for a volume: the weakest of the most urgent group of neighbours."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.config import PriorityRules
from core.triage.priority import scan_points
from core.triage.volumes import representative, series_name, standing_out
from core.types import CLASSES, Lesion, Plane, ScanFinding, ScanKind

RULES = PriorityRules()
G, M, N, P = CLASSES


def finding(
    glioma: float = 0.0, meningioma: float = 0.0, area: float | None = None, like: bool = True
) -> ScanFinding:
    """A finding with these probabilities; the rest is no_tumor. ``area`` is the lesion's share."""
    shares = {G: glioma, M: meningioma, N: 1 - glioma - meningioma, P: 0.0}
    return ScanFinding(
        probabilities=shares,
        predicted=max(shares, key=shares.__getitem__),
        tumour_probability=glioma + meningioma,
        suspected=glioma + meningioma >= 0.4,
        lesion=None if area is None else Lesion(100, 12.0, area),
        in_distribution=like,
        kind=ScanKind.GRAY,
        model_version="1",
    )


CALM, ODD = finding(0.02), finding(0.98, area=0.05)


def voice(*slices: ScanFinding | None, step: float | None = 3.0) -> ScanFinding | None:
    """The finding that speaks for the volume of these slices."""
    points = [0.0 if one is None else scan_points(one, RULES) for one in slices]
    positions = [None if step is None else n * step for n in range(len(slices))]
    chosen = representative(slices, points, positions)
    return None if chosen is None else slices[chosen]


def points(*slices: ScanFinding | None, step: float | None = 3.0) -> float:
    found = voice(*slices, step=step)
    return -1.0 if found is None else scan_points(found, RULES)


@st.composite
def findings(draw: st.DrawFn, likely: bool = False) -> ScanFinding:
    glioma = draw(st.floats(0, 1))
    meningioma = draw(st.floats(0, 1)) * (1 - glioma)
    area = draw(st.none() | st.floats(0, 0.3))
    like = likely or draw(st.sampled_from([True, True, True, False]))
    return finding(glioma, meningioma, area, like)


volumes = st.lists(st.none() | findings(), min_size=1, max_size=12)
thin = st.sampled_from([0.5, 1.0, 2.0, 3.3])
steps = st.none() | thin | st.sampled_from([4.0, 5.0, 7.0])


@given(volumes, steps)
def test_it_does_not_matter_from_which_end_slices_are_counted(slices, step):
    assert voice(*slices, step=step) == voice(*reversed(slices), step=step)


@given(volumes, steps, st.data())
def test_more_glioma_in_a_slice_never_lowers_the_volume(slices, step, data):
    index = data.draw(st.integers(0, len(slices) - 1))
    one = slices[index]
    assume(one is not None)
    share = data.draw(st.floats(0, 1))
    other = 1 - one.probabilities[G]
    more = finding(
        one.probabilities[G] + share * other,
        one.probabilities[M] * (1 - share),
        one.lesion and one.lesion.area_fraction,
        one.in_distribution,
    )
    changed = [*slices[:index], more, *slices[index + 1 :]]
    assert points(*changed, step=step) >= points(*slices, step=step) - 1e-9


@given(st.lists(findings(likely=True), min_size=3, max_size=12), thin, st.data())
def test_one_odd_thin_slice_does_not_decide(slices, step, data):
    """Whatever it says, the volume stands no higher than the second most urgent slice."""
    index = data.draw(st.integers(0, len(slices) - 1))
    odd = [*slices[:index], ODD, *slices[index + 1 :]]
    rest = [*slices[:index], *slices[index + 1 :]]
    assert points(*odd, step=step) <= max(scan_points(one, RULES) for one in rest) + 1e-9


@given(volumes, steps)
def test_a_slice_that_is_scored_speaks_and_no_other(slices, step):
    found = voice(*slices, step=step)
    assert (found is None) == all(one is None for one in slices)


def test_one_odd_slice_is_not_shown_either():
    assert voice(CALM, CALM, ODD, CALM, CALM) == CALM


@pytest.mark.parametrize("step", [3.98, 4.0, 5.0, 6.0, None])
def test_a_single_slice_decides_where_a_small_tumour_shows_in_no_other(step):
    """Pituitary tumours of 5 mm are to be found; unknown steps may be as large."""
    assert voice(CALM, CALM, ODD, CALM, CALM, step=step) == ODD


def outstanding(*slices: ScanFinding | None, step: float = 3.0) -> int | None:
    points = [0.0 if one is None else scan_points(one, RULES) for one in slices]
    chosen = representative(slices, points, [n * step for n in range(len(slices))])
    return standing_out(slices, points, chosen)


def test_a_slice_that_does_not_speak_stands_out_where_it_is_suspicious():
    assert outstanding(CALM, CALM, ODD, CALM) == 2
    assert outstanding(finding(0.5), CALM, ODD, CALM, finding(0.7)) == 2, "the most urgent one"
    assert outstanding(CALM, finding(0.3), CALM) is None
    assert outstanding(CALM, ODD, ODD, CALM) is None, "its series is suspicious"
    assert outstanding(CALM, ODD, CALM, step=6.0) is None, "it speaks"
    assert outstanding(None, CALM, None) is None
    assert outstanding() is None


def test_a_slice_at_the_end_that_is_unlike_the_training_does_not_stand_out():
    assert outstanding(finding(0.9, like=False), CALM, CALM, CALM) is None


@given(volumes, steps)
def test_no_suspicion_is_passed_over(slices, step):
    """Whoever opens the case sees a suspicious slice first, if any of those asked is one."""
    points = [0.0 if one is None else scan_points(one, RULES) for one in slices]
    positions = [None if step is None else n * step for n in range(len(slices))]
    chosen = representative(slices, points, positions)
    odd = standing_out(slices, points, chosen)
    if any(one and one.suspected and one.in_distribution for one in slices) and not (
        chosen is not None and not slices[chosen].in_distribution
    ):
        assert slices[chosen if odd is None else odd].suspected


def test_two_neighbours_decide_and_two_slices_apart_do_not():
    assert voice(CALM, ODD, ODD, CALM) == ODD
    assert voice(ODD, CALM, ODD, CALM) == CALM
    assert voice(ODD, ODD, CALM, CALM) == ODD, "also at the end of the head"


def test_thin_slices_have_to_agree_over_the_same_extent():
    pair = [CALM, CALM, ODD, ODD, CALM, CALM]
    assert voice(*pair, step=5.0) == ODD
    assert voice(*pair, step=1.0) == CALM
    assert voice(*[CALM] * 5, *[ODD] * 4, *[CALM] * 5, step=1.0) == ODD
    assert voice(*pair, step=None) == ODD


def test_the_slice_that_speaks_is_the_weakest_of_its_group():
    weak = finding(0.6, area=0.02)
    assert voice(CALM, weak, ODD, CALM) == weak


def test_a_single_slice_speaks_for_itself():
    assert voice(ODD) == ODD
    assert voice(None, ODD, None) == ODD
    assert voice() is None


def test_slices_unlike_the_training_at_the_ends_do_not_speak():
    end = finding(0.9, like=False)
    assert voice(end, end, CALM, CALM, CALM, end) == CALM
    assert voice(end, ODD, ODD, CALM, end) == ODD


def test_a_volume_that_is_unlike_the_training_as_a_whole_says_so():
    strange = finding(0.1, like=False)
    assert voice(*[strange] * 9, CALM, CALM) == strange
    assert voice(strange) == strange


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        (("T1 with contrast", Plane.AXIAL, 5), "T1 with contrast, axial, series 5"),
        ((None, None, None), "MRI of unknown sequence"),
    ],
)
def test_a_series_has_a_name(facts, name):
    assert series_name(*facts) == name


def test_the_worst_slice_speaks_where_neighbours_are_not_known():
    slices = [CALM, ODD, CALM]
    scores = [scan_points(one, RULES) for one in slices]
    places = [0.0, 2.0, 4.0]
    assert representative(slices, scores, places) != 1
    assert representative(slices, scores, places, neighbours_known=False) == 1
    assert representative([], [], [], neighbours_known=False) is None
