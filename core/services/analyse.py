"""The door through which the command line and the pages have scans analysed."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from core.config import Settings, UploadLimits, settings
from core.errors import InputError
from core.imaging import SUPPORTED_SUFFIXES, check_head_mr, decode, open_image
from core.imaging.extent import check_extent
from core.inference import Engine
from core.inference.measure import measure_lesion
from core.types import Analysis, Scan, ScanFinding

__all__ = [
    "SUPPORTED_SUFFIXES",
    "Engine",
    "Failure",
    "ModelFacts",
    "Outcome",
    "Source",
    "Success",
    "analyse_all",
    "load_engine",
    "model_facts",
    "read_file",
    "scan_finding",
    "single_slice",
]

BATCH_SIZE = 8
# Decoded values (pixels x channels) that a batch may hold. Eight pictures of 100 megapixels would
# take several gigabytes; a picture above this goes through alone.
_BATCH_PIXELS = 32_000_000
# No picture within the decoder's limit (100 megapixels, 16 bits, 4 channels) needs more bytes.
_MAX_BYTES = 1_000_000_000


@dataclass(frozen=True, eq=False)
class Source:
    """One input: a name, and where its bytes are.

    Attributes:
        name: how the input is called in results.
        data: the file's bytes, or the path to read them from, or what decodes the scan: it may
            raise an InputError.
    """

    name: str
    data: bytes | Path | Callable[[], Scan]


@dataclass(frozen=True, eq=False)
class Success:
    """An input that was analysed."""

    name: str
    scan: Scan
    analysis: Analysis


@dataclass(frozen=True)
class Failure:
    """An input that could not be analysed, and why, in words for a clinician."""

    name: str
    error: str


Outcome = Success | Failure


@dataclass(frozen=True)
class ModelFacts:
    """What a page says about the loaded model.

    Attributes:
        model_version: identity of the weights.
        preprocessing_version: of the preprocessing they were trained with.
        decision_threshold: tumour probability from which a tumour is suspected, 0 to 1.
    """

    model_version: str
    preprocessing_version: str
    decision_threshold: float


def load_engine(chosen: Settings | None = None) -> Engine:
    """Load the engine that the settings name. It takes seconds: do it once a process.

    Args:
        chosen: the settings; those of the process by default.

    Raises:
        WeightsError: there are no usable weights; the text names the file and the cure.
    """
    chosen = chosen or settings()
    return Engine.load(chosen.weights, runtime=chosen.runtime, threads=chosen.threads)


def model_facts(engine: Engine) -> ModelFacts:
    """What a page says about the loaded model."""
    return ModelFacts(
        model_version=engine.model_version,
        preprocessing_version=engine.manifest.preprocessing_version,
        decision_threshold=engine.manifest.calibration.decision_threshold,
    )


def analyse_all(
    engine: Engine,
    sources: Iterable[Source],
    batch_size: int = BATCH_SIZE,
) -> Iterator[Outcome]:
    """Analyse inputs batch by batch.

    At most one batch is held at a time, so that the number of inputs does not matter for memory.

    Args:
        engine: from ``load_engine``.
        sources: the inputs; read as they are needed.
        batch_size: largest number of inputs that go through the networks together, at least 1.

    Yields:
        One outcome an input, in input order. An input that cannot be read or decoded is a
        ``Failure`` and the others go on; anything else that goes wrong is raised.
    """
    waiting: list[tuple[str, Scan | Failure]] = []
    pixels = 0
    remaining = iter(sources)
    while group := list(islice(remaining, batch_size)):
        for source in group:
            decoded = _decode(source)
            size = decoded.pixels.size if isinstance(decoded, Scan) else 0
            if waiting and pixels + size > _BATCH_PIXELS:
                yield from _analyse_batch(engine, waiting)
                waiting, pixels = [], 0
            waiting.append((source.name, decoded))
            pixels += size
        yield from _analyse_batch(engine, waiting)
        waiting, pixels = [], 0


def single_slice(data: bytes, limits: UploadLimits) -> Scan:
    """The scan in a file that holds one slice.

    Args:
        data: the file's bytes.
        limits: how many pixels it may have.

    Raises:
        InputError: it cannot be read, is no MRI of the head, or holds several slices.
    """
    check_extent(data, limits.picture_megapixels, limits.volume_megapixels)
    image = open_image(data)
    if image.series is not None:
        check_head_mr(image.series)
    if image.frame_count > 1:
        raise InputError(
            f"The file holds {image.frame_count} slices. Please send it on the Upload page, where "
            "it is read as one volume."
        )
    return image.scan(0)


def scan_finding(found: Analysis, spacing_mm: tuple[float, float] | None) -> ScanFinding:
    """What triage looks at of an analysis.

    Args:
        found: the analysis.
        spacing_mm: millimetres between rows and between columns, where known.
    """
    return ScanFinding(
        probabilities=found.probabilities,
        predicted=found.predicted,
        tumour_probability=found.tumour_probability,
        suspected=found.suspected,
        lesion=measure_lesion(found.mask, found.mask_area_fraction, spacing_mm),
        in_distribution=found.in_distribution,
        kind=found.kind,
        model_version=found.model_version,
    )


def _decode(source: Source) -> Scan | Failure:
    try:
        if callable(source.data):
            return source.data()
        data = source.data if isinstance(source.data, bytes) else read_file(source.data)
        return decode(data)
    except InputError as error:
        return Failure(source.name, str(error))


def _analyse_batch(engine: Engine, batch: list[tuple[str, Scan | Failure]]) -> Iterator[Outcome]:
    scans = [one for _, one in batch if isinstance(one, Scan)]
    analyses = iter(engine.analyse(scans))
    for name, one in batch:
        yield one if isinstance(one, Failure) else Success(name, one, next(analyses))


def read_file(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        InputError: it is absent, a folder, a device, too large, or may not be read.
    """
    try:
        about = path.stat()
        if stat.S_ISDIR(about.st_mode):
            raise InputError(
                "This is a folder without pictures the program reads "
                f"({', '.join(SUPPORTED_SUFFIXES)}), or it may not be opened."
            )
        if not stat.S_ISREG(about.st_mode):
            raise InputError("This is not a file but a device or a pipe. Please name a file.")
        if about.st_size > _MAX_BYTES:
            raise InputError(
                f"The file has {about.st_size / 1e9:.1f} GB, far more than a series of brain "
                "MRI slices. Please export the series alone."
            )
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError("There is no such file or folder. Please check the path.") from error
    except PermissionError as error:
        raise InputError(
            "The file may not be opened. Please ask for the right to read it."
        ) from error
    except OSError as error:
        raise InputError(
            f"The file cannot be read ({error.strerror or 'unknown reason'}). "
            "Please check the drive and copy the file again."
        ) from error
    except ValueError as error:  # a NUL character in the path
        raise InputError("The path holds a character that no path may hold.") from error
