"""The tables of what is looked at: images, their volumes, and what the model says of them.

``images`` holds every distinct picture or slice once, keyed by its file's content and its frame in
it, with the state of its scoring; ``scans`` says which studies it belongs to and, for slices, where
in which series it lies.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Double,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.store.table_base import Base, Id, Json


class ImageRow(Base):
    """A distinct picture or slice: stored once, scored once per model version."""

    __tablename__ = "images"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    # sha256 of the stored bytes (identity removed, pixels as uploaded), and their key in the store.
    content_key: Mapped[str] = mapped_column(String(64))
    # Which picture of the file; 0 where it holds one.
    frame: Mapped[int]
    source_format: Mapped[str] = mapped_column(String(20))
    height: Mapped[int]
    width: Mapped[int]
    # Millimetres between rows and between columns, where the file says so.
    spacing_row_mm: Mapped[float | None] = mapped_column(Double)
    spacing_column_mm: Mapped[float | None] = mapped_column(Double)
    received_at: Mapped[float] = mapped_column(Double)
    state: Mapped[str] = mapped_column(String(12))
    attempts: Mapped[int]
    failure: Mapped[str | None] = mapped_column(Text)
    lease_owner: Mapped[str | None] = mapped_column(String(120))
    lease_until: Mapped[float | None] = mapped_column(Double)
    # Most urgent requests are scored first; larger is sooner.
    queue_rank: Mapped[float] = mapped_column(Double)

    __table_args__ = (
        UniqueConstraint("content_key", "frame"),
        Index(None, "state", "queue_rank", "id"),
    )


class SeriesRow(Base):
    """Slices of a study that lie side by side: one volume."""

    __tablename__ = "series"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"))
    # Which of the study's volumes, see ``core.store.series``.
    stack: Mapped[str] = mapped_column(String(64))
    # Figures of its first slice that the others must fit; None where it came before they were kept.
    measured: Mapped[list[float] | None] = mapped_column(Json)
    study_uid: Mapped[str] = mapped_column(String(64))
    series_uid: Mapped[str] = mapped_column(String(64))
    source_format: Mapped[str] = mapped_column(String(20))
    modality: Mapped[str] = mapped_column(String(16))
    sequence: Mapped[str | None] = mapped_column(String(120))
    plane: Mapped[str | None] = mapped_column(String(12))
    number: Mapped[int | None] = mapped_column(BigInteger)
    frame_of_reference_uid: Mapped[str | None] = mapped_column(String(64))
    # What a reader should know of its files, in words.
    notices: Mapped[list[str]] = mapped_column(Json)
    # How its first slice came: "upload" or "node".
    origin: Mapped[str] = mapped_column(String(12))

    __table_args__ = (UniqueConstraint("study_id", "stack"),)


class ScanRow(Base):
    """An image as part of a study."""

    __tablename__ = "scans"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"))
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    received_at: Mapped[float] = mapped_column(Double, index=True)
    # Of slices only: the volume, where in it they lie, and the DICOM object they came as.
    series_id: Mapped[int | None] = mapped_column(ForeignKey("series.id"), index=True)
    place: Mapped[dict[str, Any] | None] = mapped_column(Json)
    position_mm: Mapped[float | None] = mapped_column(Double)
    instance_uid: Mapped[str | None] = mapped_column(String(64))
    # Of several pictures of one place: which was taken first.
    acquisition_number: Mapped[int | None] = mapped_column(BigInteger)
    instance_number: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (UniqueConstraint("study_id", "image_id"),)


class AnalysisRow(Base):
    """What one model version says of one image. Never changed; a newer model adds a row."""

    __tablename__ = "analyses"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"))
    model_version: Mapped[str] = mapped_column(String(80))
    probabilities: Mapped[dict[str, float]] = mapped_column(Json)
    predicted: Mapped[str] = mapped_column(String(20))
    tumour_probability: Mapped[float] = mapped_column(Double)
    suspected: Mapped[bool]
    decision_threshold: Mapped[float] = mapped_column(Double)
    lesion: Mapped[dict[str, Any] | None] = mapped_column(Json)
    ood_score: Mapped[float] = mapped_column(Double)
    in_distribution: Mapped[bool]
    kind: Mapped[str] = mapped_column(String(12))
    # Keys in the file store: the mask, one heat map a class, the small picture with the overlay.
    mask_key: Mapped[str] = mapped_column(String(64))
    heat_map_keys: Mapped[dict[str, str]] = mapped_column(Json)
    thumbnail_key: Mapped[str] = mapped_column(String(64))
    elapsed_ms: Mapped[float] = mapped_column(Double)
    created_at: Mapped[float] = mapped_column(Double, index=True)

    __table_args__ = (UniqueConstraint("image_id", "model_version"),)


class DeliveryRow(Base):
    """Results of a series on their way to an archive: once a model version."""

    __tablename__ = "deliveries"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"))
    model_version: Mapped[str] = mapped_column(String(80))
    # "queued", "sent" or "failed".
    state: Mapped[str] = mapped_column(String(12))
    attempts: Mapped[int]
    # Not to be tried before then.
    next_at: Mapped[float] = mapped_column(Double)
    error: Mapped[str | None] = mapped_column(Text)
    lease_owner: Mapped[str | None] = mapped_column(String(120))
    lease_until: Mapped[float | None] = mapped_column(Double)
    created_at: Mapped[float] = mapped_column(Double)
    sent_at: Mapped[float | None] = mapped_column(Double)

    __table_args__ = (
        UniqueConstraint("series_id", "model_version"),
        Index(None, "state", "next_at", "id"),
    )
