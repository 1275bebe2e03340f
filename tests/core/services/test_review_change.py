"""Earlier cases of a patient, and how the outlined region has changed since."""

import dataclasses
from datetime import date

import pytest

from core.services.review import look_again
from core.services.review_change import size_change
from core.types import Lesion, RequestedPriority, ScanFinding, ScanKind
from tests.core.services.read_cases import GLIOMA, MENINGIOMA, case_of, read_as
from tests.fakes import scan_png


def test_earlier_cases_of_the_reference_come_with_the_change_in_size(installation, ada):
    old = case_of(
        installation, ada, scan_png(), scan_png(lesion=False),
        patient_reference="p 1", study_date=date(2023, 1, 2),
    )  # fmt: skip
    read_as(installation, ada, old, MENINGIOMA)
    case_of(installation, ada, scan_png(80), patient_reference="Q", study_date=date(2022, 1, 1))
    new = case_of(
        installation, ada, scan_png(140, 100),
        patient_reference="P 1", study_date=date(2024, 1, 2), requested=RequestedPriority.EMERGENCY,
    )  # fmt: skip
    [earlier] = look_again(installation, ada, new).earlier
    assert (earlier.id, earlier.made_on) == (old, date(2023, 1, 2))
    assert earlier.decision.finding is MENINGIOMA
    assert earlier.scan.analysis.finding.lesion is not None, "the slice with the lesion"
    [share] = earlier.change.measures
    assert share.unit == "%"
    assert share.before == pytest.approx(share.now, rel=0.1)
    assert "no pixel spacing" in earlier.change.remark
    assert look_again(installation, ada, old).earlier == ()


def finding(kind=ScanKind.GRAY, lesion=None):
    return ScanFinding({}, GLIOMA, 0.9, True, lesion, True, kind, "v")


def test_findings_of_different_model_versions_are_compared_with_a_warning():
    before = finding(lesion=Lesion(100, 12.0, 0.02, 100.0, 12.0))
    now = dataclasses.replace(before, model_version="w")
    assert "another version of the model" in size_change(before, now).remark
    assert "another version" not in size_change(before, before).remark


def test_a_change_is_given_in_millimetres_where_both_are_known():
    before = finding(lesion=Lesion(100, 12.0, 0.02, 100.0, 12.0))
    now = finding(lesion=Lesion(300, 15.0, 0.03, 150.0, 15.0))
    area, diameter = size_change(before, now).measures
    assert (area.unit, area.change, area.relative) == ("mm²", 50.0, 0.5)
    assert (diameter.unit, diameter.change, diameter.relative) == ("mm", 3.0, 0.25)


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (None, finding(), "earlier scan is not analysed"),
        (finding(), None, "present scan is not analysed"),
        (finding(ScanKind.COMPOSITE), finding(), "different things"),
        (finding(), finding(), "No region was outlined then or now"),
        (finding(), finding(lesion=Lesion(9, 3.0, 0.1)), "outlined now, none then"),
        (finding(lesion=Lesion(9, 3.0, 0.1)), finding(), "outlined then, none now"),
    ],
)
def test_what_cannot_be_compared_is_said(before, now, said):
    change = size_change(before, now)
    assert change.measures == ()
    assert said in change.remark
