"""Series and details as they are sent, and what an installation then holds of them."""

import io
import zipfile
from datetime import date

from pydicom import dcmread
from sqlalchemy import func, select

from core.store import audit, images
from core.store.series import series_of_study
from core.store.tables import ImageRow, StudyRow
from core.types import ItemOutcome, StudyDetails
from tests import dicoms

RECEIVED, LINKED, REJECTED = ItemOutcome.RECEIVED, ItemOutcome.LINKED, ItemOutcome.REJECTED
SLICES = 6
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
OTHER_PATIENT = {"PatientID": "SYN-2", "PatientName": "Other^Patient"}
DAY = date(2026, 3, 4)
OF_P1 = StudyDetails(patient_reference="P-1", study_date=DAY)


def series(**options) -> list[bytes]:
    return dicoms.mr_series(dicoms.head_volume(SLICES, 48, 40, range(2, 5)), **options)


def archive(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in files:
            packed.writestr(name, data)
    return out.getvalue()


def scans_of(installation, case_id):
    with installation.database.reading() as session:
        return images.scans_of_study(session, case_id)


def volumes_of(installation, case_id):
    with installation.database.reading() as session:
        return series_of_study(session, case_id)


def entries_of(installation, case_id):
    with installation.database.reading() as session:
        return audit.history(session, case_id)


def history_of(installation, case_id):
    return [entry.text for entry in entries_of(installation, case_id)]


def counts(installation) -> tuple[int, int]:
    """How many cases and images there are."""
    with installation.database.reading() as session:
        tables = (StudyRow, ImageRow)
        return tuple(session.scalar(select(func.count()).select_from(t)) for t in tables)


def renamed(data: bytes, **attributes) -> bytes:
    dataset = dcmread(io.BytesIO(data))
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dicoms.to_bytes(dataset)
