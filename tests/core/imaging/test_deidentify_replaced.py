"""What a DICOM file gets in place of its identity: marks, dates, pseudonyms, UIDs."""

from __future__ import annotations

from pydicom.dataset import Dataset

from core.imaging import without_identity
from tests import dicoms, identities
from tests.core.imaging.deidentified import KEEPING, PRIVACY, parsed, reduced


def test_the_file_says_what_was_done_to_it() -> None:
    data = dicoms.to_bytes(dicoms.mr_dataset())
    for privacy, codes in ((PRIVACY, ["113100"]), (KEEPING, ["113100", "113110"])):
        out = reduced(data, privacy)
        assert out.PatientIdentityRemoved == "YES"
        assert "PS3.15" in out.DeidentificationMethod
        assert [i.CodeValue for i in out.DeidentificationMethodCodeSequence] == codes
        assert {i.CodingSchemeDesignator for i in out.DeidentificationMethodCodeSequence} == {"DCM"}


def test_patient_and_dates_are_replaced_or_empty() -> None:
    out = reduced(dicoms.to_bytes(dicoms.mr_dataset(SeriesDate="20260304", ContentDate="20260304")))
    pseudonym = PRIVACY.pseudonyms.patient("SYN-1")
    assert (out.PatientID, out.PatientName) == (pseudonym, pseudonym)
    for name in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber"):
        assert name in out and not out[name].value, name
    assert "SeriesDate" not in out
    assert not out.ContentDate


def test_an_enhanced_object_gets_values_of_no_meaning_where_it_needs_some() -> None:
    dataset = dicoms.multi_frame_dataset(
        ContentDate="20260304", ContentTime="101112", AcquisitionDateTime="20260304101112",
        Manufacturer="Hospital's own", ManufacturerModelName="M", DeviceSerialNumber="7",
        SoftwareVersions="1",
    )  # fmt: skip
    out = reduced(dicoms.to_bytes(dataset))
    assert (out.ContentDate, out.ContentTime) == ("19000101", "000000")
    assert out.AcquisitionDateTime == "19000101000000"
    for name in ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions"):
        assert out[name].value == "REMOVED"


def test_a_patient_without_a_number_gets_no_pseudonym() -> None:
    for number in ("", None):
        out = reduced(dicoms.to_bytes(dicoms.mr_dataset(PatientID=number)))
        assert (out.PatientID, str(out.PatientName)) == ("", "")


def test_the_same_number_of_another_hospital_is_another_patient() -> None:
    first, second, again = (
        reduced(dicoms.to_bytes(dicoms.mr_dataset(IssuerOfPatientID=issuer))).PatientID
        for issuer in ("North", "South", "North")
    )
    assert first == again != second


def test_uids_are_replaced_consistently_with_all_references() -> None:
    first = dicoms.mr_dataset(instance="1")
    second = dicoms.mr_dataset(instance="2")
    reference = Dataset()
    reference.ReferencedSOPClassUID = first.SOPClassUID
    reference.ReferencedSOPInstanceUID = first.SOPInstanceUID
    second.ReferencedImageSequence = [reference]
    one, other = (reduced(dicoms.to_bytes(dataset)) for dataset in (first, second))
    assert one.SOPInstanceUID != first.SOPInstanceUID
    assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID
    assert one.StudyInstanceUID == other.StudyInstanceUID != first.StudyInstanceUID
    assert one.SeriesInstanceUID == other.SeriesInstanceUID
    assert one.FrameOfReferenceUID == other.FrameOfReferenceUID
    item = other.ReferencedImageSequence[0]
    assert item.ReferencedSOPInstanceUID == one.SOPInstanceUID
    assert item.ReferencedSOPClassUID == first.SOPClassUID == one.SOPClassUID


def test_kept_uids_stay_and_what_is_none_is_replaced() -> None:
    dataset = dicoms.mr_dataset()
    out = reduced(dicoms.to_bytes(dataset), KEEPING)
    for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert out[name].value == dataset[name].value
    assert out.PatientID == PRIVACY.pseudonyms.patient("SYN-1")
    data = dicoms.to_bytes(dicoms.mr_dataset(SynchronizationFrameOfReferenceUID="1.2.3.4.5.6"))
    odd = data.replace(b"1.2.3.4.5.6", b"ZQXDOE_JANE")
    found = parsed(without_identity(odd, KEEPING)).SynchronizationFrameOfReferenceUID
    assert found.startswith("2.25.")


def test_a_new_preamble_and_meta_information() -> None:
    data = without_identity(identities.identified_dicom(), PRIVACY)
    assert data[:132] == bytes(128) + b"DICM"
    meta = parsed(data).file_meta
    assert {e.keyword for e in meta} == {
        "FileMetaInformationGroupLength", "FileMetaInformationVersion", "MediaStorageSOPClassUID",
        "MediaStorageSOPInstanceUID", "TransferSyntaxUID", "ImplementationClassUID",
        "ImplementationVersionName",
    }  # fmt: skip
