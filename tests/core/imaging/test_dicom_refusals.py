"""DICOM files that are no scans of a head, and values that are of no use."""

from __future__ import annotations

import io
import logging
import warnings

import pytest
from pydicom import dcmread
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from core.errors import InputError
from core.imaging import check_head_mr, open_image
from tests import dicoms
from tests.core.imaging.series_facts import facts_of, item


@pytest.mark.parametrize("modality", ["CT", "CR", "US", "PT", "MG"])
def test_another_modality_is_refused_by_its_name(modality):
    with pytest.raises(InputError, match=f"modality is {modality}"):
        check_head_mr(facts_of(Modality=modality))


@pytest.mark.parametrize("part", ["CHEST", "KNEE", "CSPINE", "C-SPINE", "l spine", "WHOLEBODY"])
def test_another_body_part_is_refused_by_its_name(part):
    with pytest.raises(InputError, match=r"body part is [A-Z]+\."):
        check_head_mr(facts_of(BodyPartExamined=part))


@pytest.mark.parametrize(
    "part", ["HEAD", "BRAIN", "SKULL", "head", "HEAD AND NECK", "PITUITARY", None, "", "CABEZA"]
)
def test_heads_and_what_is_no_term_of_dicom_are_accepted(part):
    check_head_mr(facts_of(BodyPartExamined=part))


def test_words_of_ones_own_for_the_body_part_are_not_repeated():
    facts = facts_of(BodyPartExamined="MUELLER KOPF")
    assert facts.body_part is None
    assert any("own words" in notice for notice in facts.notices)
    assert "MUELLER" not in repr(facts)


def test_a_coded_region_counts_before_the_term():
    knee = item(CodeValue="72696002", CodingSchemeDesignator="SCT", CodeMeaning="Knee")
    with pytest.raises(InputError, match="body part is KNEE"):
        check_head_mr(facts_of(AnatomicRegionSequence=[knee]))
    brain = item(CodeValue="12738006", CodingSchemeDesignator="SCT", CodeMeaning="Brain")
    check_head_mr(facts_of(AnatomicRegionSequence=[brain], BodyPartExamined="NECK"))


@pytest.mark.parametrize("modality", ["OT", "SC", None, "MR"])
def test_a_capture_is_accepted_unless_it_names_another_modality(modality):
    data = dicoms.to_bytes(dicoms.secondary_capture_dataset(Modality=modality))
    facts = open_image(data).series
    check_head_mr(facts)
    assert any("saved from a screen" in notice for notice in facts.notices)
    assert any("modality" in notice for notice in facts.notices) == (modality != "MR")


def test_a_capture_of_another_modality_is_refused():
    data = dicoms.to_bytes(dicoms.secondary_capture_dataset(Modality="US"))
    with pytest.raises(InputError, match="modality is US"):
        check_head_mr(open_image(data).series)


@pytest.mark.parametrize(
    ("sop_class", "said"),
    [(SegmentationStorage, "Segmentation Storage"), (RTStructureSetStorage, "RT Structure Set")],
)
def test_results_and_plans_are_refused_by_their_kind(sop_class, said):
    dataset = dicoms.mr_dataset(SOPClassUID=sop_class)
    with pytest.raises(InputError, match=said):
        open_image(dicoms.to_bytes(dataset))


def test_mosaics_are_refused():
    dataset = dicoms.mr_dataset(ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"])
    with pytest.raises(InputError, match="mosaic"):
        open_image(dicoms.to_bytes(dataset))


def test_burnt_in_text_that_the_file_admits_is_noticed():
    assert any("burnt" in notice for notice in facts_of(BurnedInAnnotation="YES").notices)
    assert facts_of(BurnedInAnnotation="NO").notices == ()


def test_values_of_a_wrong_kind_are_absent_and_those_needed_are_refused():
    data = dicoms.to_bytes(dicoms.mr_dataset(EchoTime="12", SeriesNumber="1"))
    broken = data.replace(
        b"\x18\x00\x81\x00DS\x02\x00" + b"12", b"\x18\x00\x81\x00DS\x02\x00" + b"x!"
    )
    assert broken != data
    assert open_image(broken).series.sequence is None
    wrong_kind = data.replace(b"\x28\x00\x10\x00US", b"\x28\x00\x10\x00PN")
    with pytest.raises(InputError, match="Rows is absent or damaged"):
        open_image(wrong_kind)


def test_pydicom_says_nothing(caplog, capfd):
    """Its remarks would repeat what stands in the file."""
    data = dicoms.to_bytes(dicoms.mr_dataset(PatientName="Secret^Name"))
    dataset = dcmread(io.BytesIO(data))
    dataset.add_new(0x00100030, "DA", "19700101")
    broken = [
        data.replace(b"19700101", b"SecretXX"),
        data.replace(b"DS", b"ZZ"),
        data[: len(data) // 2],
        data + b"Secret trailing",
    ]
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        for version in broken:
            try:
                image = open_image(version)
                image.facts(0), image.scan(0)
            except InputError as error:
                assert "Secret" not in str(error)
    assert [str(warning.message) for warning in caught] == []
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
