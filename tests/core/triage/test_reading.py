"""When readings are enough for a report, and what is said while they are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.triage.reading import missing_for_report, status_after
from core.types import CaseStatus, Reading, TumourClass

ADA, BEN, CLEO = 1, 2, 3
GLIOMA, MENINGIOMA, NONE = TumourClass.GLIOMA, TumourClass.MENINGIOMA, TumourClass.NO_TUMOR
REPORTED, NEEDS_SECOND = CaseStatus.REPORTED, CaseStatus.NEEDS_SECOND_READER

histories = st.lists(
    st.builds(Reading, st.integers(1, 4), st.sampled_from(TumourClass), st.booleans()), max_size=7
)


def status(*readings: Reading, rule: bool = True) -> CaseStatus:
    return status_after(readings, second_reader_for_glioma=rule)


def missing(*readings: Reading, rule: bool = True) -> str | None:
    return missing_for_report(readings, second_reader_for_glioma=rule)


def test_without_a_reading_a_case_is_new():
    assert status() is CaseStatus.NEW
    assert missing() == "No reader has decided yet."


@pytest.mark.parametrize("found", [MENINGIOMA, NONE, TumourClass.PITUITARY])
def test_one_reading_is_enough_for_what_is_no_glioma(found):
    assert status(Reading(ADA, found)) is REPORTED


def test_a_glioma_needs_a_second_reader():
    assert status(Reading(ADA, GLIOMA)) is NEEDS_SECOND
    assert missing(Reading(ADA, GLIOMA)) == (
        "A second, different reader has to confirm the glioma."
    )
    assert status(Reading(ADA, GLIOMA), Reading(BEN, GLIOMA)) is REPORTED


def test_the_rule_for_gliomas_can_be_switched_off():
    assert status(Reading(ADA, GLIOMA), rule=False) is REPORTED


@pytest.mark.parametrize("rule", [True, False])
def test_nobody_is_their_own_second_reader(rule):
    twice = [Reading(ADA, GLIOMA, asks_second=True)] * 2
    assert status(*twice, rule=rule) is NEEDS_SECOND


def test_who_asks_for_a_second_reader_gets_one():
    asked = Reading(ADA, NONE, asks_second=True)
    assert status(asked) is NEEDS_SECOND
    assert missing(asked).startswith("A second reader was asked for")
    assert status(asked, Reading(BEN, NONE)) is REPORTED


def test_a_second_reader_who_asks_for_another_gets_one():
    asked = [Reading(ADA, GLIOMA), Reading(BEN, GLIOMA, asks_second=True)]
    assert status(*asked) is NEEDS_SECOND
    assert missing(*asked).startswith("The last reader asked for another one")
    assert status(*asked, Reading(CLEO, GLIOMA)) is REPORTED


@pytest.mark.parametrize("order", [(GLIOMA, MENINGIOMA), (MENINGIOMA, GLIOMA)])
def test_readers_who_disagree_are_told(order):
    first, second = Reading(ADA, order[0], asks_second=True), Reading(BEN, order[1])
    assert status(first, second) is NEEDS_SECOND
    named = " and ".join(found.value for found in order)
    assert missing(first, second).startswith(f"The readers disagree: {named}.")


def test_who_gives_in_settles_it():
    disagree = [Reading(ADA, GLIOMA), Reading(BEN, MENINGIOMA)]
    assert status(*disagree, Reading(BEN, GLIOMA)) is REPORTED
    assert status(*disagree, Reading(ADA, MENINGIOMA)) is REPORTED


def test_a_third_reader_settles_it_with_the_second():
    disagree = [Reading(ADA, GLIOMA), Reading(BEN, NONE)]
    assert status(*disagree, Reading(CLEO, NONE)) is REPORTED
    assert status(*disagree, Reading(CLEO, GLIOMA)) is NEEDS_SECOND
    assert status(*disagree, Reading(CLEO, GLIOMA), Reading(ADA, GLIOMA)) is REPORTED


def test_a_reader_may_take_a_request_back():
    assert status(Reading(ADA, NONE, asks_second=True), Reading(ADA, NONE)) is REPORTED


@given(histories)
def test_a_glioma_is_never_reported_by_one_account(history):
    findings = {reading.reader_id: reading.finding for reading in history}
    if status(*history) is REPORTED and GLIOMA in findings.values():
        last = history[-1]
        others = [found for reader, found in findings.items() if reader != last.reader_id]
        assert last.finding in others


@given(histories)
def test_status_and_words_agree(history):
    found = status(*history)
    assert (missing(*history) is None) == (found is REPORTED)
    assert (found is CaseStatus.NEW) == (not history)


@given(histories, st.integers(1, 4), st.sampled_from(TumourClass))
def test_two_fresh_readers_who_agree_always_end_it(history, reader, found):
    pair = [Reading(90 + reader, found), Reading(80 + reader, found)]
    assert status(*history, *pair) is REPORTED
