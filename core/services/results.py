"""What the model found in a series, as files for other systems.

A DICOM series gives a segmentation (SEG) and a report (SR), a NIfTI volume a mask. They are made
when they are asked for, from what is stored, and the same results give the same files: nothing of
them is kept.
"""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import InputError
from core.services.installation import Installation, now
from core.services.result_types import ResultFile, SeriesResults
from core.services.review_view import CaseView
from core.store import audit
from core.store.images import scans_of_series
from core.store.series import get_series, series_of_study
from core.triage.volumes import series_name
from core.types import Reader, ScoringState

__all__ = [
    "ResultFile",
    "SeriesChoice",
    "SeriesResults",
    "case_choices",
    "download",
    "packed",
    "series_results",
    "write_results",
]


@dataclass(frozen=True)
class SeriesChoice:
    """A series of a case, to choose.

    Attributes:
        id: its row.
        name: how it is called, such as ``T1 with contrast, axial, series 5, 155 slices``.
    """

    id: int
    name: str


def case_choices(installation: Installation, view: CaseView) -> tuple[SeriesChoice, ...]:
    """The series of a case, in the order of their numbers in the study.

    Raises:
        StoreError: the database cannot be read.
    """
    with installation.database.reading() as session:
        stored = series_of_study(session, view.summary.id)
    counts = Counter(scan.series_id for scan in view.scans)
    return tuple(
        SeriesChoice(
            one.id,
            f"{series_name(one.sequence, one.plane, one.number)}, {_slices(counts[one.id])}",
        )
        for one in stored
    )


def series_results(installation: Installation, series_id: int) -> tuple[ResultFile, ...]:
    """The files of ``write_results``, without what is missing."""
    return write_results(installation, series_id).files


def write_results(installation: Installation, series_id: int) -> SeriesResults:
    """Put the model's results on a series into files.

    UIDs follow from the series, the model's version and the results: made again, the same objects
    come out.

    Args:
        installation: where the series is.
        series_id: row of the series.

    Raises:
        InputError: there is no such series, or the model has not looked at all of it yet, or at
            none of it, or results could not say which slices they are about.
        StoreError: a stored file is missing or damaged.
    """
    with installation.database.reading() as session:
        series = get_series(session, series_id)
        scans = scans_of_series(session, series_id)
    waiting = sum(scan.state is ScoringState.QUEUED for scan in scans)
    if waiting:
        raise InputError(
            f"{waiting} of {len(scans)} slices still wait for the model. "
            "Please ask for the results when the series is analysed."
        )
    if not any(scan.analysis for scan in scans):
        raise InputError("The model could not analyse this series, so there are no results.")
    # What writes DICOM takes a second to load, which no page should wait for.
    from core.services.result_files import dicom_results, nifti_results

    write = nifti_results if series.source_format == "NIfTI" else dicom_results
    return write(installation, series, scans)


def download(
    installation: Installation, reader: Reader, case_id: int, series: Sequence[SeriesChoice]
) -> SeriesResults:
    """The results of some series of a case for a reader. The audit log says that they were made.

    Args:
        installation: where the case is.
        reader: who asks.
        case_id: the case.
        series: of the case, from ``case_choices``.

    Returns:
        The files of all of them, and what is missing; of several series with the name of each.

    Raises:
        StoreError: a stored file is missing or damaged.
    """
    files: list[ResultFile] = []
    missing: list[str] = []
    for one in series:
        try:
            results = write_results(installation, one.id)
        except InputError as error:
            results = SeriesResults((), (str(error),))
        files += results.files
        missing += [f"{one.name}: {why}" if len(series) > 1 else why for why in results.missing]
    if files:
        with installation.database.transaction() as session:
            audit.log_action(
                session,
                action="results",
                text=f"Took the results as {_count(len(files))} (DICOM or NIfTI).",
                now=now(),
                user_id=reader.id,
                study_id=case_id,
            )
    return SeriesResults(tuple(files), tuple(missing))


def packed(files: Sequence[ResultFile]) -> bytes:
    """Files in a ZIP archive; the same files give the same archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.writestr(zipfile.ZipInfo(file.name), file.data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _count(files: int) -> str:
    return "1 file" if files == 1 else f"{files} files"


def _slices(count: int) -> str:
    return "1 slice" if count == 1 else f"{count} slices"
