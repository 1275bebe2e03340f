"""Masks as DICOM segmentations."""

import io
import shutil
import subprocess
import warnings

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes

from core.errors import InputError
from core.reports.dicom_objects import Making, SourceSlice, source_header
from core.reports.dicom_objects import to_bytes as as_file
from core.reports.dicom_seg import segmentation
from core.types import ScanKind
from tests.core.reports.dicom_tools import MAKING, complaints, masks, place, screen_slices, series
from tests.dicoms import (
    CORONAL,
    head_volume,
    mr_dataset,
    mr_series,
    multi_frame_dataset,
    to_bytes,
    uid,
)


def read_back(made) -> highdicom.seg.Segmentation:
    return highdicom.seg.segread(io.BytesIO(as_file(made)))


def multi_frame(frames: range, **options) -> list[SourceSlice]:
    header = source_header(to_bytes(multi_frame_dataset(**options)))
    return [SourceSlice(header, i, place(i)) for i in frames]


def test_a_series_gets_its_masks_back_bit_by_bit():
    slices, drawn = series(), masks()
    read = read_back(segmentation(slices, drawn, ScanKind.GRAY, MAKING))
    uids = [one.header.SOPInstanceUID for one in slices]
    back = read.get_pixels_by_source_instance(uids, ignore_spatial_locations=False)
    np.testing.assert_array_equal(back[..., 0], drawn)


def test_only_masked_slices_have_a_frame_each_with_its_place():
    read = read_back(segmentation(series(), masks(), ScanKind.GRAY, MAKING))
    assert read.NumberOfFrames == 3
    groups = read.PerFrameFunctionalGroupsSequence
    heights = {float(one.PlanePositionSequence[0].ImagePositionPatient[2]) for one in groups}
    assert heights == {-5.0, 0.0, 5.0}


def test_other_orientations_keep_the_masks_on_their_slices():
    slices = series(mr_series(orientation=CORONAL))
    read = read_back(segmentation(slices, masks(), ScanKind.GRAY, MAKING))
    back = read.get_pixels_by_source_instance([slices[6].header.SOPInstanceUID])
    np.testing.assert_array_equal(back[0, ..., 0], masks()[6])
    shared = read.SharedFunctionalGroupsSequence[0]
    assert list(shared.PlaneOrientationSequence[0].ImageOrientationPatient) == list(CORONAL)


def test_frames_of_one_object_get_their_masks_back():
    drawn = masks()
    read = read_back(segmentation(multi_frame(range(12)), drawn, ScanKind.GRAY, MAKING))
    source = uid("study/series/1")
    back = read.get_pixels_by_source_frame(source, [6, 7, 8])
    np.testing.assert_array_equal(back[..., 0], drawn[5:8])


def test_some_frames_of_an_object_are_named_by_their_own_numbers():
    # The object's first frames belong to another stack.
    slices, drawn = multi_frame(range(4, 12)), masks()
    read = read_back(segmentation(slices, drawn[4:], ScanKind.GRAY, MAKING))
    back = read.get_pixels_by_source_frame(uid("study/series/1"), [6, 7, 8])
    np.testing.assert_array_equal(back[..., 0], drawn[5:8])


def test_orientations_may_differ_in_their_last_digits():
    files = [
        to_bytes(mr_dataset(instance=str(i), position=place(i).origin,
                            orientation=(1, i * 1e-6, 0, -i * 1e-6, 1, 0)))
        for i in range(12)
    ]  # fmt: skip
    slices = series(files)
    read = read_back(segmentation(slices, masks(), ScanKind.GRAY, MAKING))
    back = read.get_pixels_by_source_instance([slices[6].header.SOPInstanceUID])
    np.testing.assert_array_equal(back[0, ..., 0], masks()[6])
    assert slices[6].header.ImageOrientationPatient[1] == 6e-6, "the source was changed"


def test_it_says_what_is_outlined_and_who_did_it():
    gray = read_back(segmentation(series(), masks(), ScanKind.GRAY, MAKING))
    composite = read_back(segmentation(series(), masks(), ScanKind.COMPOSITE, MAKING))
    (segment,) = gray.SegmentSequence
    assert segment.SegmentLabel == "Enhancing tumour"
    assert gray.get_segment_description(1).segmented_property_type == codes.SCT.Neoplasm
    assert "Not verified by a reader" in segment.SegmentDescription
    assert segment.SegmentAlgorithmType == "AUTOMATIC"
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("NeuroTriage", "fake-1")
    assert composite.SegmentSequence[0].SegmentLabel == "Signal abnormality on FLAIR"
    assert composite.get_segment_description(1).segmented_property_type == codes.SCT.Lesion
    assert gray.ContentQualification == "RESEARCH"


def test_it_stays_with_patient_study_and_frame_of_reference():
    made = segmentation(series(), masks(), ScanKind.GRAY, MAKING)
    assert (made.PatientID, made.StudyInstanceUID) == ("SYN-1", uid("study"))
    assert made.FrameOfReferenceUID == uid("study/frame")
    assert made.SeriesInstanceUID not in {one.header.SeriesInstanceUID for one in series()}


def test_names_in_other_scripts_survive():
    files = [
        to_bytes(mr_dataset(instance=str(i), SpecificCharacterSet="ISO_IR 100", PatientName="Åß^É"))
        for i in (1,)
    ]
    made = segmentation(series(files), masks(1, range(1)), ScanKind.GRAY, MAKING)
    assert str(dcmread(io.BytesIO(as_file(made))).PatientName) == "Åß^É"


def test_the_same_result_is_the_same_file_and_another_is_another_object():
    made = segmentation(series(), masks(), ScanKind.GRAY, MAKING)
    again = segmentation(series(), masks(), ScanKind.GRAY, MAKING)
    assert as_file(made) == as_file(again)
    other = Making(MAKING.model_version, MAKING.made_at, "other masks")
    changed = segmentation(series(), masks(), ScanKind.GRAY, other)
    assert made.SOPInstanceUID != changed.SOPInstanceUID


def test_nothing_of_the_scanner_or_site_is_carried_over():
    files = mr_series(InstitutionName="SENTINEL", StationName="SENTINEL", Manufacturer="SENTINEL",
                      StudyDescription="SENTINEL", OperatorsName="SENTINEL")  # fmt: skip
    made = segmentation(series(files), masks(), ScanKind.GRAY, MAKING)
    assert b"SENTINEL" not in as_file(made)


def test_an_identity_that_was_removed_is_said_to_be_removed():
    files = mr_series(PatientIdentityRemoved="YES", DeidentificationMethod="Basic profile")
    made = segmentation(series(files), masks(), ScanKind.GRAY, MAKING)
    assert (made.PatientIdentityRemoved, made.DeidentificationMethod) == ("YES", "Basic profile")


def test_nothing_masked_is_said():
    with pytest.raises(InputError, match="Nothing is outlined"):
        segmentation(series(), masks() & False, ScanKind.GRAY, MAKING)


@pytest.mark.parametrize("slices", [1, 12])
def test_mr_without_a_frame_of_reference_is_said(slices):
    sources = series(mr_series(FrameOfReferenceUID=None))[:slices]
    drawn = masks(12, range(12))[:slices]
    with pytest.raises(InputError, match="no frame of reference"):
        segmentation(sources, drawn, ScanKind.GRAY, MAKING)


def test_one_picture_without_a_place_needs_no_frame_of_reference():
    slices = screen_slices()
    drawn = masks(1, range(1))
    read = read_back(segmentation(slices, drawn, ScanKind.GRAY, MAKING))
    np.testing.assert_array_equal(read.pixel_array.astype(bool).reshape(96, 80), drawn[0])


def test_headers_that_contradict_each_other_are_said_without_their_values():
    files = [*mr_series()[:11], to_bytes(mr_dataset(series="SENTINEL", instance="12"))]
    with pytest.raises(InputError, match="contradict") as refused:
        segmentation(series(files), masks(), ScanKind.GRAY, MAKING)
    assert uid("study/SENTINEL") not in str(refused.value)


@pytest.mark.parametrize(
    "attributes",
    [
        dict(PixelSpacing=[0, 0]),
        dict(PixelSpacing=None),
        dict(ImageOrientationPatient=[0] * 6),
        dict(ImageOrientationPatient=None),
        dict(Rows=7),
        dict(SeriesNumber=-3),
        dict(SliceThickness=-1),
        dict(StudyDate="20261345", StudyTime="9999", PatientBirthDate="yesterday"),
        dict(PatientName="\\".join(["A^B"] * 3), PatientID=["1", "2"]),
    ],
    ids=lambda attributes: "+".join(attributes),
)
def test_strange_headers_give_a_segmentation_or_a_reason(attributes):
    files = []
    for i, position in enumerate([place(n).origin for n in range(12)]):
        dataset = mr_dataset(instance=str(i), position=position)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, value in attributes.items():
                setattr(dataset, name, value) if value is not None else delattr(dataset, name)
            files.append(to_bytes(dataset))
    try:
        made = segmentation(series(files), masks(), ScanKind.GRAY, MAKING)
    except InputError as error:
        assert "There is no DICOM segmentation" in str(error)
    else:
        assert read_back(made).NumberOfFrames == 3


def test_slices_in_several_multi_frame_objects_are_said():
    slices = multi_frame(range(6)) + multi_frame(range(6, 12), instance="2")
    with pytest.raises(InputError, match="several multi-frame objects"):
        segmentation(slices, masks(), ScanKind.GRAY, MAKING)


def test_masks_of_another_number_of_slices_are_an_error_of_the_caller():
    with pytest.raises(ValueError, match="expected 12 slices"):
        segmentation(series(), masks()[:5], ScanKind.GRAY, MAKING)


def a_single_slice():
    return series()[5:6], masks()[5:6]


def a_poor_header():
    poor = dict(SliceThickness=None, SpacingBetweenSlices=None, PatientSex="?", PatientName="",
                PatientBirthDate="", BodyPartExamined=None, SeriesNumber=None)  # fmt: skip
    return series(mr_series(**poor)), masks()


def uneven_distances():
    files, drawn = mr_series(), masks()
    keep = [0, 1, 3, 5, 6, 7, 11]
    return [series(files)[i] for i in keep], drawn[keep]


@pytest.mark.server
@pytest.mark.parametrize("tool", ["dciodvfy", "dcmdump"])
@pytest.mark.parametrize(
    "sources",
    [
        lambda: (series(), masks()),
        lambda: (series(mr_series(orientation=CORONAL)), masks()),
        lambda: (multi_frame(range(12)), masks()),
        lambda: (multi_frame(range(2, 9)), masks()[2:9]),
        a_single_slice,
        a_poor_header,
        uneven_distances,
        lambda: (screen_slices(), masks(1, range(1))),
    ],
    ids=["series", "coronal", "multi-frame", "some frames", "one slice", "poor header",
         "uneven", "secondary capture"],
)  # fmt: skip
def test_validators_find_no_error(tool, sources, tmp_path):
    slices, drawn = sources()
    for kind in ScanKind:
        made = segmentation(slices, drawn, kind, MAKING)
        assert complaints(tool, as_file(made), tmp_path) == []


@pytest.mark.server
def test_the_objects_of_a_study_fit_each_other(tmp_path):
    if shutil.which("dcentvfy") is None:
        pytest.skip("dcentvfy is not installed (Debian: dicom3tools)")
    files = mr_series()
    made = segmentation(series(files), masks(), ScanKind.GRAY, MAKING)
    for number, data in enumerate([*files, as_file(made)]):
        (tmp_path / f"{number}.dcm").write_bytes(data)
    command = ["dcentvfy", *map(str, sorted(tmp_path.iterdir()))]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Error" not in ran.stdout + ran.stderr


@pytest.mark.server
def test_a_validator_would_find_an_error(tmp_path):
    made = segmentation(series(), masks(), ScanKind.GRAY, MAKING)
    del made.SegmentSequence
    assert complaints("dciodvfy", as_file(made), tmp_path)


def test_the_synthetic_masks_are_what_the_tests_take_them_for():
    assert [int(one.any()) for one in masks()] == [0] * 5 + [1] * 3 + [0] * 4
    assert masks()[6].sum() == (head_volume()[6] == 220).sum()
