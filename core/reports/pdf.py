"""The report of a case as PDF: what readers found, then what the model says of each scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from reportlab.platypus import Flowable

from core.reports import paper
from core.reports.paper import Text, build, grid
from core.reports.scans import ReportedScan, further_scans, scan_section
from core.reports.series import ReportedSeries, series_section
from core.triage.words import CLASS_NAMES, REQUESTED_NAMES, STATUS_NAMES, account_name
from core.types import CaseStatus, CaseSummary, Decision, Note, Reader, StudyDetails, TumourClass

# More pictures make a report that nobody reads: further scans are listed in a table.
MOST_PICTURED = 24


@dataclass(frozen=True, eq=False)
class CaseReport:
    """What the report of a case is made of.

    Attributes:
        case: the case as the worklist shows it.
        details: what the sender said of it.
        scans: its scans that are slices of no series; the first ``MOST_PICTURED`` are shown with
            their pictures.
        decisions: of the present round, oldest first.
        earlier_decisions: made before new scans reopened the case, oldest first.
        missing: what the case still lacks before it is reported, in words; None where nothing.
        notes: oldest first.
        model: what has to be known of the model, one paragraph each.
        printed_at: in UTC.
        printed_by: who asked for the report.
        series: its series, the one that decided the priority first.
    """

    case: CaseSummary
    details: StudyDetails
    scans: tuple[ReportedScan, ...]
    decisions: tuple[Decision, ...]
    earlier_decisions: tuple[Decision, ...]
    missing: str | None
    notes: tuple[Note, ...]
    model: tuple[str, ...]
    printed_at: datetime
    printed_by: Reader
    series: tuple[ReportedSeries, ...] = ()


def case_report(report: CaseReport) -> bytes:
    """The report as PDF on A4; the same report gives the same bytes."""
    number, reference = report.case.id, report.details.patient_reference
    return build(
        lambda: _story(report),
        title=f"Case report {number}" + (f", {reference}" if reference else ""),
        subject="Triage of brain MRI; research and demonstration use",
        author=account_name(report.printed_by),
        footer=f"Case {number} · {_short(reference)}printed {_time(report.printed_at)}",
        printed_at=report.printed_at,
    )


def _story(report: CaseReport) -> list[Flowable]:
    text = Text()
    parts = [
        _header(report, text),
        _readers_finding(report, text),
        _notes(report.notes, text),
        _models_findings(report, text),
        _reasons(report.case, text),
        _model(report.model, text),
    ]
    # Only now it is known what could not be drawn; the reader should know it first.
    if text.absent:
        parts.insert(1, [text.paragraph(_ABSENT.format(text.absent), paper.BOX)])
    return [flowable for part in parts for flowable in part]


_ABSENT = (
    "{} characters of names or notes are in a script that this document cannot print; each is "
    "shown as ▯. The application shows them."
)

_NOT_NORMAL = (
    "Neither glioma, meningioma nor pituitary tumour. This does not mean a scan without disease."
)


def _header(report: CaseReport, text: Text) -> list[Flowable]:
    case, details = report.case, report.details
    requested = REQUESTED_NAMES[details.requested]
    if case.urgency:
        requested += f"; a reader corrected it to {REQUESTED_NAMES[case.urgency].lower()}"
    facts = [
        ("Patient reference", details.patient_reference or "not given"),
        ("Received", _time(case.received_at)),
        ("Study date", details.study_date.isoformat() if details.study_date else "not given"),
        ("Status", STATUS_NAMES[case.status]),
        ("Site", details.site or "not given"),
        ("Scans", str(case.scan_count)),
        ("Requested priority", requested),
        ("Printed", f"{_time(report.printed_at)} by {account_name(report.printed_by)}"),
    ]
    cells = [
        [text.paragraph(label, paper.LABEL), text.paragraph(value, paper.CELL)]
        for label, value in facts
    ]
    rows = [left + right for left, right in zip(cells[::2], cells[1::2], strict=True)]
    return [
        text.heading(f"Case report {case.id}", paper.TITLE),
        grid(rows, (0.18, 0.32, 0.13, 0.37)),
        text.paragraph("Indication", paper.LABEL_ABOVE),
        *text.long(details.indication or "not given"),
    ]


def _readers_finding(report: CaseReport, text: Text) -> list[Flowable]:
    flowables: list[Flowable] = [text.heading("Readers’ finding", paper.SECTION)]
    decisions = report.decisions
    if report.case.status is CaseStatus.REPORTED and decisions:
        flowables += [
            text.paragraph(CLASS_NAMES[decisions[-1].finding], paper.FINDING),
            text.paragraph(_how_reported(decisions)),
        ]
        if decisions[-1].finding is TumourClass.NO_TUMOR:
            flowables.append(text.paragraph(_NOT_NORMAL))
    elif decisions:
        flowables += [
            text.paragraph(
                f"Preliminary: {CLASS_NAMES[decisions[-1].finding].lower()}", paper.FINDING
            ),
            text.labelled("Not reported yet.", report.missing or "", paper.BOX),
        ]
    else:
        flowables.append(
            text.labelled(
                "No reader has decided yet.",
                "What follows is the model’s output alone and no finding.",
                paper.BOX,
            )
        )
    flowables += _decision_table(decisions, text)
    if report.earlier_decisions:
        flowables.append(
            text.heading("Readings before new scans arrived", paper.SUBSECTION, level=1)
        )
        flowables += _decision_table(report.earlier_decisions, text)
    return flowables


def _how_reported(decisions: Sequence[Decision]) -> str:
    last = decisions[-1]
    said = f"Reported by {account_name(last.reader)} on {_time(last.decided_at)}"
    latest = {one.reader.id: one for one in decisions}
    others = [one for one in latest.values() if one.reader.id != last.reader.id]
    agreeing = [account_name(one.reader) for one in others if one.finding is last.finding]
    differing = [account_name(one.reader) for one in others if one.finding is not last.finding]
    if agreeing:
        said += f"; the same finding by {', '.join(agreeing)}"
    if differing:
        said += f"; another finding by {', '.join(differing)}"
    if not others:
        said += "; one reader"
    return f"{said}. {_against_model(last)}."


def _decision_table(decisions: Sequence[Decision], text: Text) -> list[Flowable]:
    if not decisions:
        return []
    rows = [
        [
            text.paragraph(cell, paper.CELL)
            for cell in (
                _time(one.decided_at),
                account_name(one.reader),
                CLASS_NAMES[one.finding],
                _against_model(one),
                _remarks(one),
            )
        ]
        for one in decisions
    ]
    names = ("When", "Reader", "Finding", "Against the model", "Remarks")
    header = [text.paragraph(name, paper.LABEL) for name in names]
    return [grid([header, *rows], (0.15, 0.23, 0.16, 0.2, 0.26), header=True)]


def _against_model(decision: Decision) -> str:
    if decision.model_finding is None:
        return "The model had no result"
    if decision.model_finding is decision.finding:
        return "Agrees with the model"
    return f"Differs from the model ({CLASS_NAMES[decision.model_finding].lower()})"


def _remarks(decision: Decision) -> str:
    remarks = []
    if decision.mask_wrong:
        remarks.append("mask marked as wrong")
    if decision.urgency:
        remarks.append(f"urgency corrected to {REQUESTED_NAMES[decision.urgency].lower()}")
    if decision.asks_second:
        remarks.append("asks for a second reader")
    return ", ".join(remarks).capitalize()


def _notes(notes: Sequence[Note], text: Text) -> list[Flowable]:
    if not notes:
        return []
    flowables: list[Flowable] = [text.heading("Notes", paper.SECTION)]
    for note in notes:
        flowables.append(
            text.paragraph(
                f"{_time(note.written_at)}, {account_name(note.reader)}", paper.LABEL_ABOVE
            )
        )
        flowables += text.long(note.text)
    return flowables


def _models_findings(report: CaseReport, text: Text) -> list[Flowable]:
    flowables: list[Flowable] = [text.heading("What the model says", paper.SECTION)]
    for series in report.series:
        flowables += series_section(series, text)
    shown, listed = report.scans[:MOST_PICTURED], report.scans[MOST_PICTURED:]
    for scan in shown:
        flowables += scan_section(scan, len(report.scans), text)
    if listed:
        flowables += further_scans(listed, text)
    return flowables


def _reasons(case: CaseSummary, text: Text) -> list[Flowable]:
    if not case.reasons:
        return []
    return [
        text.heading("Why the case stood where it stood in the worklist", paper.SECTION),
        *(text.paragraph(f"• {reason.text}") for reason in case.reasons),
    ]


def _model(paragraphs: Sequence[str], text: Text) -> list[Flowable]:
    return [
        text.heading("The model and its limits", paper.SECTION),
        *(text.paragraph(one, paper.SMALL) for one in paragraphs),
    ]


def _short(reference: str | None) -> str:
    """A patient reference for the footer, where a long one has no room."""
    if not reference:
        return ""
    return (reference if len(reference) <= 40 else f"{reference[:39]}…") + " · "


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M UTC")
