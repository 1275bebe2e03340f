"""What a sender may say of a study, and how it is kept."""

from datetime import UTC, date, datetime, timedelta

import pytest

from core.errors import InputError
from core.services.details import check_details, contradictions, one_line
from core.types import StudyDetails


def test_white_space_is_collapsed_and_what_is_empty_is_nothing():
    found = check_details(
        StudyDetails(
            "  P \t 17\n",
            None,
            "   ",
            "",
        )
    )
    assert found == StudyDetails("P 17", None, None, None)


def test_characters_that_nobody_sees_are_left_out():
    assert one_line("P\u200b-\u202e17\x00\ud800\x1b") == "P-17"


@pytest.mark.parametrize(
    ("details", "said"),
    [
        (StudyDetails(patient_reference="x" * 121), "patient reference has 121 characters"),
        (StudyDetails(site="x" * 121), "site has 121 characters"),
        (StudyDetails(indication="x" * 1001), "indication has 1001 characters"),
        # Compared without regard to case it would be twice as long.
        (StudyDetails(patient_reference="ß" * 100), "patient reference has 200 characters"),
    ],
)
def test_a_text_that_is_too_long_is_refused_and_never_cut(details, said):
    with pytest.raises(InputError, match=said):
        check_details(details)


def test_a_study_in_the_future_is_refused_but_not_where_today_has_begun_earlier():
    today = date(2026, 3, 4)
    check_details(StudyDetails(study_date=today), today)
    with pytest.raises(InputError, match="2026-03-05, lies in the future"):
        check_details(StudyDetails(study_date=date(2026, 3, 5)), today)
    check_details(StudyDetails(study_date=datetime.now(UTC).date()))
    with pytest.raises(InputError):
        check_details(StudyDetails(study_date=datetime.now(UTC).date() + timedelta(days=2)))


def test_only_what_is_said_otherwise_contradicts():
    kept = StudyDetails("P-1", date(2026, 3, 4), "North", "Headache")
    assert contradictions(kept, StudyDetails()) == []
    assert contradictions(kept, StudyDetails(site="NORTH", indication="headache")) == []
    found = contradictions(kept, StudyDetails(study_date=date(2026, 3, 5), site="South"))
    assert ["study date" in found[0], "site" in found[1], len(found)] == [True, True, 2]
    assert "North" not in " ".join(found)
