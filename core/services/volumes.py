"""A case's series as volumes: their slices in order, what they measure, three views of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from core.config import PriorityRules
from core.inference.volume_measure import MaskedSlice, VolumeMeasures, measure_volume
from core.services.installation import Installation
from core.services.review_view import CaseView
from core.services.slice_order import in_order, scan_rank, speaker, standing_out
from core.services.stored_pixels import PixelReader
from core.services.volume_planes import (
    SliceSource,
    VolumeLayers,
    build_volume,
    check_places,
    direction_letters,
    edge_letters,
    slices_to_read,
)
from core.store.images import StoredScan
from core.store.series import StoredSeries, series_of_study
from core.triage import volume_words
from core.triage.volumes import series_name
from core.types import ScoringState

__all__ = [
    "CaseSeries",
    "SeriesView",
    "VolumeLayers",
    "VolumeMeasures",
    "case_series",
    "edge_letters",
    "measure_series",
    "volume_layers",
]


@dataclass(frozen=True)
class SeriesView:
    """A series of two slices or more.

    Attributes:
        series: what is known of it.
        name: how it is called, such as ``T1 with contrast, axial, series 5, 155 slices``.
        slices: in the order of their positions, rising; in that of their numbers where the
            position of one is not known.
        leading: index of the slice that speaks for the series, or of one amid it, see
            ``core.triage.volumes``.
        odd: index of a slice that is suspicious although the leading one is not; None where there
            is none.
    """

    series: StoredSeries
    name: str
    slices: tuple[StoredScan, ...]
    leading: int
    odd: int | None = None

    @property
    def opens_at(self) -> int:
        """Index of the slice to open with: the most suspicious one, whatever the others say."""
        return self.leading if self.odd is None else self.odd

    @property
    def stands_out(self) -> str | None:
        """That a slice stands out from the series, in words; None where none does."""
        analysis = None if self.odd is None else self.slices[self.odd].analysis
        return analysis and volume_words.standing_out(analysis.finding, self.opens_at)

    @property
    def versions(self) -> tuple[str, ...]:
        """A text for each slice that stays the same while its pixels and its result do."""
        return tuple(
            f"{one.content_key[:16]}/{one.frame}/{one.analysis.id if one.analysis else 0}"
            for one in self.slices
        )

    @property
    def geometry(self) -> str:
        """Size of the slices and of what is between them, in words."""
        first = self.slices[0]
        said = volume_words.geometry(
            [one.place for one in self.slices], (first.height, first.width)
        )
        return f"{said}. {first.source_format}."

    @property
    def waiting(self) -> int:
        """Slices that the model has still to look at."""
        return sum(one.state is ScoringState.QUEUED for one in self.slices)

    @property
    def failed(self) -> int:
        """Slices that the model could not analyse."""
        return sum(one.state is ScoringState.FAILED for one in self.slices)

    @property
    def states(self) -> str | None:
        """How many slices have no result, in words; None where all have one."""
        return volume_words.states(self.waiting, self.failed, len(self.slices))

    def finding(self, index: int) -> str:
        """What the model says of a slice, in a few words."""
        one = self.slices[index]
        return volume_words.slice_finding(one.analysis and one.analysis.finding, one.state)

    def caption(self, index: int) -> str:
        """Which slice that is, with its place in the patient where it is known.

        ``H 32.5 mm`` is 32.5 mm towards the head from the origin of the patient's coordinates.
        """
        text = f"Slice {index + 1} of {len(self.slices)}"
        place = self.slices[index].place
        if place is None:
            return text
        at = round(place.position_mm, 1)
        x, y, z = place.normal
        side = direction_letters((x, y, z) if at >= 0 else (-x, -y, -z))
        return f"{text} · {side} {abs(at):.1f} mm"


@dataclass(frozen=True)
class CaseSeries:
    """What a case consists of.

    Attributes:
        series: in the order of their numbers in the study; the one with the case's leading scan is
            found by ``leading``.
        pictures: indices in ``CaseView.scans`` of those that are slices of no such series.
        leading: index of the series with the scan that decided the priority; None where that is
            a picture of its own.
        opens_with: index of the series to open with: the leading one, unless the scan that decided
            is not suspicious and a slice of another series is; None for the pictures.
    """

    series: tuple[SeriesView, ...]
    pictures: tuple[int, ...]
    leading: int | None
    opens_with: int | None


def case_series(installation: Installation, view: CaseView) -> CaseSeries:
    """Sort the scans of a case into series and pictures of their own.

    A series of one slice is a picture of its own.

    Raises:
        StoreError: the database cannot be read.
    """
    if all(scan.series_id is None for scan in view.scans):
        return CaseSeries((), tuple(range(len(view.scans))), None, None)
    with installation.database.reading() as session:
        stored = series_of_study(session, view.summary.id)
    slices: dict[int, list[StoredScan]] = {}
    for scan in view.scans:
        if scan.series_id is not None:
            slices.setdefault(scan.series_id, []).append(scan)
    found = tuple(
        _series_view(one, slices[one.id], installation.settings.priority)
        for one in stored
        if len(slices.get(one.id, ())) > 1
    )
    shown = {one.series.id for one in found}
    decisive = view.scans[view.leading]
    leading = next((i for i, one in enumerate(found) if one.series.id == decisive.series_id), None)
    opens_with = leading
    if decisive.analysis is None or not decisive.analysis.finding.suspected:
        odd = [i for i, one in enumerate(found) if one.odd is not None]
        opens_with = leading if leading in odd else next(iter(odd), leading)
    return CaseSeries(
        series=found,
        pictures=tuple(i for i, scan in enumerate(view.scans) if scan.series_id not in shown),
        leading=leading,
        opens_with=opens_with,
    )


def measure_series(installation: Installation, one: SeriesView) -> VolumeMeasures | None:
    """Measure what is outlined in a series; slices without a result are bridged.

    Returns:
        The measures, slices counted within the series; None where nothing is outlined.

    Raises:
        StoreError: a mask is missing or damaged.
    """
    reader = PixelReader(installation.files)
    analysed = [i for i, scan in enumerate(one.slices) if scan.analysis is not None]

    def masked() -> Iterator[MaskedSlice]:
        for index in analysed:
            scan = one.slices[index]
            yield MaskedSlice(reader.mask(scan), scan.spacing_mm, scan.position_mm)

    found = measure_volume(masked())
    return found and replace(found, diameter_slice=analysed[found.diameter_slice])


def volume_layers(
    installation: Installation, one: SeriesView, window: tuple[float, float]
) -> VolumeLayers:
    """Put a series together for the three orthogonal views.

    It takes as long as decoding the slices does, and some megabytes of memory.

    Args:
        installation: where the series is.
        one: the series.
        window: values shown black and white.

    Raises:
        InputError: its slices make no volume, or a file cannot be read; the text says why.
        StoreError: a file is missing or damaged.
    """
    places = check_places([scan.place for scan in one.slices])
    reader = PixelReader(installation.files)

    def sources() -> Iterator[SliceSource]:
        for index in slices_to_read(len(one.slices)):
            scan = one.slices[index]
            yield SliceSource(reader.scan(scan).pixels, reader.mask(scan))

    return build_volume(sources(), places, window, one.opens_at)


def _series_view(
    series: StoredSeries, scans: Sequence[StoredScan], rules: PriorityRules
) -> SeriesView:
    slices = in_order(scans, scan_rank)
    name = series_name(series.sequence, series.plane, series.number)
    findings = [scan.analysis and scan.analysis.finding for scan in slices]
    speaks = speaker(findings, [scan_rank(scan) for scan in slices], rules)
    return SeriesView(
        series=series,
        name=f"{name}, {len(slices)} slices",
        slices=tuple(slices),
        # Where nothing is known yet: amid the head.
        leading=len(slices) // 2 if speaks is None else speaks,
        odd=standing_out(findings, speaks, rules),
    )
