"""The score of a case: what raises it, and what never lowers it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.config import PriorityRules
from core.types import Band, RequestedPriority
from tests.core.triage.made_up_cases import (
    CALM,
    RULES,
    G,
    M,
    N,
    P,
    cases,
    finding,
    findings,
    priority,
    requests,
    rule_sets,
)


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
