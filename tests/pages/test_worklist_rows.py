"""A case of the worklist in words."""

import json
from datetime import date

import pytest

from core.types import Band, CaseStatus, Lesion, Reader, TumourClass, WaitState
from pages.components.worklist_rows import table_row
from tests.fakes import case_summary


def row(**changes):
    return table_row(case_summary(**changes), 1, Reader(1, "Ada", False), lambda key: f"/{key}")


def test_a_row_says_what_the_model_says():
    found = row()
    assert (found["finding"], found["finding_share"]) == ("Glioma", "91.2 %")
    assert (found["tumour"], found["lesion"]) == ("95.3 %", "12 mm")
    assert found["lesion_detail"] == "1.2 % of head"
    assert found["study"] == "4 Mar 2026 · case 7 · North"
    assert found["reasons"][0] == {"text": "Glioma 91\u00a0%", "points": "+55"}
    assert found["band"] == "Immediate"


def test_no_tumour_is_none_of_the_three_and_nothing_outlined_is_said():
    found = row(predicted=TumourClass.NO_TUMOR, lesion=None)
    assert found["finding"] == "None of the three"
    assert found["lesion"] == "None outlined"
    assert "normal" not in json.dumps(found).lower()


def test_a_case_not_analysed_yet_says_so():
    found = row(
        predicted=None, probability=None, tumour_probability=None, lesion=None, scored_count=0
    )
    assert (found["finding"], found["finding_share"]) == ("Not analysed yet", None)
    assert (found["tumour"], found["tumour_share"], found["lesion"]) == ("–", None, "–")


def test_a_case_of_which_nothing_could_be_analysed_says_so():
    found = row(
        predicted=None, probability=None, tumour_probability=None, scored_count=0,
        failed_count=1, status=CaseStatus.FAILED,
    )  # fmt: skip
    assert found["finding"] == "Analysis failed"
    assert found["status"] == "Failed"


def test_scans_that_are_left_are_told():
    found = row(scan_count=5, scored_count=2, failed_count=1)
    assert found["finding_detail"] == "2 of 5 scans not analysed yet, 1 of 5 scans failed"
    assert "5 scans" in found["study"]


def test_a_wait_over_the_target_is_told_in_words():
    found = row(waited_minutes=130, wait_state=WaitState.OVER_TARGET, band=Band.SOON)
    assert found["waited"] == "2 h 10 min"
    assert found["wait_detail"] == "over the target of 1 h by 1 h 10 min"


def test_a_size_without_a_known_spacing_is_in_pixels():
    assert row(lesion=Lesion(120, 14.2, 0.0123))["lesion"] == "14 px"


@pytest.mark.parametrize(
    ("assignee", "status", "says", "offers"),
    [
        (None, CaseStatus.NEW, None, "Assign to me"),
        (Reader(1, "Ada", False), CaseStatus.NEW, "You", "Release"),
        (Reader(2, "Bo", True), CaseStatus.IN_REVIEW, "Bo", None),
        (Reader(1, "Ada", False), CaseStatus.REPORTED, "You", None),
        (None, CaseStatus.REPORTED, None, None),
    ],
)
def test_a_row_offers_what_its_reader_may_do(assignee, status, says, offers):
    found = row(assignee=assignee, status=status)
    assert (found["assignee"], found["assign"]) == (says, offers)


def test_an_account_that_nobody_vouches_for_is_marked():
    assert row(assignee=Reader(2, "Bo", False))["assignee_detail"] == "unverified"
    assert row(assignee=Reader(2, "Bo", True))["assignee_detail"] is None


def test_a_picture_that_cannot_be_had_leaves_a_row_without_one():
    case = case_summary(thumbnail_key="k", study_date=date(2026, 3, 4))
    found = table_row(case, 1, Reader(1, "Ada", False), lambda key: None)
    assert (found["picture"], found["no_picture"]) == (None, "No picture")
