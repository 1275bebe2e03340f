"""What all tables share: their base, and the types of their columns.

Times are seconds since 1970 UTC, as doubles, so that both databases sort alike.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Integer, MetaData, String
from sqlalchemy.orm import DeclarativeBase

# SQLite numbers rows by itself only where the key is a plain INTEGER.
Id = BigInteger().with_variant(Integer(), "sqlite")
# Compared character by character on both databases: a search for a beginning is then a range.
PlainText = String(240).with_variant(String(240, collation="C"), "postgresql")
# Nothing is NULL in the database too, not the JSON text "null".
Json = JSON(none_as_null=True)


class Base(DeclarativeBase):
    """Base of all tables; constraints have names, so that migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
