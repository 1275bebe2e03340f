"""The reports of a series that are in the archive: a later one names the one before it.

They are noted as marks, a row each, by the number of the series and their order.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.store.tables import MarkRow
from core.store.upsert import insert_new


@dataclass(frozen=True)
class SentReport:
    """A DICOM report (SR) in the archive.

    Attributes:
        series_uid: UID of the series that it makes up.
        instance_uid: its own UID.
    """

    series_uid: str
    instance_uid: str


def sent_reports(session: Session, series_id: int) -> tuple[SentReport, ...]:
    """The reports of a series that were sent, oldest first.

    Args:
        session: reading will do.
        series_id: what they are about.
    """
    found = session.scalars(
        select(MarkRow.value)
        .where(MarkRow.name.startswith(_prefix(series_id), autoescape=True))
        .order_by(MarkRow.name)
    )
    return tuple(SentReport(*value.split()) for value in found)


def note_sent(session: Session, series_id: int, report: SentReport) -> None:
    """Note that a report was sent; one that is noted already is not noted again.

    Args:
        session: a transaction; the results of the series are held by whoever sends them.
        series_id: what it is about.
        report: what was sent.
    """
    before = sent_reports(session, series_id)
    if report not in before:
        values = {
            "name": f"{_prefix(series_id)}{len(before) + 1:06}",
            "value": f"{report.series_uid} {report.instance_uid}",
        }
        insert_new(session, MarkRow, values, unique=("name",))


def _prefix(series_id: int) -> str:
    return f"sent-report/{series_id}/"
