"""Changing a case: locked, its version checked and raised, the counters kept right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import Session

from core.errors import ConflictError, InputError
from core.store.audit import first_since
from core.store.counters import apply_change, state_of
from core.store.rows import is_row_number
from core.store.tables import StudyRow
from core.types import CaseStatus


@contextmanager
def changing(
    session: Session,
    study_id: int,
    *,
    expected_version: int | None = None,
    news: bool = False,
) -> Iterator[StudyRow]:
    """Lock a case and set its columns within the block, but query nothing there.

    Its version rises if anything changed, and the counters follow. Whoever changes several cases
    in one transaction takes them in the order of their numbers, so that two do not wait for each
    other crosswise.

    Args:
        session: a transaction.
        study_id: the case.
        expected_version: what the reader had before them; None where no reader acts.
        news: whether the version rises even if no column changes.

    Raises:
        InputError: there is no such case.
        ConflictError: the case has another version by now.
    """
    # Rows that point to the case, such as scans, may be added meanwhile.
    study = find_study(
        session, study_id, with_for_update={"key_share": True}, populate_existing=True
    )
    if expected_version is not None and study.version != expected_version:
        raise _conflict(session, study, expected_version)
    before = state_of(study)
    yield study
    study.open = study.status != CaseStatus.REPORTED
    if news or session.is_modified(study):
        study.version += 1
        session.flush()
    apply_change(session, before, state_of(study))


def find_study(session: Session, study_id: int, **options: Any) -> StudyRow:
    """A case by its number, which may come from an address that somebody typed.

    Raises:
        InputError: there is no such case.
    """
    study = session.get(StudyRow, study_id, **options) if is_row_number(study_id) else None
    if study is None:
        raise InputError(
            f"There is no case with the number {study_id}. Please open one from the list."
        )
    return study


def _conflict(session: Session, study: StudyRow, version: int) -> ConflictError:
    entry = first_since(session, study.id, version)
    if entry is None:
        what = "This case has changed since you opened it"
    else:
        what = f"{entry.who} changed this case since you opened it ({entry.text.rstrip('.')})"
    return ConflictError(f"{what}. Nothing was saved. Please look at it again.")
