"""The sample cases of the demonstration: simulated scans that come with the program.

They are sent like any upload and go through the same model. What was simulated in each is known, so
that the pages can say where the model is right and where it is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.config import PROJECT_ROOT
from core.errors import InputError
from core.services.installation import Installation
from core.services.submit import Upload, batch_items, submit
from core.services.worklist import counters, worklist_page
from core.store.simulated import REFERENCES, SITE
from core.types import (
    CaseStatus,
    CaseSummary,
    ItemOutcome,
    Reader,
    StudyDetails,
    TumourClass,
    WorklistQuery,
)

__all__ = ["Loaded", "Sample", "load_samples", "sample_facts", "samples", "samples_wanted"]

INDICATION = "Simulated for the demonstration: nobody’s scan."
_FOLDER = PROJECT_ROOT / "samples"
_MOST = 200  # cases that a page of the worklist may hold; there are far fewer samples


@dataclass(frozen=True)
class Sample:
    """One simulated case.

    Attributes:
        reference: what stands for the patient; starts with ``SIMULATED-``.
        meant: the class that was simulated.
        kind: of its files: ``PNG``, ``DICOM`` or ``NIfTI``.
        words: what was simulated, in a sentence.
        scans: slices in all its files.
        files: where they lie.
    """

    reference: str
    meant: TumourClass
    kind: str
    words: str
    scans: int
    files: tuple[Path, ...]

    @property
    def details(self) -> StudyDetails:
        """What is said of it when it is sent: that it is simulated, and not what it shows."""
        return StudyDetails(patient_reference=self.reference, site=SITE, indication=INDICATION)


@dataclass(frozen=True)
class Loaded:
    """What ``load_samples`` did.

    Attributes:
        added: cases that were sent.
        problems: why files were refused, in words; empty where none was.
    """

    added: int
    problems: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def samples() -> tuple[Sample, ...]:
    """The samples that come with the program, in the order of their references.

    Empty where an installation was set up without them.
    """
    try:
        text = (_FOLDER / "samples.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    return tuple(
        Sample(
            reference=entry["reference"],
            meant=TumourClass(entry["meant"]),
            kind=entry["kind"],
            words=entry["words"],
            scans=entry["scans"],
            files=tuple(_FOLDER / "cases" / name for name in entry["files"]),
        )
        for entry in json.loads(text)["cases"]
    )


def load_samples(installation: Installation, reader: Reader) -> Loaded:
    """Send the samples that are not there yet; sent once more, nothing is added.

    Args:
        installation: where to.
        reader: the account that sends them.

    Raises:
        StoreError: the store cannot be read. A file that cannot be stored is among the problems.
    """
    # A case that lacks scans was broken off: it is sent again, and what it has is recognised.
    whole = {case.patient_reference: case.scan_count for case in _sample_cases(installation)}
    missing = [one for one in samples() if whole.get(one.reference, 0) < one.scans]
    added, problems = 0, []
    for one in missing:
        batch = submit(installation, reader, _uploads(one), one.details)
        items = batch_items(installation, reader, batch.batch_id)
        refused = {item.reason for item in items if item.outcome is ItemOutcome.REJECTED}
        problems += [f"{one.reference}: {reason}" for reason in sorted(filter(None, refused))]
        added += any(item.outcome is ItemOutcome.RECEIVED for item in items)
    return Loaded(added, tuple(problems))


def samples_wanted(installation: Installation) -> bool:
    """Whether to offer the samples: they are not all there, and no case but samples is.

    Among the cases of patients simulated ones have no place; a visitor of the demonstration, whose
    workspace is private, is offered them all the same.
    """
    count, most = sum(counters(installation).by_status.values()), len(samples())
    # Which of the cases are samples is looked up only where that matters: pages ask at every run.
    if installation.settings.demo.active:
        return count < most or len(_sample_cases(installation)) < most
    return count < most and len(_sample_cases(installation)) >= count


def sample_facts(details: StudyDetails) -> Sample | None:
    """The sample that a case is; None for any other case.

    Args:
        details: what the case says of itself.
    """
    if details.site != SITE:
        return None
    return next((one for one in samples() if one.reference == details.patient_reference), None)


def _sample_cases(installation: Installation) -> list[CaseSummary]:
    query = WorklistQuery(statuses=tuple(CaseStatus), search=REFERENCES, limit=_MOST)
    known = {one.reference for one in samples()}
    rows = worklist_page(installation, query).rows
    return [case for case in rows if case.patient_reference in known and case.site == SITE]


def _uploads(sample: Sample) -> Iterator[Upload]:
    for path in sample.files:
        try:
            yield Upload(path.name, path.read_bytes())
        except OSError as error:
            raise InputError(f"A file of sample {sample.reference} cannot be read.") from error
