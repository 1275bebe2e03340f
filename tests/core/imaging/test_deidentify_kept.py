"""What stays of a DICOM file: pixels, geometry, physics, and facts without their words."""

from __future__ import annotations

from dataclasses import fields

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from core.errors import InputError
from core.imaging import open_image, without_identity
from tests import dicoms, identities
from tests.core.imaging.deidentified import (
    PRIVACY,
    RENAMED,
    SYNTAXES,
    assert_same_pictures,
    parsed,
    reduced,
)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_pixels_geometry_and_facts_stay(syntax: str) -> None:
    dataset = dicoms.mr_dataset(
        RescaleSlope=2, RescaleIntercept=-10, WindowCenter=100, WindowWidth=300, InversionTime=900,
        SequenceName="*ep_b1000t", Manufacturer="SIEMENS Healthineers", AcquisitionNumber=3,
    )  # fmt: skip
    data = dicoms.to_bytes(dataset, syntax)
    result = without_identity(data, PRIVACY)
    assert_same_pictures(data, result)
    before, after = open_image(data).facts(0), open_image(result).facts(0)
    for field in fields(before):
        if field.name not in RENAMED:
            assert getattr(before, field.name) == getattr(after, field.name), field.name
    kept = parsed(result)
    expected = UNPACKED if syntax == DeflatedExplicitVRLittleEndian else syntax
    assert kept.file_meta.TransferSyntaxUID == expected
    for name in ("RepetitionTime", "EchoTime", "InversionTime", "FlipAngle", "RescaleSlope"):
        assert kept[name].value == dataset[name].value
    assert kept.BodyPartExamined == "BRAIN"


UNPACKED = ExplicitVRLittleEndian


@pytest.mark.parametrize("given_, kept", [("Gadobutrol 7 ml", True), ("", False), ("NONE", False)])
def test_whether_contrast_was_given_stays_but_not_the_words(given_: str, kept: bool) -> None:
    out = reduced(dicoms.to_bytes(dicoms.mr_dataset(ContrastBolusAgent=given_)))
    assert bool(out.ContrastBolusAgent) is kept
    assert "Gado" not in str(out)


def test_a_coded_agent_of_no_dictionary_becomes_any_agent() -> None:
    dataset = dicoms.multi_frame_dataset()
    code = dataset.ContrastBolusAgentSequence[0]
    code.CodeValue, code.CodingSchemeDesignator = identities.NUMBER, "99HOSP"
    code.CodeMeaning = identities.NAME
    out = reduced(dicoms.to_bytes(dataset))
    assert out.ContrastBolusAgentSequence[0].CodeMeaning == "Contrast media"


def test_codes_of_a_dictionary_stay_with_its_own_words() -> None:
    dataset = dicoms.mr_dataset()
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = "12738006", "SCT"
    item.CodeMeaning = identities.NAME
    dataset.AnatomicRegionSequence = [item]
    out = reduced(dicoms.to_bytes(dataset))
    assert out.AnatomicRegionSequence[0].CodeMeaning == "Brain"


def test_image_types_stay_apart_without_their_words() -> None:
    types = []
    for word in ("ZQXDOE_A", "ZQXDOE_B"):
        dataset = dicoms.mr_dataset(ImageType=["ORIGINAL", "PRIMARY", "M", word])
        types.append(list(reduced(dicoms.to_bytes(dataset)).ImageType))
    assert [t[:3] for t in types] == [["ORIGINAL", "PRIMARY", "M"]] * 2
    assert types[0] != types[1]
    assert all(t[3].startswith("OTHER_") for t in types)


def test_a_mosaic_keeps_the_word_by_which_it_is_refused() -> None:
    dataset = dicoms.mr_dataset(ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"])
    with pytest.raises(InputError, match="mosaic"):
        open_image(without_identity(dicoms.to_bytes(dataset), PRIVACY))


@pytest.mark.parametrize(
    ("change", "word"), [({"Modality": "US"}, "US"), ({"BodyPartExamined": "KNEE"}, "KNEE")]
)
def test_what_will_be_refused_keeps_the_reason(change: dict[str, str], word: str) -> None:
    result = without_identity(dicoms.to_bytes(dicoms.mr_dataset(**change)), PRIVACY)
    facts = open_image(result).facts(0)
    assert word in (facts.modality, facts.body_part)
