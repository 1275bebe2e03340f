"""Which case a DICOM file belongs to: that of its study and patient.

A study's UID is unique in the world only on paper: simulators, copied phantoms and mistyped work
lists give one to two patients. So the key of a case holds the patient that its files name, too, and
none while none of them names one.
"""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.store.tables import StudyRow


def key_of_study(
    session: Session, study_uid: str, patient: str | None
) -> tuple[str, tuple[int, ...]]:
    """The key of the case for a file's study and patient, and the cases of other patients.

    A file that names no patient belongs to the only case of its study; a case of which no file
    named one becomes that of the first who is named.

    Args:
        session: a transaction.
        study_uid: pseudonym of the study's UID.
        patient: pseudonym of the patient; None where the file names none.

    Returns:
        The key, for ``studies.find_or_create_study``; and where there is no case with it yet, the
        numbers of the cases with the same study.
    """
    nameless = f"study:{study_uid}"
    key = f"{nameless}|{patient}" if patient else nameless
    if session.scalar(select(StudyRow.id).where(StudyRow.study_key == key)) is not None:
        return key, ()
    rows = session.execute(
        select(StudyRow.study_key, StudyRow.id)
        .where(
            (StudyRow.study_key == nameless)
            | StudyRow.study_key.startswith(f"{nameless}|", autoescape=True)
        )
        .order_by(StudyRow.id)
    )
    there = {found: number for found, number in rows}
    if len(there) == 1:
        [(only, number)] = there.items()
        if not patient:
            return only, ()
        if only == nameless:
            if _name(session, number, nameless, key):
                return key, ()
            # Of two that name another patient at once, this one has come too late.
            return key_of_study(session, study_uid, patient)
    return key, tuple(there.values())


def _name(session: Session, study_id: int, nameless: str, key: str) -> bool:
    """Make a case of no named patient that of one; whether another transaction was not quicker.

    Who waited in vain keeps PostgreSQL's lock of the row, as if the key had been changed, until the
    point that the transaction goes back to. With that lock it would wait for a third that makes the
    other patient's case and notes that in the history of this one: for ever.
    """
    named = update(StudyRow).where(StudyRow.id == study_id, StudyRow.study_key == nameless)
    with session.begin_nested() as attempt:
        changed = session.execute(named.values(study_key=key).returning(StudyRow.id)).first()
        if changed is None:
            attempt.rollback()
    return changed is not None


def patients_share_study(session: Session, study_id: int) -> bool:
    """Whether there are cases of other patients with the same study.

    Args:
        session: reading will do.
        study_id: the case.
    """
    key = session.scalar(select(StudyRow.study_key).where(StudyRow.id == study_id)) or ""
    nameless, _, patient = key.partition("|")
    if not patient:
        return False
    others = select(StudyRow.id).where(
        StudyRow.study_key.startswith(f"{nameless}|", autoescape=True), StudyRow.id != study_id
    )
    return session.scalar(others.limit(1)) is not None
