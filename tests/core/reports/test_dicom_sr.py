"""The model's results as a DICOM report."""

import io
from dataclasses import replace

import highdicom
import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes

from core.inference.volume_measure import MaskedSlice, measure_volume
from core.reports import dicom_codes
from core.reports.dicom_objects import SourceSlice, source_header
from core.reports.dicom_objects import to_bytes as as_file
from core.reports.dicom_seg import segmentation
from core.reports.dicom_sr import SeriesFinding, measurement_report
from core.types import CLASSES, ScanFinding, ScanKind, TumourClass
from tests.core.reports.dicom_tools import (
    MAKING,
    complaints,
    diameter_mm,
    masks,
    place,
    screen_slices,
    series,
)
from tests.dicoms import mr_series, multi_frame_dataset, to_bytes, uid

GLIOMA = ScanFinding(
    probabilities=dict(zip(CLASSES, (0.9, 0.05, 0.03, 0.02), strict=True)),
    predicted=TumourClass.GLIOMA,
    tumour_probability=0.97,
    suspected=True,
    lesion=None,
    in_distribution=True,
    kind=ScanKind.GRAY,
    model_version="fake-1",
)
NOTHING = replace(
    GLIOMA,
    probabilities=dict(zip(CLASSES, (0.01, 0.01, 0.97, 0.01), strict=True)),
    predicted=TumourClass.NO_TUMOR,
    tumour_probability=0.03,
    suspected=False,
)


def finding(**changes) -> SeriesFinding:
    slices = [
        MaskedSlice(mask.astype("uint8"), (1.0, 1.0), place(i).position_mm)
        for i, mask in enumerate(masks())
    ]
    values = dict(
        slices=series(),
        leading=6,
        finding=GLIOMA,
        decision_threshold=0.6235536932945251,
        analysed=12,
        measures=measure_volume(slices),
    )
    return SeriesFinding(**(values | changes))


def segmented(one: SeriesFinding):
    return segmentation(one.slices, masks(), ScanKind.GRAY, MAKING)


def read_back(made) -> highdicom.sr.ComprehensiveSR:
    return highdicom.sr.srread(io.BytesIO(as_file(made)))


def whole_series(report: highdicom.sr.ComprehensiveSR):
    (group,) = [
        one
        for one in report.content.get_image_measurement_groups()
        if one.tracking_identifier == "NeuroTriage classification"
    ]
    return group


def numbers(group) -> dict[str, tuple[float, str]]:
    return {
        item.ConceptNameCodeSequence[0].CodeValue: (
            float(item.MeasuredValueSequence[0].NumericValue),
            item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue,
        )
        for item in group[0].ContentSequence
        if item.ValueType == "NUM"
    }


def answers(group) -> dict[str, str]:
    return {
        item.ConceptNameCodeSequence[0].CodeValue: item.ConceptCodeSequence[0].CodeValue
        for item in group[0].ContentSequence
        if item.ValueType == "CODE"
    }


def texts(report) -> str:
    return " ".join(
        item.TextValue for group in report.content[0].ContentSequence[-1].ContentSequence
        for item in group.ContentSequence if item.ValueType == "TEXT"
    )  # fmt: skip


def test_class_probabilities_and_threshold_read_back():
    report = read_back(measurement_report(finding(), None, MAKING))
    group = whole_series(report)
    assert numbers(group) == {
        "PROB_GLIOMA": (90, "%"),
        "PROB_MENINGIOMA": (5, "%"),
        "PROB_NONE": (3, "%"),
        "PROB_PITUITARY": (2, "%"),
        "PROB_TUMOUR": (97, "%"),
        "THRESHOLD": (62.355, "%"),
        "SLICES": (12, "1"),
        "SLICES_ANALYSED": (12, "1"),
        "SLICES_MASKED": (3, "1"),
    }
    found = answers(group)
    assert found["CLASS"] == dicom_codes.CLASSES[TumourClass.GLIOMA].value
    assert found["SUSPECTED"] == codes.SCT.Yes.value
    assert found["LIKENESS"] == "LIKE"


def test_sizes_read_back_and_refer_to_the_segment():
    one = finding()
    drawn = segmented(one)
    report = read_back(measurement_report(one, drawn, MAKING))
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    volume = float(masks().sum() * 5 / 1000)
    found = numbers(group)
    assert found[codes.SCT.Volume.value] == (pytest.approx(volume, abs=1e-4), "cm3")
    longest = max(diameter_mm(mask) for mask in masks()[5:8])
    assert found[codes.SCT.Diameter.value] == (pytest.approx(longest, abs=0.01), "mm")
    segment = group.referenced_segment
    assert segment.referenced_sop_instance_uid == drawn.SOPInstanceUID
    assert list(segment.referenced_segment_numbers) == [1]
    assert group.tracking_uid == drawn.SegmentSequence[0].TrackingUID
    assert group.finding_type == codes.SCT.Neoplasm


def test_sizes_stand_by_themselves_where_there_is_no_segmentation():
    report = read_back(measurement_report(finding(), None, MAKING))
    assert report.content.get_volumetric_roi_measurement_groups() == []
    groups = report.content.get_image_measurement_groups()
    assert codes.SCT.Volume.value in numbers(groups[1])


def test_one_slice_has_an_area_and_no_volume():
    slices = series()[6:7]
    measures = measure_volume([MaskedSlice(masks()[6].astype("uint8"), (1.0, 1.0), 0.0)])
    one = finding(slices=slices, leading=0, analysed=1, measures=measures, area_mm2=123.0)
    group = read_back(measurement_report(one, None, MAKING)).content.get_image_measurement_groups()
    assert numbers(group[1])[codes.SCT.Area.value] == (123, "mm2")
    assert codes.SCT.Volume.value not in numbers(group[1])


def test_nothing_outlined_has_no_sizes():
    report = read_back(measurement_report(finding(finding=NOTHING, measures=None), None, MAKING))
    (group,) = report.content.get_image_measurement_groups()
    assert numbers(group)["SLICES_MASKED"] == (0, "1")


def test_no_tumour_is_none_of_the_three_and_never_normal():
    made = measurement_report(finding(finding=NOTHING, measures=None), None, MAKING)
    report = read_back(made)
    found = answers(whole_series(report))
    assert (found["CLASS"], found["SUSPECTED"]) == ("NONE_OF_THREE", codes.SCT.No.value)
    assert "None of the three suspected" in texts(report)
    assert b"normal" not in as_file(made).lower().replace(b"abnormal", b"")


def test_the_deciding_slice_is_referred_to():
    one = finding(leading=6)
    (source,) = whole_series(read_back(measurement_report(one, None, MAKING))).source_images
    assert source.referenced_sop_instance_uid == one.slices[6].header.SOPInstanceUID
    header = source_header(to_bytes(multi_frame_dataset()))
    frames = [SourceSlice(header, i, place(i)) for i in range(12)]
    report = read_back(measurement_report(finding(slices=frames), None, MAKING))
    (source,) = whole_series(report).source_images
    assert source.referenced_sop_instance_uid == uid("study/series/1")
    assert list(source.referenced_frame_numbers) == [7]


def test_all_images_and_the_segmentation_are_evidence():
    one = finding()
    drawn = segmented(one)
    evidence = read_back(measurement_report(one, drawn, MAKING)).get_evidence()
    expected = {part.header.SOPInstanceUID for part in one.slices} | {drawn.SOPInstanceUID}
    assert {str(instance) for _, _, instance, _ in evidence} == expected


def test_it_is_preliminary_unverified_research():
    report = read_back(measurement_report(finding(), None, MAKING))
    assert report.VerificationFlag == "UNVERIFIED"
    assert report.PreliminaryFlag == "PRELIMINARY"
    assert report.CompletionFlag == "COMPLETE"
    assert report.ContentQualification == "RESEARCH"
    assert "not a medical device" in texts(report)
    assert "no reader has verified it" in texts(report)


def test_slices_without_a_result_leave_it_partial():
    report = read_back(measurement_report(finding(analysed=10), None, MAKING))
    assert report.CompletionFlag == "PARTIAL"
    assert "Of 12 slices 2 could not be analysed." in texts(report)


def test_a_scan_unlike_the_training_is_said():
    strange = replace(GLIOMA, in_distribution=False)
    report = read_back(measurement_report(finding(finding=strange), None, MAKING))
    assert answers(whole_series(report))["LIKENESS"] == "UNLIKE"
    assert "unlike the scans the model was trained on" in texts(report)


def test_the_observer_is_the_model():
    report = read_back(measurement_report(finding(), None, MAKING))
    (observer,) = report.content.get_observer_contexts()
    assert observer.observer_type == codes.DCM.Device
    attributes = observer.observer_identifying_attributes
    assert (attributes.model_name, attributes.serial_number) == ("NeuroTriage", "fake-1")


def test_every_private_code_is_in_the_table():
    table = dicom_codes.__doc__
    private = [
        value
        for value in [*vars(dicom_codes).values(), *dicom_codes.CLASSES.values(),
                      *dicom_codes.PROBABILITIES.values()]
        if getattr(value, "scheme_designator", None) == dicom_codes.SCHEME
    ]  # fmt: skip
    assert len(private) == 15
    for code in private:
        assert code.value in table
        assert len(code.value) <= 16 and len(code.meaning) <= 64


def test_the_scheme_of_the_private_codes_is_declared():
    report = read_back(measurement_report(finding(), None, MAKING))
    (scheme,) = report.CodingSchemeIdentificationSequence
    assert scheme.CodingSchemeDesignator == "99NEUROTRIAGE"


def test_the_same_result_is_the_same_file():
    one = finding()
    again = finding()
    first = as_file(measurement_report(one, segmented(one), MAKING))
    assert first == as_file(measurement_report(again, segmented(again), MAKING))
    drawn = segmented(one)
    report = dcmread(io.BytesIO(first))
    assert report.SeriesInstanceUID != drawn.SeriesInstanceUID
    assert report.SOPInstanceUID != drawn.SOPInstanceUID


def with_segmentation():
    one = finding()
    return one, segmented(one)


def frames_of_one_object():
    header = source_header(to_bytes(multi_frame_dataset()))
    one = finding(slices=[SourceSlice(header, i, place(i)) for i in range(12)])
    return one, segmented(one)


def nothing_known():
    poor = dict(FrameOfReferenceUID=None, PatientSex="?", PatientName="", StudyDate=None,
                PatientBirthDate="", SeriesNumber=None)  # fmt: skip
    return finding(slices=series(mr_series(**poor)), finding=NOTHING, measures=None), None


def picture_of_a_screen():
    return finding(slices=screen_slices(), leading=0, analysed=1), None


@pytest.mark.server
@pytest.mark.parametrize("tool", ["dciodvfy", "dsrdump", "dcmdump"])
@pytest.mark.parametrize(
    "made", [with_segmentation, frames_of_one_object, nothing_known, picture_of_a_screen]
)
def test_validators_find_no_error(tool, made, tmp_path):
    one, drawn = made()
    for changed in (one, replace(one, finding=replace(one.finding, in_distribution=False))):
        report = measurement_report(changed, drawn, MAKING)
        assert complaints(tool, as_file(report), tmp_path) == []


@pytest.mark.server
@pytest.mark.parametrize("tool", ["dciodvfy", "dsrdump"])
def test_validators_would_find_an_error(tool, tmp_path):
    report = measurement_report(finding(), None, MAKING)
    del report.ContentSequence[-1].ContentSequence[0].ContentSequence[0].RelationshipType
    del report.CompletionFlag
    assert complaints(tool, as_file(report), tmp_path)
