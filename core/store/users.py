"""Accounts."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import InputError
from core.store.rows import clean, reader_from
from core.store.tables import UserRow
from core.store.upsert import insert_new
from core.types import Reader

# What the subjects of such accounts begin with.
_NODES = "node:"


def find_or_create_user(
    session: Session, subject: str, name: str, verified: bool, now: float
) -> Reader:
    """The account of a subject, made where there is none; its name follows the given one.

    Args:
        session: a transaction.
        subject: who it is, in the words of whoever vouches for it; unique.
        name: as shown.
        verified: whether an identity provider vouches for it.
        now: seconds since 1970.
    """
    subject, name = clean(subject), clean(name)
    values = {"subject": subject, "name": name, "verified": verified, "created_at": now}
    insert_new(session, UserRow, values, unique=("subject",))
    row = session.scalars(select(UserRow).where(UserRow.subject == subject)).one()
    row.name, row.verified = name, verified
    return reader_from(row)


def list_users(session: Session) -> list[Reader]:
    """All accounts of people, by name; not those that stand for a node of the network."""
    people = select(UserRow).where(~UserRow.subject.startswith(_NODES)).order_by(UserRow.name)
    return [reader_from(row) for row in session.scalars(people)]


def get_user(session: Session, user_id: int) -> Reader:
    """An account.

    Raises:
        InputError: there is none of that number.
    """
    row = session.get(UserRow, user_id)
    if row is None:
        raise InputError(f"There is no reader with the number {user_id}. Please sign in again.")
    return reader_from(row)
