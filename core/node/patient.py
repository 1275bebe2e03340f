"""Results get the patient and study that they belong to, in memory, just before they are sent."""

from __future__ import annotations

from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset

# What an archive files an object by. Type 2 in the results: an empty value where there is none.
_REQUIRED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "ReferringPhysicianName",
)
_OPTIONAL = ("IssuerOfPatientID",)
STUDY_ATTRIBUTES = (*_REQUIRED, *_OPTIONAL)
# They say that the identity was removed, which is no longer so.
_NO_LONGER_TRUE = (
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)
_UTF_8 = "ISO_IR 192"


def with_patient(data: bytes, study: Dataset) -> Dataset:
    """A result of a study with the attributes of its patient and of the study.

    Args:
        data: the result as a DICOM file.
        study: what the archive says of the study.

    Raises:
        ValueError: the result belongs to another study.
    """
    result = dcmread(BytesIO(data))
    if result.StudyInstanceUID != study.StudyInstanceUID:
        raise ValueError("the result belongs to another study")
    result.decode()  # what is text already is written anew, in UTF-8
    result.SpecificCharacterSet = _UTF_8
    for keyword in STUDY_ATTRIBUTES:
        value = study.get(keyword)
        text = "" if value is None else str(value)
        if text or keyword in _REQUIRED:
            setattr(result, keyword, text)
        elif keyword in result:
            delattr(result, keyword)
    for keyword in _NO_LONGER_TRUE:
        if keyword in result:
            delattr(result, keyword)
    return result
