"""From rows to the values that layers hand each other, and back."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from core.store.tables import AnalysisRow, StudyRow, UserRow
from core.triage.queueing import wait_state
from core.types import (
    Band,
    CaseStatus,
    CaseSummary,
    Lesion,
    Reader,
    Reason,
    RequestedPriority,
    ScanFinding,
    ScanKind,
    SlicePlace,
    TumourClass,
)

_FOLDED_LENGTH = 240


def utc(seconds: float) -> datetime:
    """A stored time as a date with its zone."""
    return datetime.fromtimestamp(seconds, UTC)


def clean(text: str) -> str:
    """Text without what a database cannot keep: NUL, and halves of characters."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def is_row_number(value: object) -> bool:
    """Whether a row can have that number; larger ones the databases answer with errors."""
    return type(value) is int and 0 < value < 2**63


def folded_reference(reference: str) -> str:
    """A patient reference as it is compared: without regard to case, spaces and ways of typing."""
    folded = unicodedata.normalize("NFKC", clean(reference)).casefold()
    return " ".join(folded.split())[:_FOLDED_LENGTH]


def reader_from(row: UserRow) -> Reader:
    """An account."""
    return Reader(id=row.id, name=row.name, verified=row.verified)


def lesion_from(stored: Mapping[str, Any] | None) -> Lesion | None:
    """The size of a masked region."""
    return None if stored is None else Lesion(**stored)


def finding_from(row: AnalysisRow | Row[Any]) -> ScanFinding:
    """What an analysis says; any row with its columns will do."""
    return ScanFinding(
        probabilities={TumourClass(name): p for name, p in row.probabilities.items()},
        predicted=TumourClass(row.predicted),
        tumour_probability=row.tumour_probability,
        suspected=row.suspected,
        lesion=lesion_from(row.lesion),
        in_distribution=row.in_distribution,
        kind=ScanKind(row.kind),
        model_version=row.model_version,
    )


def place_from(stored: Mapping[str, Any] | None) -> SlicePlace | None:
    """Where a slice lies."""
    if stored is None:
        return None
    lists = {name: tuple(v) if isinstance(v, list) else v for name, v in stored.items()}
    return SlicePlace(**lists)


def reasons_to_json(reasons: Sequence[Reason]) -> list[dict[str, Any]]:
    """Reasons as they are stored."""
    return [asdict(reason) for reason in reasons]


def summary_from(
    study: StudyRow,
    assignee: UserRow | None,
    now: float,
    rate_per_second: float,
    amber_share: float,
) -> CaseSummary:
    """A case as a row of the worklist, at the moment ``now``."""
    # A reported case waits no longer.
    until = now if study.reported_at is None else study.reported_at
    waited = max(0.0, until - study.received_at)
    return CaseSummary(
        id=study.id,
        patient_reference=study.patient_reference,
        study_date=study.study_date,
        site=study.site,
        requested=RequestedPriority(study.requested),
        urgency=None if study.urgency is None else RequestedPriority(study.urgency),
        received_at=utc(study.received_at),
        due_at=utc(study.due_at),
        waited_minutes=waited / 60,
        wait_state=wait_state(study.received_at, study.due_at, until, amber_share),
        status=CaseStatus(study.status),
        assignee=None if assignee is None else reader_from(assignee),
        score=study.score + rate_per_second * waited,
        band=Band(study.band),
        reasons=tuple(Reason(**reason) for reason in study.reasons),
        flagged=study.flagged,
        predicted=None if study.predicted is None else TumourClass(study.predicted),
        probability=study.probability,
        tumour_probability=study.tumour_probability,
        lesion=lesion_from(study.lesion),
        thumbnail_key=study.thumbnail_key,
        model_version=study.model_version,
        scan_count=study.scan_count,
        scored_count=study.scored_count,
        failed_count=study.failed_count,
        version=study.version,
    )
