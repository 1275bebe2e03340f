"""What a file says of the body part: heads are read, others refused, words of one's own noticed."""

import io

import pydicom
import pytest

from core.errors import InputError
from core.imaging import check_head_mr, open_image
from core.imaging.deidentify.pseudonyms import Pseudonyms
from core.imaging.dicom.body_parts import ELSEWHERE, HEAD, body_part_words
from core.imaging.identity import Privacy, without_identity
from tests import dicoms

PRIVACY = Privacy(Pseudonyms(b"k" * 32))

HEADS = [
    "HEAD", "BRAIN", "brain", "SKULL", "HEADNECK", "HEAD NECK", "HEAD AND NECK", "HEAD/NECK",
    "NECK HEAD", "HEAD^BRAIN", "HEAD_ROUTINE", "BRAIN STEM", "BRAIN W/WO", "BRAIN+CSPINE",
    "CSPINE BRAIN", "HEAD C-SPINE", "HEAD SPINE", "WHOLE BRAIN", "LEFT ORBIT", "ORBITS", "R ORBIT",
    "INNER EAR", "IAC", "IACS", "INT AUDITORY", "PITUITARY", "SELLA TURCICA", "POSTERIOR FOSSA",
    "TEMPORAL BONE", "BASE OF SKULL", "SKULL BASE", "CIRCLE OF WILLIS", "TMJ", "TM JOINT",
    "L TMJ", "FACE", "FACIAL BONES", "SINUSES", "NASOPHARYNX", "MANDIBLE", "SCALP", "BACK OF HEAD",
    "CRANIO-CERVICAL", "THORAX HEAD", "HEADTHORAX", "MCA", "BRAIN1", "TONGUE", "EYES",
    "THORACICSPINE HEAD",
]  # fmt: skip
OTHERS = {
    "LEFT KNEE": "KNEE", "KNEE LEFT": "KNEE", "LEFTKNEE": "KNEE", "L KNEE": "KNEE",
    "RKNEE": "KNEE", "RT_KNEE": "KNEE", "KNEE_R": "KNEE", "BOTH KNEES": "KNEE", "KNEES": "KNEE",
    "KNEE JOINT": "KNEE", "KNEE 2": "KNEE", "RIGHT SHOULDER": "SHOULDER",
    "SHOULDER_R": "SHOULDER", "WHOLE SPINE": "SPINE", "WHOLESPINE": "SPINE", "HIP JOINT": "HIP",
    "HIPS": "HIP", "UPPER LEG": "LEG", "LOWER LEG": "LOWERLEG", "UPPER ARM": "UPPERARM",
    "LOWER EXTREMITY": "EXTREMITY", "EXTREMITIES": "EXTREMITIES", "UP_EXM": "EXM",
    "CSPINE TSPINE": "CSPINE", "C-SPINE": "CSPINE", "l spine": "LSPINE", "L-S SPINE": "LSSPINE",
    "LUMBAR SPINE": "LUMBARSPINE", "CERVICAL SPINE": "CERVICAL", "CERVICAL": "CERVICAL",
    "SPINE, THORACIC": "SPINE", "THORAX_ABDOMEN": "THORAX", "THORAXABDOMEN": "THORAX",
    "ABDOMEN/PELVIS": "ABDOMENPELVIS", "CHEST^ABDOMEN": "CHESTABDOMEN", "WHOLE BODY": "WHOLEBODY",
    "SI JOINT": "SIJOINT", "SI-JOINTS": "SIJOINT", "LIVER/KIDNEY": "LIVER", "WRIST HAND": "WRIST",
    "NECK": "NECK", "SOFT TISSUE NECK": "NECK", "FOOT": "FOOT", "BOTH FEET": "FEET",
    "PROSTATE": "PROSTATE", "LEFT BREAST": "BREAST", "SPINAL CORD": "SPINALCORD",
    "MUELLER KNEE": "KNEE", "FINGERS": "FINGER", "ANKLE LT": "ANKLE", "LARYNX": "LARYNX",
}  # fmt: skip
OWN_WORDS = [
    "KNIE", "KOPF", "TETE", "TÊTE", "CABEZA", "TESTA", "SCHAEDEL", "MUELLER KOPF", "KNIE LEFT",
    "HOOFD", "GENOU", "OTHER", "BODY",
]  # fmt: skip


def reduced(part: str | None) -> bytes:
    """A file with a body part, as it is stored."""
    with pydicom.config.disable_value_validation():
        dataset = dicoms.mr_dataset(BodyPartExamined=part, SpecificCharacterSet="ISO_IR 100")
        return without_identity(dicoms.to_bytes(dataset), PRIVACY)


def has_notice(data: bytes) -> bool:
    return any("own words" in notice for notice in open_image(data).series.notices)


@pytest.mark.parametrize("part", HEADS)
def test_heads_are_read(part: str) -> None:
    data = reduced(part)
    check_head_mr(open_image(data).series)
    assert open_image(data).series.body_part in HEAD
    assert not has_notice(data)


@pytest.mark.parametrize(("part", "named"), OTHERS.items())
def test_other_parts_are_refused_by_their_name(part: str, named: str) -> None:
    with pytest.raises(InputError, match=f"body part is {named}\\."):
        check_head_mr(open_image(reduced(part)).series)


@pytest.mark.parametrize("part", OWN_WORDS)
def test_words_of_ones_own_are_noticed_and_not_kept(part: str) -> None:
    data = reduced(part)
    facts = open_image(data).series
    check_head_mr(facts)
    assert facts.body_part is None
    assert has_notice(data)
    for word in {*part.split()} - {"LEFT", "BODY", "OTHER"}:
        assert word.encode("latin-1") not in data
    assert without_identity(data, PRIVACY) == data


@pytest.mark.parametrize("part", [None, "", " "])
def test_a_file_that_says_nothing_is_read_without_a_notice(part: str | None) -> None:
    data = reduced(part)
    check_head_mr(open_image(data).series)
    assert not has_notice(data)


@pytest.mark.parametrize("part", [*HEADS, *OTHERS])
def test_what_is_kept_means_the_same_and_fits(part: str) -> None:
    data = reduced(part)
    kept = pydicom.dcmread(io.BytesIO(data)).BodyPartExamined
    assert len(kept) <= 16
    assert (body_part_words(kept)[0] in HEAD) == (part in HEADS)
    assert without_identity(data, PRIVACY) == data


def test_every_term_is_recognised_and_on_one_side() -> None:
    assert not HEAD & ELSEWHERE
    for term in HEAD | ELSEWHERE:
        assert body_part_words(term) == [term]
        assert len(term) <= 16
