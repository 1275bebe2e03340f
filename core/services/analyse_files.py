"""Files on the disk, for the command line: slices of DICOM and NIfTI files, and their volumes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from core.config import settings
from core.errors import InputError
from core.imaging import ImageFile, check_head_mr, open_image
from core.imaging.dicom import is_dicom
from core.imaging.nifti_read import is_nifti
from core.inference import Engine
from core.inference.volume_measure import MaskedSlice, VolumeMeasures, measure_volume
from core.services.analyse import Outcome, Source, Success, analyse_all, read_file, scan_finding
from core.services.rle import decode_rle, encode_rle
from core.services.slice_order import Rank, in_order, speaker
from core.store.slices import distinct
from core.triage.volumes import series_name
from core.types import Scan, ScanFinding, ScoringState, SeriesFacts, SlicePlace

__all__ = ["AnalysedSlice", "FileAnalysis", "VolumeSummary", "is_dicom_file"]

# Enough to recognise a file by: DICOM's preamble, or the beginning of what gzip has packed.
_HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class AnalysedSlice:
    """Where a slice comes from.

    Attributes:
        facts: the series it belongs to.
        frame: its number in the file, from 1.
        place: where in the patient it lies; None where not known.
        position_mm: where it lies along its normal; known without the pixel spacing too.
        spacing_mm: millimetres between rows and between columns, where known.
        volume: number of its volume, from 1 in the order of their first slices.
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
        name: of the series, such as ``T1 with contrast, axial, series 5``.
        notices: what a reader should know of its files, in words.
        slices: how many there are.
        analysed: of them analysed.
        unlike_training: of these, unlike the scans of the training.
        leading: name of the file and number of the frame that speak for the volume, see
            ``core.triage.volumes``; None where nothing was analysed.
        finding: what the model says of that slice.
        measures: size of the masked region over all slices; None where nothing is masked.
    """

    volume: int
    name: str
    notices: tuple[str, ...]
    slices: int
    analysed: int
    unlike_training: int
    leading: tuple[str, int] | None
    finding: ScanFinding | None
    measures: VolumeMeasures | None


@dataclass(frozen=True)
class _Result:
    """What is kept of a slice until its volume is complete: no pixels, a packed mask."""

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

        A file that cannot be used gives one failure.
        """
        whence: deque[AnalysedSlice | None] = deque()
        for outcome in analyse_all(self._engine, self._sources(whence)):
            one = whence.popleft()
            if one is not None:
                self._keep(one, outcome)
            yield outcome, one

    def summaries(self) -> list[VolumeSummary]:
        """What came of the volumes of two slices or more, once all outcomes are there."""
        return [_summary(one) for one in self._volumes if len(one.results) > 1]

    def _sources(self, whence: deque[AnalysedSlice | None]) -> Iterator[Source]:
        for name, path in self._files:
            try:
                file = _opened(path)
            except InputError as error:
                whence.append(None)
                yield Source(name, _failing(str(error)))
                continue
            if file is None:
                whence.append(None)
                yield Source(name, path)
                continue
            self.expected += file.frame_count - 1
            for frame in range(file.frame_count):
                facts = file.facts(frame)
                whence.append(None if facts is None else self._slice(facts, file, frame))
                yield Source(name, partial(file.scan, frame))

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

    def _keep(self, one: AnalysedSlice, outcome: Outcome) -> None:
        finding = mask = None
        if isinstance(outcome, Success):
            finding = scan_finding(outcome.analysis, outcome.scan.spacing_mm)
            if finding.lesion is not None:
                height, width = outcome.analysis.mask.shape
                mask = encode_rle(outcome.analysis.mask), (height, width)
        results = self._volumes[one.volume - 1].results
        rank = Rank(one.position_mm, one.facts.taken, one.frame, len(results))
        results.append(
            _Result(outcome.name, one.facts.instance_uid, rank, one.spacing_mm, finding, mask)
        )


def is_dicom_file(path: Path) -> bool:
    """Whether a file begins as DICOM files do, whatever its name; False where it cannot be read."""
    return is_dicom(_head(path))


def _head(path: Path) -> bytes:
    """The beginning of a file; empty where it cannot be read."""
    if not path.is_file():  # opening a pipe would wait for a writer
        return b""
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD_BYTES)
    except OSError:
        return b""


def _opened(path: Path) -> ImageFile | None:
    """A DICOM or NIfTI file; None for whatever else is at the path.

    Raises:
        InputError: it cannot be used.
    """
    head = _head(path)
    if not (is_dicom(head) or is_nifti(head)):
        return None  # what is wrong with it is said where pictures are read
    file = open_image(read_file(path))
    if file.series is not None:
        check_head_mr(file.series)
    return file


def _failing(reason: str) -> Callable[[], Scan]:
    def fail() -> Scan:
        raise InputError(reason)

    return fail


def _summary(volume: _Volume) -> VolumeSummary:
    once = distinct(
        volume.results,
        lambda one: (one.instance_uid, one.rank.frame, one.rank.position_mm),
        lambda one: ScoringState.SCORED if one.finding else ScoringState.FAILED,
    )
    results = in_order(once, lambda one: one.rank)
    findings = [one.finding for one in results]
    chosen = speaker(findings, [one.rank for one in results], settings().priority)
    analysed = [one for one in results if one.finding is not None]
    facts = volume.facts
    return VolumeSummary(
        volume=volume.number,
        name=series_name(facts.sequence, facts.plane, facts.number),
        notices=tuple(volume.notices),
        slices=len(results),
        analysed=len(analysed),
        unlike_training=sum(not one.finding.in_distribution for one in analysed if one.finding),
        leading=None if chosen is None else (results[chosen].input, results[chosen].rank.frame),
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
