"""Which slices of figshare belong together: patients in three planes.

The set (Cheng 2017, doi 10.6084/m9.figshare.1512427) is stored by batch, in a batch by plane, and
within a plane patient by patient: first the axial slices of a row of patients, then their coronal
ones, then their sagittal ones. A cut between indices therefore separates planes, not patients.

``train/splits/figshare_patients.csv`` puts the planes side by side. Its rows are runs of indices,
told apart by eye (outlined lesions of all slices, the re-encoded pictures of 256 px): one patient
where ``patient_first`` is ``patient_last``, else a stretch of patients in their order. Around every
cut the same patient was found in each plane; patients between test, val and train are left out as
``guard``. Slices that no row has could not be placed, and nothing is trained or measured on them.
The original files carry the patient (``cjdata/PID``), which no re-encoded set has kept.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from core.errors import DataError

PATIENTS_LIST = Path(__file__).parent.parent / "splits" / "figshare_patients.csv"
UNPLACED = "unplaced"
_SLICES = 13  # of a patient on average (3,064 of 233)


@dataclass(frozen=True)
class PatientRun:
    """Consecutive slices of one plane, of one patient or of a stretch of patients."""

    label: str
    batch: str
    plane: str
    first: int
    last: int
    patient_first: int
    patient_last: int
    split: str

    def patient(self, index: int) -> int:
        """The patient's number in the batch; in a stretch, where it would be by its place."""
        patients = self.patient_last - self.patient_first + 1
        slices = self.last - self.first + 1
        return self.patient_first + (index - self.first) * patients // slices


def read_patients(path: Path = PATIENTS_LIST) -> list[PatientRun]:
    """The runs in the order of their indices.

    Raises:
        DataError: the file is missing or is no such list.
    """
    numbers = ("first", "last", "patient_first", "patient_last")
    try:
        with path.open(newline="") as handle:
            found = [
                PatientRun(**row | {name: int(row[name]) for name in numbers})
                for row in csv.DictReader(handle)
            ]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is no list of figshare's patients: {error}") from error
    return sorted(found, key=lambda run: run.first)


def place(index: int, runs: list[PatientRun]) -> tuple[str, str]:
    """Split and block of a slice, by its number in the set.

    Returns:
        ``train``, ``val``, ``test`` or ``guard``; and ``figshare-BATCH-PATIENT``, the same in every
        plane, or ``figshare-unplaced-N``.
    """
    for run in runs:
        if run.first <= index <= run.last:
            return run.split, f"figshare-{run.batch}-{run.patient(index)}"
    return "guard", f"figshare-{UNPLACED}-{index // _SLICES}"
