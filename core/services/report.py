"""What leaves the installation as a document: the report of a case, and what readers corrected."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO

import numpy as np

from core.errors import StoreError, WeightsError
from core.reports.pdf import MOST_PICTURED, CaseReport, case_report
from core.reports.scans import ReportedPicture, ReportedScan, reported_picture
from core.reports.training_set import TrainingRow, TrainingSetWriter, picture_path
from core.services.installation import Installation, now
from core.services.model_card import model_card
from core.services.model_metrics import interval_in_words, value_in_words
from core.services.pictures import MaskStyle, overlay_heat_map, overlay_mask, resized, size_for
from core.services.review_layers import ScanLayers, scan_layers
from core.services.review_view import CaseView, case_view
from core.store import audit, reviews, training
from core.store.images import StoredScan
from core.store.rows import utc
from core.store.training import ReportedCase
from core.triage import words
from core.types import Reader, ScanFinding, TumourClass, UInt8Array

__all__ = ["TrainingExport", "case_pdf", "training_export"]

log = logging.getLogger(__name__)

# 57 mm on paper at 285 pixels an inch.
_PRINTED_SIDE = 640
_HEAT_OPACITY = 0.6
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
    data = case_report(
        CaseReport(
            case=view.summary,
            details=view.details,
            scans=_reported_scans(installation, view),
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

    A picture that several cases share is labelled by the latest decision. That the export was made
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


def _reported_scans(installation: Installation, view: CaseView) -> tuple[ReportedScan, ...]:
    """The one that decided the priority first, then the most suspicious."""
    order = sorted(
        range(len(view.scans)),
        key=lambda index: (index != view.leading, _suspicion(view.scans[index])),
    )
    return tuple(
        _reported_scan(installation, index + 1, view.scans[index], place < MOST_PICTURED)
        for place, index in enumerate(order)
    )


def _suspicion(scan: StoredScan) -> float:
    """Smaller is more suspicious; what the model has not seen comes before all others."""
    return -2.0 if scan.analysis is None else -scan.analysis.finding.tumour_probability


def _reported_scan(
    installation: Installation, number: int, scan: StoredScan, pictured: bool
) -> ReportedScan:
    analysis = scan.analysis
    problem = None
    if analysis is None:
        problem = scan.failure or "The model has not looked at this scan yet."
    pictures: tuple[ReportedPicture, ...] = ()
    if pictured:
        try:
            explained = None if analysis is None else _explained(analysis.finding)
            pictures = _pictures(scan_layers(installation, scan.id), explained)
        except StoreError:
            log.exception("scan %d is reported without its pictures", scan.id)
            problem = (
                f"{problem or ''} Its pictures are missing from the file store. "
                "Please have the store restored from a backup."
            ).strip()
    return ReportedScan(
        number=number,
        size=(scan.height, scan.width),
        spacing_mm=scan.spacing_mm,
        finding=None if analysis is None else analysis.finding,
        decision_threshold=None if analysis is None else analysis.decision_threshold,
        problem=problem,
        pictures=pictures,
    )


def _explained(finding: ScanFinding) -> TumourClass:
    """The class whose heat map tells most: the tumour, where one is suspected."""
    return words.likeliest_tumour(finding) if finding.suspected else finding.predicted


def _pictures(layers: ScanLayers, explained: TumourClass | None) -> tuple[ReportedPicture, ...]:
    """The scan as the viewer shows it first, with the mask, and with the heat map."""
    # Small scans are enlarged: an outline drawn on few pixels looks ragged.
    size = size_for(layers.pixels.shape, _PRINTED_SIDE)
    picture = resized(_as_shown(layers), size)
    shown = [reported_picture("The scan.", picture)]
    if layers.mask is not None:
        mask = np.where(resized(layers.mask, size) >= 128, 255, 0).astype(np.uint8)
        outlined = overlay_mask(picture, mask, MaskStyle.OUTLINE, 1.0)
        shown.append(reported_picture("Outline of the mask.", outlined))
    elif explained:
        shown.append(reported_picture("No region was outlined.", picture))
    if explained and explained in layers.heat_maps:
        heat = resized(layers.heat_maps[explained], size).astype(np.float32) / 255
        warm = overlay_heat_map(picture, heat, _HEAT_OPACITY)
        shown.append(reported_picture(words.heat_map_meaning(explained), warm))
    return tuple(shown)


def _as_shown(layers: ScanLayers) -> UInt8Array:
    window = layers.windows["all"][0]
    values = layers.pixels.astype(np.float32) * layers.scale + layers.offset
    share = (values - window.low) / max(window.high - window.low, 1e-6)
    picture = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)


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
