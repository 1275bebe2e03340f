"""The worklist as a spreadsheet reads it."""

import csv
import io

import pytest

from core.reports.tables import worklist_csv
from core.types import Lesion, Reader, Reason, RequestedPriority, TumourClass
from tests.fakes import case_summary


def case(**changes):
    values = dict(
        requested=RequestedPriority.URGENT,
        assignee=Reader(1, "Dr. Ödegård", False),
        predicted=TumourClass.NO_TUMOR,
        probability=0.91234567,
        lesion=Lesion(120, 14.25, 0.0123, 80.06, 11.6),
        waited_minutes=12.34,
        reasons=(Reason("glioma", "Glioma 91 %", 55), Reason("urgent", "Requested urgent", 25)),
    )
    return case_summary(**(values | changes))


def read(data):
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_excel_is_told_that_it_is_utf_8():
    assert worklist_csv([case()]).startswith(b"\xef\xbb\xbfCase,")


def test_a_line_says_what_the_case_says_with_units_in_the_header():
    (row,) = read(worklist_csv([case()]))
    assert row["Case"] == "7"
    assert row["Assignee"] == "Dr. Ödegård (unverified)"
    assert row["Reasons"] == "Glioma 91 %; Requested urgent"
    assert row["Received (UTC)"] == "2026-03-05 08:30:00"
    assert row["Waited (minutes)"] == "12.3"
    assert row["Model: its probability (0 to 1)"] == "0.9123"
    assert row["Lesion area (% of the head)"] == "1.23"
    assert row["Lesion area (mm²)"] == "80.1"
    assert row["Longest diameter (mm)"] == "11.6"
    # It is never called normal.
    assert row["Model: predicted class"] == "None of the three"


def test_what_is_not_known_stays_empty():
    (row,) = read(
        worklist_csv(
            [
                case(
                    patient_reference=None,
                    study_date=None,
                    assignee=None,
                    lesion=None,
                    predicted=None,
                    probability=None,
                    tumour_probability=None,
                    model_version=None,
                )
            ]
        )
    )
    assert row["Patient reference"] == row["Lesion area (mm²)"] == row["Assignee"] == ""
    assert row["Model: its probability (0 to 1)"] == row["Model: predicted class"] == ""


def test_lines_keep_the_order_and_may_come_from_anything_that_yields():
    rows = read(worklist_csv(case(id=number) for number in (3, 1, 2)))
    assert [row["Case"] for row in rows] == ["3", "1", "2"]


def test_an_empty_worklist_still_has_its_header():
    data = worklist_csv([])
    assert data.decode("utf-8-sig").count("\r\n") == 1
    assert read(data) == []


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "＝1+1",
        # Where a semicolon separates, the second half is a cell of its own.
        'x;=HYPERLINK("http://x")',
        "x,=1",
        "x\n=1",
    ],
)
def test_no_text_runs_as_a_formula(text):
    data = worklist_csv([case(site=text, patient_reference=text, assignee=Reader(1, text, True))])
    (row,) = read(data)
    for column in ("Site", "Patient reference", "Assignee"):
        for separators in ("", ",;\t\r\n"):
            cells = [row[column]]
            for separator in separators:
                cells = [part for cell in cells for part in cell.split(separator)]
            assert not any(cell.startswith(tuple("=+-@＝＋－＠")) for cell in cells)
        assert row[column].replace("'", "") == text


def test_harmless_text_is_left_alone():
    (row,) = read(worklist_csv([case(site='A "quoted", two-line\nname; a=b')]))
    assert row["Site"] == 'A "quoted", two-line\nname; a=b'
