"""What leaves the installation as a document: the report of a case, and what readers corrected."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO

from core.errors import StoreError, WeightsError
from core.reports.pdf import CaseReport, case_report
from core.reports.training_set import TrainingRow, TrainingSetWriter, picture_path
from core.services.installation import Installation, now
from core.services.metric_sections import interval_in_words, value_in_words
from core.services.model_card import model_card
from core.services.report_scans import reported_scans, reported_series
from core.services.review_view import case_view
from core.services.volumes import case_series
from core.store import audit, reviews, training
from core.store.images import StoredScan
from core.store.rows import utc
from core.store.training import ReportedCase
from core.types import Reader, TumourClass

__all__ = ["TrainingExport", "case_pdf", "training_export"]

log = logging.getLogger(__name__)

# What is said of the model's worth in a report.
_FIGURES = {
    "tumour_sensitivity": "Tumour scans of the test set that reach the decision threshold:",
    "tumour_specificity": "Tumour-free scans of the test set that stay below it:",
    "balanced_accuracy": "Scans named rightly, averaged over the four classes:",
}


@dataclass(frozen=True)
class TrainingExport:
    """What an export of read cases holds.

    Attributes:
        cases: how many cases.
        scans: how many pictures; one that several cases share counts once.
        missing: pictures left out because the file store has lost or damaged them.
    """

    cases: int
    scans: int
    missing: int


def case_pdf(installation: Installation, reader: Reader, case_id: int) -> bytes:
    """The report of a case as PDF. That it was made is written into the audit log.

    Args:
        installation: where the case is.
        reader: who asks for it.
        case_id: the case.

    Raises:
        InputError: there is no such case.
        StoreError: the database cannot be read.
    """
    printed = now()
    with installation.database.reading() as session:
        view = case_view(session, installation.settings, reader, case_id, printed)
        counted = {one.id for one in view.readings}
        earlier = [one for one in reviews.decisions(session, case_id) if one.id not in counted]
    found = case_series(installation, view)
    data = case_report(
        CaseReport(
            case=view.summary,
            details=view.details,
            scans=reported_scans(installation, view, found.pictures),
            series=reported_series(installation, found),
            decisions=view.readings,
            earlier_decisions=tuple(earlier),
            missing=view.missing,
            notes=view.notes,
            model=_about_the_model(installation, view.scans),
            printed_at=utc(printed),
            printed_by=reader,
        )
    )
    with installation.database.transaction() as session:
        audit.log_action(
            session,
            action="report",
            text="Printed the report as PDF.",
            now=now(),
            user_id=reader.id,
            study_id=case_id,
        )
    return data


def training_export(
    installation: Installation, reader: Reader, out: BinaryIO, *, all_reported: bool = False
) -> TrainingExport:
    """Write read cases as a training set, see ``core.reports.training_set``.

    Simulated cases are left out: they are drawn, not read. A picture that several cases share is
    labelled by the latest decision. That the export was made
    is written into the audit log.

    Args:
        installation: where the cases are.
        reader: who asks for it.
        out: where the ZIP archive goes; written from beginning to end.
        all_reported: every reported case, instead of only those where the readers' finding differs
            from the model's.

    Raises:
        StoreError: the database cannot be read.
    """
    with installation.database.reading() as session:
        cases = training.reported_cases(session, overridden_only=not all_reported)
        found = training.images_of_cases(session, [case.id for case in cases])
        by_case = groupby(found, key=lambda row: row[0])
        pictures = {case_id: [row[1:] for row in rows] for case_id, rows in by_case}
    patients: dict[str, int] = {}
    # Later cases replace earlier ones: cases come in the order of their last decision.
    rows: dict[str, tuple[ReportedCase, TrainingRow]] = {}
    for case in cases:
        patient = patients.setdefault(case.patient or f"case {case.id}", len(patients) + 1)
        for content_key, source_format in pictures.get(case.id, []):
            rows[content_key] = case, _training_row(case, patient, content_key, source_format)
    writer, missing, written = TrainingSetWriter(out), 0, set()
    for content_key, (case, row) in rows.items():
        try:
            writer.add(row, installation.files.get(content_key))
            written.add(case.id)
        except StoreError:
            log.exception("picture %s of case %d is left out of an export", content_key, case.id)
            missing += 1
    writer.close(missing)
    export = TrainingExport(len(written), len(rows) - missing, missing)
    chosen = "all reported cases" if all_reported else "the cases that readers overrode"
    with installation.database.transaction() as session:
        audit.log_action(
            session,
            action="training_export",
            text=f"Exported {chosen} as a training set: {export.scans} scans of {export.cases} "
            "cases.",
            now=now(),
            user_id=reader.id,
        )
    return export


def _about_the_model(installation: Installation, scans: Sequence[StoredScan]) -> tuple[str, ...]:
    """What whoever reads a report has to know of the model, one paragraph each."""
    versions = {scan.analysis.finding.model_version for scan in scans if scan.analysis}
    said = [f"Results by model version {', '.join(sorted(versions))}."] if versions else []
    try:
        card = model_card(installation)
    except WeightsError:
        return (*said, "Its figures and limits are not at hand: the weights cannot be read.")
    if versions != {card.version}:
        said.append(f"What follows is known of version {card.version}, which is served now.")
    figures = card.metrics.four_class.figures if card.metrics and card.metrics.four_class else {}
    for name, meaning in _FIGURES.items():
        if name in figures:
            value, interval = value_in_words(figures[name]), interval_in_words(figures[name])
            said.append(f"{meaning} {value} (95 % interval {interval}).")
    return (*said, *card.limits)


def _training_row(
    case: ReportedCase, patient: int, content_key: str, source_format: str
) -> TrainingRow:
    certain = case.scan_count == 1 or case.finding is TumourClass.NO_TUMOR
    return TrainingRow(
        path=picture_path(case.finding, content_key, source_format),
        label=case.finding,
        label_of="scan" if certain else "case",
        model_class=case.model_finding or "",
        model_version=case.model_version or "",
        decided_at=case.decided_at.isoformat(timespec="seconds"),
        readers=case.readers,
        patient=patient,
    )
