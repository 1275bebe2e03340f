"""Slices: several images a file, series of a study, results on their way to an archive."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    """Add series and deliveries; every image so far is the only one of its file."""
    op.create_table(
        "series",
        sa.Column("id", ID, nullable=False),
        sa.Column(
            "study_id",
            ID,
            sa.ForeignKey("studies.id", name="fk_series_study_id_studies"),
            nullable=False,
        ),
        sa.Column("stack", sa.String(64), nullable=False),
        sa.Column("study_uid", sa.String(64), nullable=False),
        sa.Column("series_uid", sa.String(64), nullable=False),
        sa.Column("source_format", sa.String(20), nullable=False),
        sa.Column("modality", sa.String(16), nullable=False),
        sa.Column("sequence", sa.String(120), nullable=True),
        sa.Column("plane", sa.String(12), nullable=True),
        sa.Column("number", sa.BigInteger, nullable=True),
        sa.Column("frame_of_reference_uid", sa.String(64), nullable=True),
        sa.Column("notices", JSON, nullable=False),
        sa.Column("origin", sa.String(12), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
        sa.UniqueConstraint("study_id", "stack", name="uq_series_study_id_stack"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", ID, nullable=False),
        sa.Column(
            "series_id",
            ID,
            sa.ForeignKey("series.id", name="fk_deliveries_series_id_series"),
            nullable=False,
        ),
        sa.Column("model_version", sa.String(80), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.Double, nullable=False),
        sa.Column("error", sa.Text, nullable=True),
        sa.Column("lease_owner", sa.String(120), nullable=True),
        sa.Column("lease_until", sa.Double, nullable=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("sent_at", sa.Double, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint(
            "series_id", "model_version", name="uq_deliveries_series_id_model_version"
        ),
    )
    op.create_index("ix_deliveries_state_next_at_id", "deliveries", ["state", "next_at", "id"])
    # SQLite cannot change constraints: there these two tables are written anew.
    with op.batch_alter_table("images") as images:
        images.add_column(sa.Column("frame", sa.Integer, nullable=False, server_default="0"))
        images.drop_constraint("uq_images_content_key", type_="unique")
        images.create_unique_constraint("uq_images_content_key_frame", ["content_key", "frame"])
    with op.batch_alter_table("images") as images:
        images.alter_column("frame", server_default=None)
    with op.batch_alter_table("scans") as scans:
        scans.add_column(sa.Column("series_id", ID, nullable=True))
        scans.add_column(sa.Column("place", JSON, nullable=True))
        scans.add_column(sa.Column("position_mm", sa.Double, nullable=True))
        scans.add_column(sa.Column("instance_uid", sa.String(64), nullable=True))
        scans.create_foreign_key("fk_scans_series_id_series", "series", ["series_id"], ["id"])
        scans.create_index("ix_scans_series_id", ["series_id"])
