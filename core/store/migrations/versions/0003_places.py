"""Slices: the figures that keep them in one volume, and which of one place was taken first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add columns; what is known already has nothing in them."""
    op.add_column("series", sa.Column("measured", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("scans", sa.Column("acquisition_number", sa.BigInteger, nullable=True))
    op.add_column("scans", sa.Column("instance_number", sa.BigInteger, nullable=True))
