"""What DICOM files say of their series: stack, sequence, plane and place."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from pydicom.dataset import Dataset

from core.errors import InputError
from core.imaging import check_head_mr, open_image
from core.imaging.dicom import file, values
from core.types import Plane, SeriesFacts
from tests import dicoms
from tests.core.imaging.series_facts import facts_of, item


def test_facts_are_those_of_the_file():
    facts = facts_of(instance="4", SeriesNumber=7)
    assert facts.study_uid == dicoms.uid("study")
    assert facts.series_uid == dicoms.uid("study/series")
    assert facts.instance_uid == dicoms.uid("study/series/4")
    assert facts.frame_of_reference_uid == dicoms.uid("study/frame")
    assert (facts.patient_reference, facts.modality, facts.body_part) == ("SYN-1", "MR", "BRAIN")
    assert (facts.sequence, facts.plane, facts.number) == ("T1 with contrast", Plane.AXIAL, 7)
    assert facts.notices == ()
    assert facts.taken == (0, 4)
    assert facts_of(AcquisitionNumber=3, InstanceNumber=None).taken == (3, 0)


def side_by_side(one: SeriesFacts, other: SeriesFacts) -> bool:
    return one.stack == other.stack and one.fits(other.measured) and other.fits(one.measured)


def test_what_is_absent_is_none_and_uids_follow_from_the_content():
    absent = dict.fromkeys(
        ["StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PatientID", "Modality",
         "BodyPartExamined", "SeriesNumber", "RepetitionTime", "ImageOrientationPatient"]
    )  # fmt: skip
    facts, again = facts_of(**absent), facts_of(**absent)
    assert facts == again
    assert facts.study_uid.startswith("2.25.") and facts.study_uid != facts.series_uid
    assert facts.study_uid != facts_of(**absent, instance="2").study_uid
    assert (facts.modality, facts.body_part, facts.number) == ("MR", None, None)
    assert (facts.sequence, facts.plane, facts.frame_of_reference_uid) == (None, None, None)
    check_head_mr(facts)


def test_what_is_no_uid_still_keeps_slices_together():
    first = facts_of(StudyInstanceUID="STUDY-A", SeriesInstanceUID="SERIES-1")
    second = facts_of(StudyInstanceUID="STUDY-A", SeriesInstanceUID="SERIES-1", instance="2")
    assert (first.study_uid, first.stack) == (second.study_uid, second.stack)
    assert first.study_uid.startswith("2.25.")


def test_slices_of_a_series_have_one_stack_and_rising_positions():
    images = [open_image(data) for data in dicoms.mr_series(orientation=dicoms.CORONAL)]
    assert len({image.facts(0).stack for image in images}) == 1
    positions = [image.place(0).position_mm for image in images]
    assert np.allclose(np.diff(positions), 5)
    assert images[0].facts(0).plane is Plane.CORONAL


def turned(sine: float) -> tuple[float, ...]:
    cosine = float(np.sqrt(1 - sine * sine))
    return cosine, sine, 0.0, -sine, cosine, 0.0


def diffusion(b: float, direction: list[float] | None = None) -> dict:
    found = {"DiffusionBValue": b, "DiffusionGradientOrientation": direction}
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"series": "other"}),
        ({}, {"orientation": dicoms.CORONAL}),
        ({}, {"orientation": (1.0, 0.0, 0.0, 0.0, np.cos(0.1), np.sin(0.1))}),
        ({}, {"spacing": (1.0, 0.9)}),
        ({}, {"pixels": dicoms.head_slice(80, 80)}),
        ({}, {"EchoTime": 80, "EchoNumbers": 2}),
        ({}, {"EchoNumbers": 2}),
        ({}, {"InversionTime": 900}),
        ({}, {"ImageType": ["ORIGINAL", "PRIMARY", "P"]}),
        ({"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}),
        (
            {"NumberOfTemporalPositions": 2, "AcquisitionNumber": 1},
            {"NumberOfTemporalPositions": 2, "AcquisitionNumber": 2},
        ),
        (
            {"Manufacturer": "SIEMENS", "AcquisitionNumber": 1},
            {"Manufacturer": "SIEMENS", "AcquisitionNumber": 2},
        ),
        (
            {"CardiacNumberOfImages": 20, "TriggerTime": 10},
            {"CardiacNumberOfImages": 20, "TriggerTime": 60},
        ),
        (diffusion(0), diffusion(1000)),
        (diffusion(1000, [1.0, 0.0, 0.0]), diffusion(1000, [0.0, 1.0, 0.0])),
    ],
)
def test_what_does_not_lie_side_by_side_has_a_stack_of_its_own(one, other):
    assert not side_by_side(facts_of(**one), facts_of(**other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"instance": "2", "position": (-40.0, -48.0, 5.0)}),
        ({}, {"orientation": (1.0, -0.0, 1e-7, 0.0, 1.0, -0.0)}),
        ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),  # may count slices
        ({"TriggerTime": 10}, {"TriggerTime": 60}),  # gated: each slice has its own
        ({"RepetitionTime": 550}, {"RepetitionTime": 561}),
        # Either side of where a rounded figure would change.
        ({"orientation": turned(0.0344996)}, {"orientation": turned(0.0345004)}),
        ({"EchoTime": 12.349}, {"EchoTime": 12.351}),
        ({"InversionTime": 899.4}, {"InversionTime": 899.6}),
        ({"spacing": (0.46875, 0.46875)}, {"spacing": (0.46874, 0.46876)}),
        (diffusion(1000, [0.0344996, 0, 1]), diffusion(1000, [0.0345004, 0, 1])),
        ({}, {"WindowCenter": 500, "WindowWidth": 900}),
    ],
)
def test_what_differs_from_slice_to_slice_does_not_part_a_stack(one, other):
    assert side_by_side(facts_of(**one), facts_of(**other))


PLAIN = {"ContrastBolusAgent": None}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (PLAIN, "T1"),
        ({}, "T1 with contrast"),
        ({"ContrastBolusAgent": ""}, "T1"),
        ({"ContrastBolusAgent": "NONE"}, "T1"),
        (PLAIN | {"ContrastBolusVolume": 7.5}, "T1 with contrast"),
        (PLAIN | {"RepetitionTime": 4500, "EchoTime": 95}, "T2"),
        (PLAIN | {"RepetitionTime": 2800, "EchoTime": 20}, "PD"),
        (PLAIN | {"RepetitionTime": 9000, "EchoTime": 110, "InversionTime": 2500}, "FLAIR"),
        # 3D FLAIR with a variable flip angle
        (PLAIN | {"RepetitionTime": 5000, "EchoTime": 386, "InversionTime": 1800}, "FLAIR"),
        ({"RepetitionTime": 9000, "EchoTime": 110, "InversionTime": 2500}, "FLAIR with contrast"),
        (PLAIN | {"RepetitionTime": 4000, "EchoTime": 40, "InversionTime": 160}, "STIR"),
        # MP-RAGE, with and without an inversion time
        (
            PLAIN | {"ScanningSequence": ["GR", "IR"], "RepetitionTime": 2000, "EchoTime": 3,
                     "InversionTime": 900, "FlipAngle": 8}, "T1",
        ),
        (
            PLAIN | {"ScanningSequence": "GR", "RepetitionTime": 2000, "EchoTime": 3,
                     "FlipAngle": 8}, "T1",
        ),
        # spoiled gradient echo
        (
            PLAIN | {"ScanningSequence": "GR", "RepetitionTime": 8, "EchoTime": 3,
                     "FlipAngle": 15}, "T1",
        ),
        (
            PLAIN | {"ScanningSequence": "GR", "RepetitionTime": 600, "EchoTime": 20,
                     "FlipAngle": 20}, "T2*",
        ),
        (
            PLAIN | {"ScanningSequence": "GR", "RepetitionTime": 22, "EchoTime": 4,
                     "FlipAngle": 18, "AngioFlag": "Y"}, "Angiography",
        ),
        (PLAIN | {"RepetitionTime": 5000, "EchoTime": 90, "DiffusionBValue": 1000.0}, "Diffusion"),
        (PLAIN | {"RepetitionTime": 5000, "EchoTime": 90, "SequenceName": "*ep_b0"}, "Diffusion"),
        (PLAIN | {"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]}, "ADC map"),
        (PLAIN | {"RepetitionTime": 1500, "EchoTime": 60}, None),
        (PLAIN | {"EchoTime": None}, None),
        (PLAIN | {"RepetitionTime": 0}, None),
        # descriptions are free text and are not read
        (
            PLAIN | {"EchoTime": None, "SeriesDescription": "t2 flair",
                     "ProtocolName": "FLAIR"}, None,
        ),
    ],
)  # fmt: skip
def test_the_sequence_is_told_by_the_acquisition(attributes, expected):
    assert facts_of(**attributes).sequence == expected


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (dicoms.AXIAL, Plane.AXIAL),
        (dicoms.CORONAL, Plane.CORONAL),
        (dicoms.SAGITTAL, Plane.SAGITTAL),
        ((1, 0, 0, 0, np.cos(0.5), np.sin(0.5)), Plane.AXIAL),
        ((1, 0, 0, 0, np.cos(0.75), np.sin(0.75)), Plane.OBLIQUE),
    ],
)
def test_the_plane_is_the_nearest_one(orientation, expected):
    assert facts_of(orientation=orientation).plane is expected


def test_a_place_is_that_of_the_file():
    dataset = dicoms.mr_dataset(
        orientation=dicoms.SAGITTAL, position=(1.5, -100.0, 90.25), spacing=(0.9, 0.8)
    )
    image = open_image(dicoms.to_bytes(dataset))
    place = image.place(0)
    assert place.origin == (1.5, -100.0, 90.25)
    assert (place.along_row, place.along_column) == ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
    assert (place.spacing_mm, place.thickness_mm) == ((0.9, 0.8), 5.0)
    assert place.normal == (-1.0, 0.0, 0.0) and place.position_mm == -1.5
    assert image.scan(0).spacing_mm == (0.9, 0.8)


@pytest.mark.parametrize(
    "attributes",
    [
        {"ImagePositionPatient": None},
        {"ImagePositionPatient": [1e9, 0, 0]},
        {"ImageOrientationPatient": None},
        {"orientation": (1, 0, 0, 1, 0, 0)},
        {"orientation": (0, 0, 0, 0, 0, 0)},
        {"orientation": (2, 0, 0, 0, 2, 0)},
        {"PixelSpacing": None},
        {"spacing": (0, 1)},
        {"spacing": (-1, 1)},
        {"spacing": (1e9, 1e9)},
    ],
    ids=str,
)
def test_a_place_that_cannot_be_is_none_and_the_picture_is_read(attributes):
    image = open_image(dicoms.to_bytes(dicoms.mr_dataset(**attributes)))
    assert image.place(0) is None
    assert image.scan(0).size == (96, 80)


def test_without_spacing_nothing_is_said_in_mm():
    image = open_image(dicoms.to_bytes(dicoms.mr_dataset(PixelSpacing=None)))
    assert image.scan(0).spacing_mm is None
    assert any("mm" in notice for notice in image.series.notices)


def test_without_spacing_the_position_is_known_all_the_same():
    options = {"orientation": dicoms.SAGITTAL, "position": (1.5, -100.0, 90.25)}
    whole, part = (
        open_image(dicoms.to_bytes(dicoms.mr_dataset(**options, **lost)))
        for lost in ({}, {"PixelSpacing": None})
    )
    assert part.place(0) is None and part.spacing_mm(0) is None
    assert part.position_mm(0) == whole.position_mm(0) == whole.place(0).position_mm
    nowhere = open_image(dicoms.to_bytes(dicoms.mr_dataset(ImagePositionPatient=None)))
    assert nowhere.position_mm(0) is None and nowhere.spacing_mm(0) == (1, 1)


def test_frames_of_an_enhanced_object_have_their_own_place_and_values():
    dataset = dicoms.multi_frame_dataset(orientation=dicoms.CORONAL, origin=(-40, 10, 48))
    for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame.PixelValueTransformationSequence = [item(RescaleSlope=2, RescaleIntercept=number)]
        frame.FrameVOILUTSequence = [item(WindowCenter=100.5 + number, WindowWidth=101)]
    image = open_image(dicoms.to_bytes(dataset))
    assert len({image.facts(i).stack for i in range(12)}) == 1
    assert image.facts(3).plane is Plane.CORONAL
    assert image.facts(3).sequence == "T1 with contrast"
    assert [image.place(i).origin[1] for i in range(3)] == [10, 15, 20]
    scan = image.scan(2)
    assert np.array_equal(scan.pixels[..., 0], dicoms.head_volume()[2] * 2.0 + 2)
    assert (scan.window, scan.spacing_mm) == ((52, 152), (1.0, 1.0))


def test_frames_at_another_time_or_diffusion_weight_are_another_stack():
    dataset = dicoms.multi_frame_dataset()
    for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame.FrameContentSequence[0].TemporalPositionIndex = 1 + number // 6
        frame.MRDiffusionSequence = [item(DiffusionBValue=1000.0 * (number % 2))]
    image = open_image(dicoms.to_bytes(dataset))
    stacks = [image.facts(i).stack for i in range(12)]
    assert len(set(stacks)) == 4
    assert stacks[0] == stacks[2] != stacks[1] == stacks[3]
    assert image.facts(0).sequence == "Diffusion"


def test_a_functional_group_is_looked_for_once_a_frame(monkeypatch):
    image = open_image(dicoms.to_bytes(dicoms.multi_frame_dataset()))
    looked_for: Counter[str] = Counter()
    look = values._item

    def counted(dataset: Dataset, keyword: str, index: int) -> Dataset | None:
        looked_for[keyword] += 1
        return look(dataset, keyword, index)

    monkeypatch.setattr(values, "_item", counted)
    assert image.facts(5).plane is Plane.AXIAL
    # In the frame's own groups and in the shared ones.
    assert looked_for["PlaneOrientationSequence"] == looked_for["MREchoSequence"] == 2


def test_a_file_with_uids_is_not_read_through_for_others(monkeypatch):
    data = dicoms.to_bytes(dicoms.mr_dataset())
    nameless = dicoms.to_bytes(dicoms.mr_dataset(StudyInstanceUID=None))
    monkeypatch.setattr(file, "sha256", None)
    assert open_image(data).facts(0).study_uid == dicoms.uid("study")
    with pytest.raises(InputError):
        open_image(nameless).facts(0)


def test_an_object_without_functional_groups_is_read_without_places():
    dataset = dicoms.multi_frame_dataset()
    del dataset.PerFrameFunctionalGroupsSequence
    del dataset.SharedFunctionalGroupsSequence
    image = open_image(dicoms.to_bytes(dataset))
    assert (image.frame_count, image.place(11), image.facts(11).plane) == (12, None, None)
