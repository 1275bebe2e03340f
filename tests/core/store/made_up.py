"""Rows for tests of the store, with as little said as the test needs."""

import itertools
from typing import Any

from sqlalchemy.orm import Session

from core.store import images, scoring, studies, users
from core.types import (
    CLASSES,
    Band,
    Lesion,
    Priority,
    Reader,
    Reason,
    RequestedPriority,
    ScanFinding,
    ScanKind,
    StudyDetails,
    TumourClass,
)

NOW = 1_800_000_000.0
RATE = 2 / 3600
AMBER = 0.75
_numbers = itertools.count()


def priority(score: float = 10, target_minutes: float = 60, flagged: bool = False) -> Priority:
    return Priority(
        score=score,
        band=Band.ROUTINE,
        target_minutes=target_minutes,
        flagged=flagged,
        reasons=(Reason("glioma", "Glioma is likely.", score),),
        leading=None,
    )


def finding(
    predicted: TumourClass = TumourClass.GLIOMA,
    tumour_probability: float = 0.9,
    area_fraction: float | None = None,
    **changes: Any,
) -> ScanFinding:
    return ScanFinding(
        **{
            "probabilities": {name: float(name is predicted) for name in CLASSES},
            "predicted": predicted,
            "tumour_probability": tumour_probability,
            "suspected": True,
            "lesion": None if area_fraction is None else Lesion(100, 12.5, area_fraction),
            "in_distribution": True,
            "kind": ScanKind.GRAY,
            "model_version": "model-1",
            **changes,
        }
    )


def add_case(
    session: Session,
    reference: str | None = None,
    *,
    received_at: float = NOW,
    given: Priority | None = None,
    seen: ScanFinding | None = None,
    requested: RequestedPriority = RequestedPriority.ROUTINE,
    **details: Any,
) -> int:
    """A case of its own, scored where ``seen`` says what the model found."""
    given = given or priority()
    study_id, created = studies.find_or_create_study(
        session,
        study_key=f"made up {next(_numbers)}",
        details=StudyDetails(patient_reference=reference, requested=requested, **details),
        priority=given,
        rate_per_second=RATE,
        now=received_at,
    )
    assert created
    if seen is not None:
        show(session, study_id, given, seen)
    return study_id


def show(session: Session, study_id: int, given: Priority, seen: ScanFinding | None) -> None:
    """Give a case its priority and what the worklist shows of it."""
    leading = None if seen is None else studies.LeadingScan(1, seen, "f" * 64)
    studies.set_priority(
        session, study_id, given, leading, RATE,
        scan_count=1, scored_count=int(seen is not None), failed_count=0,
    )  # fmt: skip


def add_image(session: Session, *, queue_rank: float = 0, now: float = NOW) -> int:
    [(image_id, created)] = images.find_or_create_images(
        session,
        content_key=f"{next(_numbers):064x}",
        source_format="PNG",
        height=120,
        width=100,
        spacing=(0.5, 0.4),
        queue_rank=queue_rank,
        now=now,
    )
    assert created
    return image_id


def link(session: Session, study_id: int, image_id: int, now: float = NOW) -> tuple[int, bool]:
    """Make an image, which is no slice, a scan of a case."""
    [linked] = images.link_scans(session, study_id, [images.NewScan(image_id)], now)
    return linked


def score(session: Session, image_id: int, seen: ScanFinding, now: float = NOW) -> None:
    """Have a worker claim everything that waits, and finish one image of it."""
    scoring.claim(session, owner="worker", limit=1000, attempts_allowed=3, until=now + 60, now=now)
    analysis = scoring.NewAnalysis(
        finding=seen,
        decision_threshold=0.4,
        ood_score=0.1,
        mask_key="a" * 64,
        heat_map_keys={TumourClass.GLIOMA: "b" * 64},
        thumbnail_key="c" * 64,
        elapsed_ms=20,
    )
    assert scoring.finish(session, image_id, "worker", analysis, now)


def add_reader(session: Session, name: str, verified: bool = False) -> Reader:
    return users.find_or_create_user(session, f"local:{name}", name, verified, NOW)
