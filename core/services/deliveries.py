"""Results on their way back to the archive: what is to be sent, and what came of it.

Nothing here knows how they are sent, or whose they are.
"""

from __future__ import annotations

from core.services.installation import Installation, now
from core.store import audit, deliveries
from core.store.deliveries import Delivery
from core.store.sent_reports import SentReport, note_sent
from core.store.study_keys import patients_share_study

__all__ = [
    "Delivery",
    "SentReport",
    "not_sent",
    "queue_finished",
    "retry_failed",
    "sent",
    "take",
]

# Longer than an archive takes for the results of a series; whoever is killed holds them so long.
LEASE_SECONDS = 600.0
_LONGEST_PAUSE_SECONDS = 3600.0
_NOTHING = "No slice of it could be analysed, so there is nothing to send to the archive."
_SHARED = (
    "Another patient's scans came with the number of the same study, and the archive can only be "
    "asked by that number whose it is. So that nothing is filed under the wrong patient, nothing "
    "is sent to it."
)


def queue_finished(installation: Installation, since: float) -> int:
    """Put the results of series into the outbox that came by the node and are complete.

    A series is complete when nothing came for ``node.quiet_seconds`` and no slice waits for the
    model. One to which slices were added afterwards is put there again.

    Args:
        installation: where the series are.
        since: analyses before that were looked at already; seconds since 1970.

    Returns:
        How many were put there.
    """
    at = now()
    with installation.database.reading() as session:
        found = deliveries.candidates(session, since)
        quiet_since = at - installation.settings.node.quiet_seconds
        complete = deliveries.finished(session, found, quiet_since)
    count = 0
    for series in complete:
        with installation.database.transaction() as session:
            shared = patients_share_study(session, series.study_id)
            if series.model_version is not None and not shared:
                count += deliveries.put(
                    session, series.id, series.model_version, series.settled_at, at
                )
            elif deliveries.put_nothing(session, series.id, _SHARED if shared else _NOTHING, at):
                text = (
                    f"Results of a series are kept back. {_SHARED}"
                    if shared
                    else f"A series has no results. {_NOTHING}"
                )
                audit.log_action(
                    session, action="results_failed", text=text, now=at, study_id=series.study_id
                )
    return count


def take(installation: Installation, owner: str) -> Delivery | None:
    """Take results to send; None where nothing waits. They are the owner's for a while.

    Args:
        installation: where they wait.
        owner: who takes them; another name for every process.
    """
    at = now()
    with installation.database.transaction() as session:
        return deliveries.take(session, owner, at + LEASE_SECONDS, at)


def sent(
    installation: Installation,
    delivery: Delivery,
    owner: str,
    what: str,
    report: SentReport | None = None,
) -> None:
    """Note that results are in the archive, in the history of the case too.

    Args:
        installation: where they waited.
        delivery: the results.
        owner: who took them.
        what: what was sent, such as ``DICOM SEG and SR``.
        report: the report among it; one that is made of the series later names it.
    """
    at = now()
    with installation.database.transaction() as session:
        if deliveries.finish(session, delivery.id, owner, at):
            if report is not None:
                note_sent(session, delivery.series_id, report)
            text = f"Results of {_name(delivery)} ({what}) sent to the archive"
            audit.log_action(
                session, action="results_sent", text=text, now=at, study_id=delivery.study_id
            )


def not_sent(installation: Installation, delivery: Delivery, owner: str, reason: str) -> bool:
    """Have results sent again later, or give them up, which the history of the case says.

    Args:
        installation: where they waited.
        delivery: the results.
        owner: who took them.
        reason: why, in words for a clinician, ending with a full stop.

    Returns:
        Whether it will be tried again.
    """
    settings = installation.settings.node
    at = now()
    # The exponent is bounded, because 2**attempts is not after days of attempts.
    doubled = settings.retry_seconds * 2 ** min(delivery.attempts - 1, 20)
    again_at = at + min(doubled, _LONGEST_PAUSE_SECONDS)
    with installation.database.transaction() as session:
        if again_at <= delivery.created_at + settings.give_up_hours * 3600:
            return deliveries.try_later(session, delivery.id, owner, reason, again_at)
        if deliveries.give_up(session, delivery.id, owner, reason):
            text = f"Results of {_name(delivery)} could not be sent to the archive. {reason}"
            audit.log_action(
                session, action="results_failed", text=text, now=at, study_id=delivery.study_id
            )
        return False


def retry_failed(installation: Installation) -> int:
    """Put all results that were given up back into the outbox; says how many those were."""
    with installation.database.transaction() as session:
        return deliveries.requeue_failed(session, now())


def _name(delivery: Delivery) -> str:
    return "a series" if delivery.series_number is None else f"series {delivery.series_number}"
