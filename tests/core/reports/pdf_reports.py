"""Reports of made-up cases as PDF, and what is read in them."""

import io
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pypdf

from core.reports.pdf import CaseReport, case_report
from core.reports.scans import ReportedScan, reported_picture
from core.types import (
    CaseStatus,
    Decision,
    Lesion,
    Reader,
    ScanFinding,
    ScanKind,
    StudyDetails,
    TumourClass,
)
from tests.fakes import case_summary

ANNA, BORIS = Reader(1, "Anna", False), Reader(2, "Boris", True)
NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
GLIOMA, MENINGIOMA, NO_TUMOR, PITUITARY = TumourClass


def finding(**changes):
    values = dict(
        probabilities={GLIOMA: 0.9, MENINGIOMA: 0.05, NO_TUMOR: 0.03, PITUITARY: 0.02},
        predicted=GLIOMA,
        tumour_probability=0.97,
        suspected=True,
        lesion=Lesion(120, 14.24, 0.0123, 30.0, 7.12),
        in_distribution=True,
        kind=ScanKind.GRAY,
        model_version="model-9",
    )
    return ScanFinding(**(values | changes))


def scan(number=1, **changes):
    names = ("scan", "mask", "heat map")
    grays = [np.full((40, 30, 3), 60 * level, np.uint8) for level in range(3)]
    values = dict(
        number=number,
        size=(400, 300),
        spacing_mm=(0.5, 0.5),
        finding=finding(),
        decision_threshold=0.2917,
        problem=None,
        pictures=tuple(map(reported_picture, names, grays)),
    )
    return ReportedScan(**(values | changes))


def decision(reader=ANNA, said=GLIOMA, model=GLIOMA, minutes=0, **changes):
    values = dict(
        id=1,
        reader=reader,
        finding=said,
        model_finding=model,
        model_version="model-9",
        urgency=None,
        mask_wrong=False,
        asks_second=False,
        status_after=CaseStatus.REPORTED,
        decided_at=NOON + timedelta(minutes=minutes),
    )
    return Decision(**(values | changes))


def report(status=CaseStatus.REPORTED, **changes):
    values = dict(
        case=case_summary(status=status),
        details=StudyDetails("P-12", date(2026, 3, 4), "North", "Headache"),
        scans=(scan(),),
        decisions=(decision(),),
        earlier_decisions=(),
        missing=None,
        notes=(),
        model=("Model model-9.", "It misses small lesions."),
        printed_at=NOON + timedelta(hours=3),
        printed_by=ANNA,
    )
    return CaseReport(**(values | changes))


def read(made):
    return pypdf.PdfReader(io.BytesIO(case_report(made)))


def text_of(made):
    """All text, with line breaks as spaces: where a line ends is not the test's concern."""
    return " ".join(" ".join(page.extract_text() for page in read(made).pages).split())
