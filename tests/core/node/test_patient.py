"""Results get the patient whom the archive names, and nothing is left of the removal."""

from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from core.node.patient import with_patient
from tests.dicoms import mr_dataset, to_bytes, uid


def study(**attributes: str) -> Dataset:
    found = Dataset()
    found.SpecificCharacterSet = "ISO_IR 100"
    found.StudyInstanceUID = uid("study")
    for keyword, value in attributes.items():
        setattr(found, keyword, value)
    return found


def test_the_archives_attributes_replace_those_of_the_result():
    data = to_bytes(
        mr_dataset(
            PatientName="P-7K3Q", PatientID="P-7K3Q", PatientIdentityRemoved="YES",
            DeidentificationMethod="x", IssuerOfPatientID="y",
        )
    )  # fmt: skip
    result = with_patient(
        data, study(PatientName="Jörg^Ana", PatientID="4711", StudyDate="20260304")
    )
    out = BytesIO()
    result.save_as(out, enforce_file_format=True)
    again = dcmread(BytesIO(out.getvalue()))
    assert str(again.PatientName) == "Jörg^Ana"
    assert (again.PatientID, again.StudyDate) == ("4711", "20260304")
    assert again.SpecificCharacterSet == "ISO_IR 192"
    # Of what the archive does not say nothing stays.
    assert (again.AccessionNumber, again.PatientBirthDate, again.StudyID) == ("", "", "")
    for keyword in ("IssuerOfPatientID", "PatientIdentityRemoved", "DeidentificationMethod"):
        assert keyword not in again
    assert again.PixelData == dcmread(BytesIO(data)).PixelData


def test_names_in_several_scripts_come_through():
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    result = with_patient(to_bytes(mr_dataset()), study(PatientName=name))
    out = BytesIO()
    result.save_as(out, enforce_file_format=True)
    assert str(dcmread(BytesIO(out.getvalue())).PatientName) == name


def test_another_study_is_refused():
    other = study()
    other.StudyInstanceUID = "1.2.3"
    with pytest.raises(ValueError, match="another study"):
        with_patient(to_bytes(mr_dataset()), other)
