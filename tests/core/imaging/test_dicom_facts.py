"""What DICOM files say of their series: identifiers, modality and sequence."""

from __future__ import annotations

import pytest

from core.errors import InputError
from core.imaging import check_head_mr, open_image
from core.imaging.dicom import file
from core.types import Plane
from tests import dicoms
from tests.core.imaging.series_facts import facts_of


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


def test_a_file_with_uids_is_not_read_through_for_others(monkeypatch):
    data = dicoms.to_bytes(dicoms.mr_dataset())
    nameless = dicoms.to_bytes(dicoms.mr_dataset(StudyInstanceUID=None))
    monkeypatch.setattr(file, "sha256", None)
    assert open_image(data).facts(0).study_uid == dicoms.uid("study")
    with pytest.raises(InputError):
        open_image(nameless).facts(0)
