"""What the report of a case shows of its scans and series: pictures, figures and measures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.errors import InputError, StoreError
from core.reports.pdf import MOST_PICTURED
from core.reports.scans import ReportedPicture, ReportedScan, reported_picture
from core.reports.series import ReportedSeries, ReportedSlice
from core.services.installation import Installation
from core.services.pictures import MaskStyle, overlay_heat_map, overlay_mask, resized, size_for
from core.services.review_layers import ScanLayers, scan_layers
from core.services.review_view import CaseView
from core.services.volumes import CaseSeries, SeriesView, measure_series
from core.store.images import StoredScan
from core.triage import words
from core.types import ScanFinding, TumourClass, UInt8Array

log = logging.getLogger(__name__)

# 57 mm on paper at 285 pixels an inch.
_PRINTED_SIDE = 640
_HEAT_OPACITY = 0.6


def reported_scans(
    installation: Installation, view: CaseView, pictures: Sequence[int]
) -> tuple[ReportedScan, ...]:
    """The pictures of their own: the one that decided the priority first, then the worst."""
    order = sorted(
        enumerate(pictures, start=1),
        key=lambda one: (one[1] != view.leading, _suspicion(view.scans[one[1]])),
    )
    return tuple(
        _reported_scan(installation, number, view.scans[index], place < MOST_PICTURED)
        for place, (number, index) in enumerate(order)
    )


def reported_series(installation: Installation, found: CaseSeries) -> tuple[ReportedSeries, ...]:
    """The series; the one that decided the priority first."""
    order = sorted(range(len(found.series)), key=lambda index: index != found.leading)
    return tuple(
        _reported_one(installation, found.series[index], place < MOST_PICTURED)
        for place, index in enumerate(order)
    )


def _reported_one(installation: Installation, one: SeriesView, pictured: bool) -> ReportedSeries:
    findings = [scan.analysis and scan.analysis.finding for scan in one.slices]
    leading = _reported_scan(installation, one.leading + 1, one.slices[one.leading], pictured)
    problem, measures = leading.problem, None
    try:
        measures = measure_series(installation, one)
    except StoreError as error:
        log.exception("series %d is reported without its measures", one.series.id)
        problem = f"{problem or ''} The series could not be measured: {error}".strip()
    return ReportedSeries(
        name=one.name,
        geometry=one.geometry,
        notices=(*one.series.notices, *([one.stands_out] if one.stands_out else [])),
        states=one.states,
        slices=tuple(_reported_slice(finding) for finding in findings),
        leading=replace(
            leading, problem=problem, label=f"Decisive slice: {one.caption(one.leading)}"
        ),
        measures=measures,
        model_versions=tuple(sorted({found.model_version for found in findings if found})),
    )


def _reported_slice(finding: ScanFinding | None) -> ReportedSlice:
    if finding is None:
        return ReportedSlice()
    return ReportedSlice(finding.tumour_probability, finding.suspected, finding.in_distribution)


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
        except (InputError, StoreError):
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
