"""A case's report, read back from the PDF."""

import re
from datetime import timedelta

import pytest

from core.reports.pdf import MOST_PICTURED, case_report
from core.triage.words import DISCLAIMER
from core.types import CaseStatus, Lesion, Note, RequestedPriority
from tests.core.reports.pdf_reports import (
    ANNA,
    BORIS,
    GLIOMA,
    MENINGIOMA,
    NO_TUMOR,
    NOON,
    PITUITARY,
    decision,
    finding,
    read,
    report,
    scan,
    text_of,
)


def test_the_same_report_gives_the_same_bytes():
    assert case_report(report()) == case_report(report())


def test_every_page_says_what_it_is_whose_it_is_and_which_of_how_many():
    pages = read(report(notes=(Note(1, ANNA, "word " * 3000, NOON),))).pages
    assert len(pages) > 2
    for number, page in enumerate(pages, start=1):
        text = " ".join(page.extract_text().split())
        assert DISCLAIMER in text
        assert f"Case 7 · P-12 · printed 2026-03-05 15:00 UTC · page {number} of {len(pages)}" in (
            text
        )


def test_readers_of_the_document_are_told_title_language_and_time():
    document = read(report())
    assert document.metadata.title == "Case report 7, P-12"
    assert document.metadata.author == "Anna (unverified)"
    assert document.metadata.subject
    assert document.metadata.creation_date == NOON + timedelta(hours=3)
    assert document.trailer["/Root"]["/Lang"] == "en-GB"
    assert document.pages[0].mediabox.width == pytest.approx(595.28, abs=0.1)
    titles = str([one["/Title"] for one in document.outline if not isinstance(one, list)])
    assert "Readers’ finding" in titles and "What the model says" in titles


def test_the_header_says_whose_scan_it_is_and_why_it_was_made():
    text = text_of(report())
    for part in ("P-12", "2026-03-04", "North", "Headache", "Routine", "2026-03-05 08:30 UTC"):
        assert part in text


def test_the_readers_finding_stands_before_the_models():
    text = text_of(report(decisions=(decision(said=MENINGIOMA),)))
    assert text.index("Readers’ finding") < text.index("Meningioma")
    assert text.index("Meningioma") < text.index("What the model says")
    assert text.index("What the model says") < text.index("Glioma suspected")
    assert "Differs from the model (glioma)" in text


def test_accounts_nobody_vouches_for_are_marked():
    text = text_of(report(decisions=(decision(), decision(BORIS, minutes=5))))
    assert "Anna (unverified)" in text
    assert "Boris" in text and "Boris (unverified)" not in text


def test_a_second_reading_is_said():
    text = text_of(report(decisions=(decision(), decision(BORIS, minutes=5))))
    assert (
        "Reported by Boris on 2026-03-05 12:05 UTC; the same finding by Anna (unverified). "
        "Agrees with the model."
    ) in text


def test_a_changed_mind_is_no_second_reading():
    text = text_of(report(decisions=(decision(said=MENINGIOMA), decision(minutes=5))))
    assert "Reported by Anna (unverified) on 2026-03-05 12:05 UTC; one reader." in text


def test_an_outvoted_reading_is_said():
    decisions = (decision(said=MENINGIOMA), decision(BORIS, minutes=5))
    assert "another finding by Anna (unverified)" in text_of(report(decisions=decisions))


def test_what_readers_marked_is_said():
    marked = decision(mask_wrong=True, asks_second=True, urgency=RequestedPriority.EMERGENCY)
    assert (
        "Mask marked as wrong, urgency corrected to emergency, asks for a second reader"
    ) in text_of(report(decisions=(marked,)))


def test_an_unfinished_case_is_not_called_reported():
    text = text_of(
        report(status=CaseStatus.NEEDS_SECOND_READER, missing="A second reader has to confirm it.")
    )
    assert "Preliminary: glioma" in text
    assert "Not reported yet. A second reader has to confirm it." in text
    assert "Reported by" not in text


def test_a_case_nobody_read_says_so():
    text = text_of(report(status=CaseStatus.NEW, decisions=()))
    assert "No reader has decided yet." in text
    assert text.index("No reader") < text.index("Glioma suspected")


def test_readings_from_before_new_scans_arrived_do_not_count():
    text = text_of(
        report(status=CaseStatus.NEW, decisions=(), earlier_decisions=(decision(said=PITUITARY),))
    )
    assert "No reader has decided yet." in text
    assert text.index("No reader") < text.index("Readings before new scans arrived")
    assert "Pituitary tumour" in text


@pytest.mark.parametrize("reader_says", [True, False])
def test_no_tumour_is_never_called_normal(reader_says):
    calm = finding(
        predicted=NO_TUMOR,
        suspected=False,
        tumour_probability=0.02,
        lesion=None,
        probabilities={GLIOMA: 0.01, MENINGIOMA: 0.005, NO_TUMOR: 0.98, PITUITARY: 0.005},
    )
    decisions = (decision(said=NO_TUMOR, model=NO_TUMOR),) if reader_says else ()
    text = text_of(report(scans=(scan(finding=calm),), decisions=decisions))
    assert "None of the three suspected" in text
    assert "does not mean a scan without disease" in text
    assert not re.search(r"\b(normal|healthy|unremarkable)\b", text, re.IGNORECASE)


def test_figures_have_units_and_the_model_that_made_them():
    text = text_of(report())
    assert "97.0 %" in text and "decision threshold of 29.2 %" in text
    assert "Area 30 mm² (120 px), longest diameter 7.1 mm (14.2 px)." in text
    assert "Area: 1.2 % of the head." in text
    assert "enhancing tumour" in text
    assert "Model model-9" in text
    assert "It misses small lesions." in text


def test_without_spacing_there_are_no_millimetres():
    text = text_of(
        report(
            scans=(scan(spacing_mm=None, finding=finding(lesion=Lesion(120, 14.24, 0.0123))),),
        )
    )
    assert "Area 120 px, longest diameter 14.2 px; the file gives no pixel spacing" in text
    assert " mm" not in text.replace("no millimetres", "")


def test_a_strange_scan_is_warned_of_before_its_figures():
    text = text_of(report(scans=(scan(finding=finding(in_distribution=False)),)))
    assert text.index("Warning: This picture is unlike") < text.index("97.0 %")


def test_a_contradiction_of_class_and_mask_is_said():
    text = text_of(report(scans=(scan(finding=finding(lesion=None)),)))
    assert "Attention: Tumour suspected but no region outlined." in text
    assert "Attention" not in text_of(report())


def test_a_scan_that_failed_stays_in_the_report():
    failed = scan(2, finding=None, decision_threshold=None, problem="It broke.", pictures=())
    text = text_of(report(scans=(scan(), failed)))
    assert "Scan 2 of 2" in text and "It broke." in text


def test_all_pictures_are_there():
    images = [image for page in read(report()).pages for image in page.images]
    assert len(images) == 3
    assert {image.image.size for image in images} == {(30, 40)}


def test_a_study_of_many_scans_lists_those_without_pictures():
    scans = tuple(scan(number) for number in range(1, MOST_PICTURED + 4))
    made = read(report(scans=scans))
    text = " ".join(" ".join(page.extract_text() for page in made.pages).split())
    assert f"Scan {MOST_PICTURED} of {len(scans)}" in text
    assert f"Scan {MOST_PICTURED + 1} of" not in text
    assert "Further scans, without pictures" in text
    assert f"{len(scans)} Glioma suspected 97.0 % 7 mm" in text
