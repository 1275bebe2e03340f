"""The tables of cases and readers, and all others by name.

Analyses, decisions, notes and the audit log are only ever added to: triggers in the migrations
refuse anything else.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    Double,
    ForeignKey,
    Index,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.store.image_tables import AnalysisRow, DeliveryRow, ImageRow, ScanRow, SeriesRow
from core.store.table_base import Base, Id, Json, PlainText

__all__ = [
    "AnalysisRow",
    "AuditRow",
    "Base",
    "BatchItemRow",
    "BatchRow",
    "CounterRow",
    "DecisionRow",
    "DeliveryRow",
    "ImageRow",
    "MarkRow",
    "NoteRow",
    "PresenceRow",
    "ScanRow",
    "SeriesRow",
    "StudyRow",
    "UserRow",
]


class UserRow(Base):
    """An account."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    # "oidc:ISSUER|SUBJECT" where an identity provider vouches for it, else "local:NAME".
    subject: Mapped[str] = mapped_column(String(400), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    verified: Mapped[bool]
    created_at: Mapped[float] = mapped_column(Double)


class StudyRow(Base):
    """A case. What the worklist shows of it stands here, so that a page is one index scan."""

    __tablename__ = "studies"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    # Identity: reference and study date, or the content of the only image where there is none.
    study_key: Mapped[str] = mapped_column(String(400), unique=True)
    patient_reference: Mapped[str | None] = mapped_column(String(120))
    # Folded for search and for "earlier scans of the same patient".
    reference_folded: Mapped[str | None] = mapped_column(PlainText)
    study_date: Mapped[date | None]
    site: Mapped[str | None] = mapped_column(String(120))
    indication: Mapped[str | None] = mapped_column(Text)
    requested: Mapped[str] = mapped_column(String(20))
    # What a reader corrected the urgency to; replaces ``requested`` in the score.
    urgency: Mapped[str | None] = mapped_column(String(20))
    # Start of the waiting: receipt of the first scan, or of the one that reopened the case.
    received_at: Mapped[float] = mapped_column(Double)
    due_at: Mapped[float] = mapped_column(Double)
    status: Mapped[str] = mapped_column(String(24))
    # True until reported: the worklist's default view and every counter look at open cases only.
    open: Mapped[bool]
    flagged: Mapped[bool]
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    reported_at: Mapped[float | None] = mapped_column(Double)
    # Rises with everything a reader should know before deciding: optimistic locking.
    version: Mapped[int]
    # Rises when a new scan reopens a reported case.
    round: Mapped[int]

    score: Mapped[float] = mapped_column(Double)
    # score - waiting_per_hour / 3600 * received_at: its order never changes as time goes by.
    rank_key: Mapped[float] = mapped_column(Double)
    band: Mapped[str] = mapped_column(String(20))
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    scan_count: Mapped[int]
    scored_count: Mapped[int]
    failed_count: Mapped[int]
    # The scan that decided, as the row shows it; empty while none is scored.
    leading_scan_id: Mapped[int | None] = mapped_column(BigInteger)
    predicted: Mapped[str | None] = mapped_column(String(20))
    probability: Mapped[float | None] = mapped_column(Double)
    tumour_probability: Mapped[float | None] = mapped_column(Double)
    lesion: Mapped[dict[str, Any] | None] = mapped_column(Json)
    lesion_fraction: Mapped[float | None] = mapped_column(Double)
    thumbnail_key: Mapped[str | None] = mapped_column(String(64))
    model_version: Mapped[str | None] = mapped_column(String(80))

    __table_args__ = (
        # One for each order of the worklist, one for each filter in the usual order,
        Index(None, "open", "rank_key", "id"),
        Index(None, "open", "received_at", "id"),
        Index(None, "open", "tumour_probability", "id"),
        Index(None, "open", "lesion_fraction", "id"),
        Index(None, "open", "reference_folded", "id"),
        Index(None, "open", "due_at"),
        Index(None, "open", "status", "rank_key", "id"),
        Index(None, "open", "predicted", "rank_key", "id"),
        Index(None, "open", "flagged", "rank_key", "id"),
        Index(None, "assignee_id", "open", "rank_key", "id"),
        # and one for search and the patient's other studies.
        Index(None, "reference_folded", "study_date"),
    )


class DecisionRow(Base):
    """A reader's decision. Never changed; a change of mind adds a row."""

    __tablename__ = "decisions"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    reader_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    finding: Mapped[str] = mapped_column(String(20))
    model_finding: Mapped[str | None] = mapped_column(String(20))
    model_version: Mapped[str | None] = mapped_column(String(80))
    urgency: Mapped[str | None] = mapped_column(String(20))
    mask_wrong: Mapped[bool]
    asks_second: Mapped[bool]
    status_after: Mapped[str] = mapped_column(String(24))
    # The study's version that the reader had before them.
    study_version: Mapped[int]
    # The study's round; readings of an earlier one do not count towards a report.
    round: Mapped[int]
    decided_at: Mapped[float] = mapped_column(Double, index=True)


class NoteRow(Base):
    """A reader's note."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    reader_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    text: Mapped[str] = mapped_column(Text)
    written_at: Mapped[float] = mapped_column(Double)


class AuditRow(Base):
    """Who did what, when."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[float] = mapped_column(Double, index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    study_id: Mapped[int | None] = mapped_column(ForeignKey("studies.id"), index=True)
    # The study's version afterwards: tells a reader with an older one what has happened since.
    study_version: Mapped[int | None]
    action: Mapped[str] = mapped_column(String(40))
    text: Mapped[str] = mapped_column(Text)


class BatchRow(Base):
    """One upload; ``finished_at`` is empty until all is stored: for ever where it broke off."""

    __tablename__ = "batches"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[float] = mapped_column(Double)
    finished_at: Mapped[float | None] = mapped_column(Double)

    __table_args__ = (Index(None, "user_id", "created_at"),)


class BatchItemRow(Base):
    """One file of an upload, under a name of the program's: its own is kept nowhere."""

    __tablename__ = "batch_items"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id"), index=True)
    name: Mapped[str] = mapped_column(String(400))
    outcome: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str | None] = mapped_column(Text)
    scan_id: Mapped[int | None] = mapped_column(ForeignKey("scans.id"))


class PresenceRow(Base):
    """Who has a case before them, as of when."""

    __tablename__ = "presences"

    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"), primary_key=True)
    reader_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    seen_at: Mapped[float] = mapped_column(Double)


class CounterRow(Base):
    """Counts kept up to date with every change, so that no page counts rows.

    ``open_received`` and ``open_due`` count open cases by the hour (bucket = seconds // 3600);
    ``open``, ``open_flagged`` and ``status:...`` have bucket 0.
    """

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    bucket: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class MarkRow(Base):
    """What is to be remembered by name: the rules cases were ranked by, reports that were sent."""

    __tablename__ = "marks"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(400))
