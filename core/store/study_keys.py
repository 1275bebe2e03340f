"""Which case a DICOM file belongs to: that of its study and patient.

A study's UID is unique in the world only on paper: simulators, copied phantoms and mistyped work
lists give one to two patients. So the key of a case holds the patient that its files name, too, and
none while none of them names one: ``study:UID|patient``. A patient is a number and who issued it.
Many files leave the issuer out, and within one study the same number is the same patient unless two
issuers are named. So a key with an issuer holds the number alone, too:
``study:UID|patient|number``. Without one, the patient is the number.
"""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.store.tables import StudyRow


def key_of_study(
    session: Session, study_uid: str, patient: str | None, number: str | None = None
) -> tuple[str, tuple[int, ...]]:
    """The key of the case for a file's study and patient, and the cases of other patients.

    A file that names no patient belongs to the only case of its study; a case of which no file
    named one becomes that of the first who is named. Likewise a file without an issuer belongs to
    the only case of its number, and a case of which no file named the issuer becomes that of the
    first one named.

    Args:
        session: a transaction.
        study_uid: pseudonym of the study's UID.
        patient: pseudonym of the patient; None where the file names none.
        number: pseudonym of the patient's number alone, the same where the file names no issuer;
            None where it is not known.

    Returns:
        The key, for ``studies.find_or_create_study``; and where there is no case with it yet, the
        numbers of the cases with the same study.
    """
    nameless = f"study:{study_uid}"
    plain = f"{nameless}|{patient}" if patient else nameless
    issued = bool(patient and number and number != patient)
    key = f"{plain}|{number}" if issued else plain
    # Cases made before there were numbers in keys have none.
    for known in (key, plain):
        if session.scalar(select(StudyRow.id).where(StudyRow.study_key == known)) is not None:
            return known, ()
    rows = session.execute(
        select(StudyRow.study_key, StudyRow.id)
        .where(
            (StudyRow.study_key == nameless)
            | StudyRow.study_key.startswith(f"{nameless}|", autoescape=True)
        )
        .order_by(StudyRow.id)
    )
    there = {found: case_id for found, case_id in rows}
    if not patient:
        return (next(iter(there)), ()) if len(there) == 1 else (key, tuple(there.values()))
    same = [known for known in there if known.endswith(f"|{number or patient}")]
    if not issued:
        # A file that came without its identity names the patient and issuer by one pseudonym.
        same = [known for known in there if known.startswith(f"{plain}|")] or same
        if len(same) == 1:
            return same[0], ()
    [unnamed, *more] = [nameless] if list(there) == [nameless] else same or [None]
    if not more and unnamed in (nameless, f"{nameless}|{number}"):
        if _name(session, there[unnamed], unnamed, key):
            return key, ()
        # Of two that name another patient at once, this one has come too late.
        return key_of_study(session, study_uid, patient, number)
    return key, tuple(there.values())


def _name(session: Session, study_id: int, nameless: str, key: str) -> bool:
    """Make a case of no named patient or issuer that of one; whether no other was quicker.

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
