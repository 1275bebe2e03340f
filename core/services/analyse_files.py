"""Files on the disk, for the command line: slices of DICOM and NIfTI files, and their volumes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from core.config import settings
from core.errors import InputError
from core.imaging import ImageFile
from core.inference import Engine
from core.inference.volume_measure import MaskedSlice, VolumeMeasures, measure_volume
from core.services.analyse import Outcome, Source, Success, analyse_all, scan_finding
from core.services.input_files import input_files, is_dicom_file
from core.services.rle import decode_rle, encode_rle
from core.services.slice_order import Rank, in_order, speaker, standing_out
from core.store.slices import Identity, distinct, parted_notice, parts
from core.triage.volumes import series_name
from core.types import Scan, ScanFinding, ScoringState, SeriesFacts, SlicePlace

__all__ = ["AnalysedSlice", "FileAnalysis", "VolumeSummary", "is_dicom_file"]

_NOTHING = "The file is empty."


@dataclass(frozen=True)
class AnalysedSlice:
    """Where a slice comes from.

    Attributes:
        facts: the series it belongs to.
        frame: its number in the file, from 1.
        place: where in the patient it lies; None where not known.
        position_mm: where it lies along its normal; known without the pixel spacing too.
        spacing_mm: millimetres between rows and between columns, where known.
        volume: number of its volume, from 1 in the order of their first slices. A volume that
            shows the same places several times is parted once all its slices are known.
    """

    facts: SeriesFacts
    frame: int
    place: SlicePlace | None
    position_mm: float | None
    spacing_mm: tuple[float, float] | None
    volume: int


@dataclass(frozen=True)
class VolumeSummary:
    """What came of a volume's slices.

    Attributes:
        volume: its number.
        part: which one of the volumes under this number, from 1, where the series shows the same
            places several times, see ``core.store.slices``; None for the only one.
        outcomes: numbers of its slices, from 1 among all outcomes, in the order in which they lie.
        name: of the series, such as ``T1 with contrast, axial, series 5``.
        notices: what a reader should know of its files, in words.
        slices: how many there are.
        analysed: of them analysed.
        unlike_training: of these, unlike the scans of the training.
        leading: name of the file and number of the frame that speak for the volume, see
            ``core.triage.volumes``; None where nothing was analysed.
        stands_out: likewise for a slice that is suspicious although that one is not; None where
            there is none.
        finding: what the model says of the slice that speaks.
        measures: size of the masked region over all slices; None where nothing is masked.
    """

    volume: int
    part: int | None
    outcomes: tuple[int, ...]
    name: str
    notices: tuple[str, ...]
    slices: int
    analysed: int
    unlike_training: int
    leading: tuple[str, int] | None
    stands_out: tuple[str, int] | None
    finding: ScanFinding | None
    measures: VolumeMeasures | None


@dataclass(frozen=True)
class _Result:
    """What is kept of a slice until its volume is complete: no pixels, a packed mask."""

    number: int
    input: str
    instance_uid: str
    rank: Rank
    spacing_mm: tuple[float, float] | None
    finding: ScanFinding | None
    mask: tuple[list[int], tuple[int, int]] | None


@dataclass(eq=False)
class _Volume:
    number: int
    facts: SeriesFacts
    notices: list[str] = field(default_factory=list)
    results: list[_Result] = field(default_factory=list)


class FileAnalysis:
    """The analysis of files, slice by slice; a file with several slices is opened once.

    Attributes:
        expected: how many slices and pictures there are, as far as is known by now.
    """

    def __init__(self, engine: Engine, files: Iterable[tuple[str, Path]]) -> None:
        """Set up the analysis of files.

        Args:
            engine: from ``load_engine``.
            files: how each is called in results, and where it is.
        """
        self._engine = engine
        self._files = list(files)
        self._volumes: list[_Volume] = []
        self.expected = len(self._files)

    def outcomes(self) -> Iterator[tuple[Outcome, AnalysedSlice | None]]:
        """One outcome for each slice or picture, in the order of the files; slices say whence.

        A file that cannot be used gives one failure, and so does one in an archive.
        """
        whence: deque[AnalysedSlice | None] = deque()
        found = analyse_all(self._engine, self._sources(whence))
        for number, outcome in enumerate(found, start=1):
            one = whence.popleft()
            if one is not None:
                self._keep(number, one, outcome)
            yield outcome, one

    def summaries(self) -> list[VolumeSummary]:
        """What came of the volumes of two slices or more, once all outcomes are there."""
        return [summary for one in self._volumes for summary in _summaries(one)]

    def _sources(self, whence: deque[AnalysedSlice | None]) -> Iterator[Source]:
        last = -1
        for one in input_files(self._files, settings().upload):
            self.expected += one.number == last  # another file of an archive
            last = one.number
            if one.image is None:
                whence.append(None)
                yield Source(one.name, one.data or _failing(one.problem or _NOTHING))
                continue
            self.expected += one.image.frame_count - 1
            for frame in range(one.image.frame_count):
                facts = one.image.facts(frame)
                whence.append(None if facts is None else self._slice(facts, one.image, frame))
                yield Source(one.name, partial(one.image.scan, frame))

    def _slice(self, facts: SeriesFacts, file: ImageFile, frame: int) -> AnalysedSlice:
        fitting = (
            one
            for one in self._volumes
            if one.facts.stack == facts.stack and one.facts.fits(facts.measured)
        )
        volume = next(fitting, None)
        if volume is None:
            volume = _Volume(len(self._volumes) + 1, facts)
            self._volumes.append(volume)
        volume.notices += [one for one in facts.notices if one not in volume.notices]
        return AnalysedSlice(
            facts=facts,
            frame=frame + 1,
            place=file.place(frame),
            position_mm=file.position_mm(frame),
            spacing_mm=file.spacing_mm(frame),
            volume=volume.number,
        )

    def _keep(self, number: int, one: AnalysedSlice, outcome: Outcome) -> None:
        finding = mask = None
        if isinstance(outcome, Success):
            finding = scan_finding(outcome.analysis, outcome.scan.spacing_mm)
            if finding.lesion is not None:
                height, width = outcome.analysis.mask.shape
                mask = encode_rle(outcome.analysis.mask), (height, width)
        results = self._volumes[one.volume - 1].results
        rank = Rank(one.position_mm, one.facts.taken, one.frame, len(results))
        results.append(
            _Result(
                number, outcome.name, one.facts.instance_uid, rank, one.spacing_mm, finding, mask
            )
        )


def _failing(reason: str) -> Callable[[], Scan]:
    def fail() -> Scan:
        raise InputError(reason)

    return fail


def _summaries(volume: _Volume) -> Iterator[VolumeSummary]:
    """One for each part of two slices or more, as the application has them."""
    once = distinct(
        volume.results,
        _identity,
        lambda one: ScoringState.SCORED if one.finding else ScoringState.FAILED,
    )
    of_part = parts(once, _identity, lambda one: one.rank.taken)
    several = max(of_part, default=0) > 0
    for part in sorted(set(of_part)):
        slices = [one for one, its in zip(once, of_part, strict=True) if its == part]
        if len(slices) > 1:
            yield _summary(volume, slices, part if several else None)


def _identity(one: _Result) -> Identity:
    return one.instance_uid, one.rank.frame, one.rank.position_mm


def _summary(volume: _Volume, slices: list[_Result], part: int | None) -> VolumeSummary:
    results = in_order(slices, lambda one: one.rank)
    findings = [one.finding for one in results]
    chosen = speaker(findings, [one.rank for one in results], settings().priority)
    odd = standing_out(findings, chosen, settings().priority)
    analysed = [one for one in results if one.finding is not None]
    facts = volume.facts
    return VolumeSummary(
        volume=volume.number,
        part=None if part is None else part + 1,
        outcomes=tuple(one.number for one in results),
        name=series_name(facts.sequence, facts.plane, facts.number),
        notices=(*volume.notices, *([] if part is None else [parted_notice(part)])),
        slices=len(results),
        analysed=len(analysed),
        unlike_training=sum(not one.finding.in_distribution for one in analysed if one.finding),
        leading=None if chosen is None else (results[chosen].input, results[chosen].rank.frame),
        stands_out=None if odd is None else (results[odd].input, results[odd].rank.frame),
        finding=None if chosen is None else findings[chosen],
        measures=measure_volume(
            MaskedSlice(
                None if one.mask is None else decode_rle(*one.mask),
                one.spacing_mm,
                one.rank.position_mm,
            )
            for one in analysed
        ),
    )
