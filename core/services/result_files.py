"""The files of results: DICOM objects for a DICOM series, a mask for a NIfTI volume.

Apart from ``results``, because what it needs takes long to load.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from highdicom.seg import Segmentation
from pydicom import Dataset

from core.config import PriorityRules
from core.errors import InputError
from core.inference.volume_measure import MaskedSlice, measure_volume
from core.reports.dicom_objects import (
    Making,
    SourceSlice,
    instance_uid,
    source_header,
    to_bytes,
)
from core.reports.dicom_seg import segmentation
from core.reports.dicom_sr import SeriesFinding, measurement_report
from core.reports.nifti_mask import nifti_mask
from core.services.installation import Installation
from core.services.result_types import ResultFile, SeriesResults
from core.services.slice_order import in_order, scan_rank, speaker, standing_out
from core.services.stored_pixels import PixelReader
from core.store.files import FileStore
from core.store.images import StoredAnalysis, StoredScan
from core.store.sent_reports import SentReport, sent_reports
from core.store.series import StoredSeries
from core.types import ScanFinding

_DICOM, _NIFTI = "application/dicom", "application/gzip"
_LONGEST_VERSION = 64
# Rises where the same analyses give other files than before: an archive must not get another object
# under a UID that it knows.
_LAYOUT = 2
_SAME_UID = (
    "Several slices of this series have one and the same SOP Instance UID, so a DICOM result could "
    "not say which of them it is about, and there is none. The case and its PDF report show them "
    "all. Please have the series exported again with a UID for each slice."
)
_Slices = list[tuple[SourceSlice, StoredScan]]


def dicom_results(
    installation: Installation, series: StoredSeries, scans: Sequence[StoredScan]
) -> SeriesResults:
    """The results of a DICOM series: a segmentation where it can have one, and a report.

    Args:
        installation: where the series is.
        series: what is known of it.
        scans: its slices, all settled, at least one of them analysed.

    Raises:
        InputError: the files' headers do not allow a report, or slices share a UID.
        StoreError: a stored file is missing or damaged.
    """
    slices = in_order(
        _told_apart(_with_headers(installation.files, scans)), lambda item: scan_rank(item[1])
    )
    analysed = [(one, scan.analysis) for one, scan in slices if scan.analysis]
    reader = PixelReader(installation.files)
    masks = [reader.mask(scan) for _, scan in slices]
    leading, odd = _leading([scan for _, scan in slices], installation.settings.priority)
    decides = slices[leading][1].analysis
    assert decides is not None
    chosen = (leading, None if odd is None else odd[0])
    making = _making(series, slices, [analysis for _, analysis in analysed], chosen)
    with installation.database.reading() as session:
        making = _after(making, sent_reports(session, series.id))
    sources = [one for one, _ in slices]
    made: list[ResultFile] = []
    missing: list[str] = []
    drawn: Segmentation | None = None
    try:
        drawn = segmentation(
            sources,
            np.stack([_drawn(mask, scan) for mask, (_, scan) in zip(masks, slices, strict=True)]),
            decides.finding.kind,
            making,
        )
        made.append(_dicom_file(series, drawn, "seg", "DICOM segmentation"))
    except InputError as error:
        missing.append(str(error))
    report = measurement_report(
        SeriesFinding(
            slices=sources,
            leading=leading,
            finding=decides.finding,
            decision_threshold=decides.decision_threshold,
            analysed=len(analysed),
            measures=measure_volume(
                MaskedSlice(mask, scan.spacing_mm, scan.position_mm)
                for mask, (_, scan) in zip(masks, slices, strict=True)
                if scan.analysis
            ),
            area_mm2=_area(slices),
            standing_out=odd,
        ),
        drawn,
        making,
    )
    made.append(_dicom_file(series, report, "sr", "DICOM report"))
    return SeriesResults(tuple(made), tuple(missing))


def nifti_results(
    installation: Installation, series: StoredSeries, scans: Sequence[StoredScan]
) -> SeriesResults:
    """The results of a NIfTI volume: a mask where something is outlined.

    Args:
        installation: where the series is.
        series: what is known of it.
        scans: its slices, all settled.

    Raises:
        StoreError: a stored file is missing or damaged.
    """
    reader = PixelReader(installation.files)
    masks = [(scan.frame, mask) for scan in scans if (mask := reader.mask(scan)) is not None]
    if not masks:
        return SeriesResults(
            (), ("Nothing is outlined in this series, hence there is no NIfTI mask.",)
        )
    data = nifti_mask(installation.files.get(scans[0].content_key), masks, kept=True)
    name = _name(series, "mask", "nii.gz")
    return SeriesResults((ResultFile(name, "NIfTI mask", _NIFTI, data),))


def _with_headers(files: FileStore, scans: Sequence[StoredScan]) -> _Slices:
    headers: dict[str, Dataset] = {}
    for scan in scans:
        if scan.content_key not in headers:
            headers[scan.content_key] = source_header(files.get(scan.content_key))
    return [(SourceSlice(headers[s.content_key], s.frame, s.place), s) for s in scans]


def _told_apart(slices: _Slices) -> _Slices:
    """The slices, if what refers to a frame of an object refers to one of them.

    There are programs that give several slices one UID. An archive that has the series keeps one
    of them, or gave the others UIDs of its own: a result would be about a picture that it does not
    name. What was sent again with other bytes is one already, see ``core.store.slices``.

    Raises:
        InputError: several slices are the same frame of an object by their UIDs.
    """
    if len({(one.header.SOPInstanceUID, one.frame) for one, _ in slices}) < len(slices):
        raise InputError(_SAME_UID)
    return slices


def _leading(
    scans: Sequence[StoredScan], rules: PriorityRules
) -> tuple[int, tuple[int, ScanFinding] | None]:
    """The slice that speaks for the series, as in the worklist, and one that stands out from it."""
    findings = [scan.analysis and scan.analysis.finding for scan in scans]
    chosen = speaker(findings, [scan_rank(scan) for scan in scans], rules)
    assert chosen is not None, "a series without a finding has no results"
    odd = standing_out(findings, chosen, rules)
    found = None if odd is None else findings[odd]
    return chosen, None if odd is None or found is None else (odd, found)


def _drawn(mask: np.ndarray | None, scan: StoredScan) -> np.ndarray:
    return np.zeros((scan.height, scan.width), bool) if mask is None else mask != 0


def _area(slices: _Slices) -> float | None:
    if len(slices) != 1 or slices[0][1].analysis is None:
        return None
    lesion = slices[0][1].analysis.finding.lesion
    return lesion and lesion.area_mm2


def _making(
    series: StoredSeries,
    slices: _Slices,
    analyses: Sequence[StoredAnalysis],
    chosen: tuple[int, int | None],
) -> Making:
    """How the results came about; ``chosen`` are the slices that speak and stand out."""
    versions = sorted({analysis.finding.model_version for analysis in analyses})
    content = [
        [
            str(one.header.SOPInstanceUID),
            one.frame,
            scan.analysis
            and [
                scan.analysis.finding.model_version,
                scan.analysis.mask_key,
                scan.analysis.created_at.isoformat(),
                scan.analysis.decision_threshold,
                *scan.analysis.finding.probabilities.values(),
            ],
        ]
        for one, scan in slices
    ]
    digest = hashlib.sha256(json.dumps([_LAYOUT, chosen, content]).encode()).hexdigest()
    return Making(
        model_version=", ".join(versions)[:_LONGEST_VERSION],
        made_at=max(analysis.created_at for analysis in analyses),
        seed=f"{series.study_uid} {series.series_uid} {digest}",
    )


def _after(making: Making, sent: tuple[SentReport, ...]) -> Making:
    """The same as it was, for results that were sent already; else after all that were sent."""
    for number, report in enumerate(sent):
        known = replace(making, earlier=sent[:number])
        if instance_uid(known, "SR") == report.instance_uid:
            return known
    return replace(making, earlier=sent)


def _dicom_file(series: StoredSeries, made: Dataset, ending: str, what: str) -> ResultFile:
    return ResultFile(_name(series, ending, "dcm"), what, _DICOM, to_bytes(made))


def _name(series: StoredSeries, ending: str, suffix: str) -> str:
    # The row and not the series' own number: several stacks may share that.
    return f"neurotriage-case-{series.study_id}-series-{series.id}-{ending}.{suffix}"
