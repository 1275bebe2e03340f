"""The rules of priority in force: cases ranked by other rules are ranked anew."""

from __future__ import annotations

import hashlib
import logging

from core.config import Settings
from core.services.ranking import rerank
from core.store import rules as stored
from core.store.audit import log_action
from core.store.database import Database
from core.store.studies import study_version
from core.triage.queueing import rate_per_second

__all__ = ["apply_rules"]

log = logging.getLogger(__name__)

# Cases in one transaction: few enough that nobody waits long for it.
_AT_ONCE = 200


def apply_rules(database: Database, settings: Settings, now: float) -> int:
    """Rank all cases by the rules of the settings, unless they are already.

    It may be broken off and run twice. Reported cases keep their score; only their order among
    each other follows the rate of ageing.

    Args:
        database: where the cases are.
        settings: for the rules.
        now: seconds since 1970.

    Returns:
        How many open cases have another place or other reasons now.
    """
    rules = hashlib.sha256(settings.priority.model_dump_json().encode()).hexdigest()
    with database.reading() as session:
        if stored.ranked_by(session) == rules:
            return 0
        last = stored.highest_number(session)
    changed = 0
    for start in range(1, last + 1, _AT_ONCE):
        numbers = range(start, start + _AT_ONCE)
        with database.transaction() as session:
            stored.age_reported(session, numbers, rate_per_second(settings.priority))
            for study_id in stored.open_cases(session, numbers):
                before = study_version(session, study_id)
                rerank(session, settings, study_id, now)
                if study_version(session, study_id) != before:
                    text = "Ranked anew, because the rules of priority were changed"
                    log_action(session, action="ranked", text=text, now=now, study_id=study_id)
                    changed += 1
    with database.transaction() as session:
        stored.note_rules(session, rules)
    log.info("The rules of priority have changed: %d cases have another place.", changed)
    return changed
