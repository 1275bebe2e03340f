"""Who has which case open. A page says so again and again; who falls silent has gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.services.installation import Installation, now
from core.store import audit, presence, studies
from core.triage.words import account_name
from core.types import Reader

__all__ = ["Presence", "present"]

# Somebody whose page has not been heard of for so long has closed it.
_PRESENT_SECONDS = 45


@dataclass(frozen=True)
class Presence:
    """Somebody who has a case open.

    Attributes:
        reader: who.
        since: when they opened it, in UTC; None where the history does not tell.
    """

    reader: Reader
    since: datetime | None


def present(
    installation: Installation, reader: Reader, case_id: int
) -> tuple[tuple[Presence, ...], int]:
    """Say that the reader still has a case open.

    Returns:
        Who else has it open, and its version now.

    Raises:
        InputError: there is no such case.
    """
    at = now()
    with installation.database.transaction() as session:
        version = studies.study_version(session, case_id)
        presence.touch_presence(session, case_id, reader.id, at)
        found = presence.present_readers(session, case_id, at - _PRESENT_SECONDS)
        others = [one for one in found if one.id != reader.id]
        history = audit.history(session, case_id) if others else []
    opened = {entry.who: entry.at for entry in history if entry.action == "opened"}
    return tuple(Presence(one, opened.get(account_name(one))) for one in others), version
