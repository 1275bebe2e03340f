"""Who reads: signing in, and the accounts of those whom no identity provider vouches for."""

from __future__ import annotations

from core.errors import InputError
from core.services.installation import Installation, now
from core.store import users
from core.store.audit import log_action
from core.types import Reader

__all__ = ["add_reader", "readers", "sign_in"]

_LONGEST_NAME = 100
_LONGEST_SUBJECT = 400


def sign_in(installation: Installation, subject: str, name: str, verified: bool) -> Reader:
    """The account of whoever signs in, made at the first time.

    Args:
        installation: where the account is.
        subject: who it is: ``oidc:ISSUER|SUBJECT`` or ``local:NAME``. Another subject is another
            account, whatever the name.
        name: as shown.
        verified: whether an identity provider vouches for it.

    Raises:
        InputError: there is no name or no subject, or one is too long.
    """
    subject, name = subject.strip(), " ".join(name.split())
    if not subject or len(subject) > _LONGEST_SUBJECT:
        raise InputError(
            f"The identity provider names the account with {len(subject)} characters; between 1 "
            f"and {_LONGEST_SUBJECT} are possible. Please ask whoever runs it."
        )
    _check_name(name)
    with installation.database.transaction() as session:
        return users.find_or_create_user(session, subject, name, verified, now())


def add_reader(installation: Installation, name: str) -> Reader:
    """A new account that nobody vouches for; it is marked "unverified" wherever it is named.

    Raises:
        InputError: there is no name, it is too long, or a reader of this list has it already.
    """
    name = " ".join(name.split())
    _check_name(name)
    with installation.database.transaction() as session:
        taken = {other.name.casefold() for other in users.list_users(session) if not other.verified}
        if name.casefold() in taken:
            raise InputError(
                f"There is a reader {name} already. Please choose the name in the list."
            )
        reader = users.find_or_create_user(session, f"local:{name}", name, False, now())
        log_action(
            session,
            action="reader_added",
            text=f"The reader {name} was added without being verified.",
            now=now(),
            user_id=reader.id,
        )
        return reader


def readers(installation: Installation) -> list[Reader]:
    """All accounts, by name."""
    with installation.database.reading() as session:
        return users.list_users(session)


def _check_name(name: str) -> None:
    if not name:
        raise InputError("Please give the reader's name.")
    if len(name) > _LONGEST_NAME:
        raise InputError(
            f"The reader's name has {len(name)} characters; at most {_LONGEST_NAME} fit."
        )
