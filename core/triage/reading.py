"""When the readings of a case are enough for a report.

Of every reader only the latest reading counts. One reading is enough, unless

- one of them is glioma and the installation asks for a second reader there, or
- one of them asks for a second reader.

Then the two readers who read last have to agree on the class, and the later of them must not ask
for yet another one. Nobody can be their own second reader: an account that reads twice has
changed its mind. Where a third reader agrees with one of two who disagree, the latest two decide.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.triage.words import CLASS_NAMES
from core.types import CaseStatus, Reading, TumourClass


def status_after(readings: Sequence[Reading], *, second_reader_for_glioma: bool) -> CaseStatus:
    """Where a case stands after its readings.

    Args:
        readings: of the case's present round, oldest first.
        second_reader_for_glioma: whether a glioma needs a second reader.

    Returns:
        ``NEW`` without readings, else ``NEEDS_SECOND_READER`` or ``REPORTED``.
    """
    if not readings:
        return CaseStatus.NEW
    missing = missing_for_report(readings, second_reader_for_glioma=second_reader_for_glioma)
    return CaseStatus.REPORTED if missing is None else CaseStatus.NEEDS_SECOND_READER


def missing_for_report(
    readings: Sequence[Reading], *, second_reader_for_glioma: bool
) -> str | None:
    """What the case still lacks before it is reported, in words; None where it lacks nothing.

    Args:
        readings: of the case's present round, oldest first.
        second_reader_for_glioma: whether a glioma needs a second reader.
    """
    if not readings:
        return "No reader has decided yet."
    latest = _latest_of_each_reader(readings)
    glioma = second_reader_for_glioma and any(r.finding is TumourClass.GLIOMA for r in latest)
    if not glioma and not any(r.asks_second for r in latest):
        return None
    if len(latest) == 1:
        if glioma:
            return "A second, different reader has to confirm the glioma."
        return "A second reader was asked for: a different reader has to read the case."
    before, last = latest[-2:]
    if before.finding is not last.finding:
        one, other = (CLASS_NAMES[r.finding].lower() for r in (before, last))
        return (
            f"The readers disagree: {one} and {other}. Another reader has to read the case, or "
            "one of them has to change the reading."
        )
    if last.asks_second:
        return "The last reader asked for another one: a different reader has to read the case."
    return None


def _latest_of_each_reader(readings: Sequence[Reading]) -> list[Reading]:
    """The last reading of each reader, in the order in which those were made."""
    latest: dict[int, Reading] = {}
    for reading in readings:
        latest.pop(reading.reader_id, None)
        latest[reading.reader_id] = reading
    return list(latest.values())
