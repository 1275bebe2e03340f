"""What is said of a score: its reasons, which add up to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.types import Band, RequestedPriority
from tests.core.triage.made_up_cases import (
    CALM,
    GLIOMA,
    RULES,
    cases,
    finding,
    priority,
    requests,
    rule_sets,
    texts,
)


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


def test_a_slice_that_stands_out_keeps_a_calm_case_from_being_routine():
    found = priority(CALM, standing_out=[GLIOMA])
    assert texts(found) == [
        "One slice stands out from its series: glioma suspected (87.0 %), please look",
        "None of the three suspected",
    ]
    assert (found.band, found.flagged, found.leading) == (Band.SOON, True, 0)
    assert found.score == pytest.approx(RULES.standing_out)


@pytest.mark.parametrize(
    "odd", [finding(glioma=0.87), finding(glioma=0.6, lesion=0.02)], ids=["no outline", "in doubt"]
)
def test_it_takes_both_networks_and_confidence_to_lift_a_case_by_one_slice(odd):
    assert priority(CALM, standing_out=[odd]) == priority(CALM)


def test_a_slice_that_stands_out_never_lowers_a_case_or_adds_to_an_urgent_one():
    alone = priority(GLIOMA)
    assert priority(GLIOMA, standing_out=[GLIOMA]).score == pytest.approx(alone.score)
    asked = priority(CALM, standing_out=[GLIOMA], requested=RequestedPriority.URGENT)
    assert asked.score == pytest.approx(RULES.standing_out + RULES.urgent)
