"""The score of a case: what raises it, what never lowers it, and what is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.config import PriorityRules
from core.triage.priority import case_priority
from core.types import (
    CLASSES,
    Band,
    Lesion,
    Priority,
    RequestedPriority,
    ScanFinding,
    ScanKind,
)

RULES = PriorityRules()
THRESHOLD = 0.3
G, M, N, P = CLASSES


def finding(
    glioma: float = 0.0,
    meningioma: float = 0.0,
    pituitary: float = 0.0,
    lesion: float | None = None,
    in_distribution: bool = True,
) -> ScanFinding:
    """A finding with these probabilities; the rest is no_tumor. ``lesion`` is its share."""
    tumour = glioma + meningioma + pituitary
    shares = {G: glioma, M: meningioma, N: 1 - tumour, P: pituitary}
    return ScanFinding(
        probabilities=shares,
        predicted=max(shares, key=shares.__getitem__),
        tumour_probability=tumour,
        suspected=tumour >= THRESHOLD,
        lesion=None if lesion is None else Lesion(100, 12.0, lesion),
        in_distribution=in_distribution,
        kind=ScanKind.GRAY,
        model_version="1",
    )


def priority(
    *findings: ScanFinding | None,
    failed: int = 0,
    waiting: int = 0,
    requested: RequestedPriority = RequestedPriority.ROUTINE,
    urgency: RequestedPriority | None = None,
    rules: PriorityRules = RULES,
) -> Priority:
    return case_priority(
        findings, failed=failed, waiting=waiting, requested=requested, rules=rules, urgency=urgency
    )


def texts(found: Priority) -> list[str]:
    return [reason.text for reason in found.reasons]


CALM = finding(glioma=0.01, meningioma=0.01, pituitary=0.01)
GLIOMA = finding(glioma=0.87, meningioma=0.1, lesion=0.09)

shares = st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda v: sum(v) > 0.01)
lesions = st.none() | st.floats(0, 1)
requests = st.sampled_from(RequestedPriority)


@st.composite
def findings(draw: st.DrawFn) -> ScanFinding:
    values = draw(shares)
    g, m, p = (value / sum(values) for value in values[:3])
    return finding(g, m, p, draw(lesions), draw(st.booleans()))


@st.composite
def rule_sets(draw: st.DrawFn) -> PriorityRules:
    """Any rules that are accepted."""
    points = st.floats(0, 100)
    glioma = draw(points)
    meningioma, pituitary = draw(st.floats(0, glioma)), draw(st.floats(0, glioma))
    low_confidence = draw(st.floats(0, glioma - max(meningioma, pituitary)))
    urgent = draw(points)
    return PriorityRules(
        glioma=glioma,
        meningioma=meningioma,
        pituitary=pituitary,
        low_confidence=low_confidence,
        contradiction=draw(st.floats(0, glioma - low_confidence)),
        lesion_size=draw(points),
        full_size_fraction=draw(st.floats(0.01, 1)),
        confident_probability=draw(st.floats(0.1, 0.9)),
        unlike_training=draw(points),
        not_analysed=draw(points),
        urgent=urgent,
        emergency=draw(st.floats(urgent, 200)),
    )


cases = st.lists(st.none() | findings(), max_size=4)


# -- the order -------------------------------------------------------------------------------------


def test_tumours_come_in_the_order_of_their_danger():
    order = [
        finding(glioma=0.95, lesion=0.03),
        finding(meningioma=0.95, lesion=0.03),
        finding(pituitary=0.95, lesion=0.03),
        CALM,
    ]
    scores = [priority(one).score for one in order]
    assert scores == sorted(scores, reverse=True)
    assert [priority(one).band for one in order] == [
        Band.IMMEDIATE,
        Band.SOON,
        Band.SOON,
        Band.ROUTINE,
    ]


def test_a_larger_lesion_comes_first_up_to_a_large_one():
    small, large, larger = (
        priority(finding(glioma=0.9, lesion=share)).score for share in (0.01, 0.08, 0.5)
    )
    assert small < large == larger


@given(findings(), rule_sets(), st.floats(0, 1), st.sampled_from([M, N, P]))
def test_more_glioma_never_lowers_the_score(one, rules, moved, source):
    by_class = dict(one.probabilities)
    step = moved * by_class[source]
    by_class[G] += step
    by_class[source] -= step
    more = finding(
        by_class[G],
        by_class[M],
        by_class[P],
        one.lesion and one.lesion.area_fraction,
        one.in_distribution,
    )
    assert priority(more, rules=rules).score >= priority(one, rules=rules).score - 1e-9


@given(findings(), rule_sets(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_lesion_never_lowers_the_score(one, rules, share, other):
    p = one.probabilities
    small, large = (
        priority(finding(p[G], p[M], p[P], size, one.in_distribution), rules=rules).score
        for size in sorted([share, other])
    )
    assert small <= large + 1e-9


@given(cases, st.none() | findings(), requests, rule_sets())
def test_another_scan_never_lowers_the_score(scans, another, requested, rules):
    before = priority(*scans, requested=requested, rules=rules)
    after = priority(*scans, another, requested=requested, rules=rules)
    assert after.score >= before.score - 1e-9
    assert after.flagged >= before.flagged


@given(cases, rule_sets(), st.integers(0, 3), st.integers(0, 3))
def test_an_emergency_never_stands_below_what_is_urgent_or_routine(scans, rules, failed, waiting):
    routine, urgent, emergency = (
        priority(*scans, failed=failed, waiting=waiting, requested=one, rules=rules).score
        for one in RequestedPriority
    )
    assert routine <= urgent <= emergency


@given(findings(), rule_sets())
def test_unlike_the_training_is_raised_and_never_sunk(one, rules):
    p, lesion = one.probabilities, one.lesion and one.lesion.area_fraction
    usual = priority(finding(p[G], p[M], p[P], lesion), rules=rules)
    unlike = priority(finding(p[G], p[M], p[P], lesion, in_distribution=False), rules=rules)
    assert unlike.score == pytest.approx(max(usual.score, rules.unlike_training))
    assert unlike.flagged


@given(cases, requests, rule_sets(), st.integers(0, 2), st.integers(0, 2))
def test_a_failed_scan_raises_to_a_least_score(scans, requested, rules, failed, waiting):
    whole = priority(*scans, waiting=waiting, requested=requested, rules=rules)
    broken = priority(*scans, waiting=waiting, failed=failed + 1, requested=requested, rules=rules)
    assert broken.score >= whole.score - 1e-9
    assert broken.score >= rules.not_analysed - 1e-9
    assert broken.flagged


def test_a_contradiction_raises_in_either_direction():
    assert priority(finding(glioma=0.1, lesion=0.001)).score > priority(finding(glioma=0.1)).score
    whole = finding(meningioma=0.9, lesion=0.001)
    assert priority(finding(meningioma=0.9)).score > priority(whole).score


def test_doubt_raises():
    sure = finding(meningioma=0.9, lesion=0.02)
    torn = finding(meningioma=0.5, pituitary=0.4, lesion=0.02)
    # What half a pituitary tumour in place of a meningioma would take away by itself:
    difference = 0.4 * (RULES.meningioma - RULES.pituitary)
    assert priority(torn).score > priority(sure).score - difference
    assert priority(torn).flagged and not priority(sure).flagged


# -- what is said ----------------------------------------------------------------------------------


@given(cases, requests, rule_sets(), st.integers(0, 2), st.integers(0, 2))
def test_the_reasons_add_up_to_the_score_largest_first(scans, requested, rules, failed, waiting):
    found = priority(*scans, failed=failed, waiting=waiting, requested=requested, rules=rules)
    points = [reason.points for reason in found.reasons]
    assert sum(points) == pytest.approx(found.score)
    assert points == sorted(points, reverse=True)
    assert min(points) >= 0
    assert len({reason.code for reason in found.reasons}) == len(found.reasons)
    assert not any("normal" in text.lower() for text in texts(found))


@given(cases, requests)
def test_the_leading_scan_has_the_highest_score(scans, requested):
    found = priority(*scans, requested=requested)
    scored = {i: priority(one).score for i, one in enumerate(scans) if one is not None}
    if not scored:
        assert found.leading is None
    else:
        assert scored[found.leading] == max(scored.values())


def test_a_glioma_is_said_with_its_probability_and_its_size():
    found = priority(GLIOMA)
    assert texts(found) == ["Glioma suspected (87.0 %)", "Large lesion: 9.0 % of the head"]
    assert not found.flagged
    assert found.leading == 0


def test_a_calm_case_is_none_of_the_three():
    found = priority(CALM)
    assert texts(found) == ["None of the three suspected"]
    assert (found.band, found.flagged) == (Band.ROUTINE, False)
    assert found.target_minutes == RULES.routine_target_minutes


def test_a_region_without_a_suspicion_is_said():
    found = priority(finding(glioma=0.05, lesion=0.02))
    assert texts(found) == [
        "Outlined region although no tumour is suspected",
        "Outlined region: 2.0 % of the head",
    ]
    assert found.flagged


def test_a_suspicion_without_a_region_is_said():
    found = priority(finding(glioma=0.9))
    assert texts(found) == [
        "Glioma suspected (90.0 %)",
        "Tumour suspected but no region outlined",
    ]
    assert found.flagged


def test_low_confidence_is_said():
    found = priority(finding(glioma=0.45, meningioma=0.4, lesion=0.02))
    assert "Low confidence (45.0 % for the most likely class): please look" in texts(found)
    assert found.flagged


def test_a_suspicion_whose_likeliest_class_is_no_tumour_names_the_likeliest_tumour():
    found = priority(finding(glioma=0.3, meningioma=0.1, lesion=0.02))
    assert texts(found)[0] == "Tumour suspected, type uncertain (most likely glioma)"


def test_a_scan_unlike_the_training_is_never_called_calm():
    found = priority(finding(glioma=0.01, in_distribution=False))
    assert texts(found) == ["Unlike the scans of the training: please look"]
    assert found.score == RULES.unlike_training
    assert found.band is Band.SOON


def test_a_request_is_said_and_reaches_its_band():
    emergency = priority(CALM, requested=RequestedPriority.EMERGENCY)
    assert texts(emergency) == ["Requested as emergency", "None of the three suspected"]
    assert emergency.band is Band.IMMEDIATE
    assert priority(CALM, requested=RequestedPriority.URGENT).band is Band.SOON


def test_a_readers_urgency_replaces_the_request():
    lowered = priority(
        CALM, requested=RequestedPriority.EMERGENCY, urgency=RequestedPriority.ROUTINE
    )
    assert lowered.score == priority(CALM).score
    assert "Set to routine by a reader" in texts(lowered)
    raised = priority(CALM, urgency=RequestedPriority.EMERGENCY)
    assert raised.score == priority(CALM, requested=RequestedPriority.EMERGENCY).score
    assert texts(raised)[0] == "Set to emergency by a reader"


@pytest.mark.parametrize("scans", [(), (None, None)])
def test_before_anything_is_scored_only_the_request_counts(scans):
    found = priority(*scans, waiting=len(scans), requested=RequestedPriority.URGENT)
    assert found.score == RULES.urgent
    assert texts(found) == ["Requested as urgent", "Waiting for the analysis"]
    assert found.leading is None
    assert not found.flagged


def test_scans_still_waiting_are_said():
    found = priority(CALM, None, None, waiting=2)
    assert texts(found) == ["None of the three suspected", "2 of 3 scans still to be analysed"]


def test_a_scan_that_waits_for_a_newer_model_counts_once():
    found = priority(CALM, GLIOMA, waiting=1)
    assert texts(found)[-1] == "1 of 2 scans still to be analysed"


def test_a_failed_scan_is_said():
    found = priority(None, failed=1)
    assert texts(found) == ["One scan could not be analysed: please look"]
    assert found.score == RULES.not_analysed
    both = priority(GLIOMA, None, None, failed=2)
    assert both.score == pytest.approx(priority(GLIOMA).score)
    assert texts(both)[-1] == "2 scans could not be analysed: please look"


def test_what_another_scan_shows_is_said_without_points():
    found = priority(GLIOMA, CALM, finding(glioma=0.02, in_distribution=False))
    assert texts(found)[-1] == "Another scan: unlike the scans of the training: please look"
    assert found.score == priority(GLIOMA).score
    assert found.flagged


# -- the rules -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "points",
    [
        {"glioma": 40},
        {"meningioma": 50},
        {"contradiction": 45},
        {"urgent": 70},
        {"soon_from": 70},
        {"waiting_per_hour": 0},
        {"glioma": float("nan")},
        {"unknown": 1},
    ],
)
def test_rules_that_would_break_the_order_are_refused(points):
    with pytest.raises(ValidationError):
        PriorityRules(**points)
