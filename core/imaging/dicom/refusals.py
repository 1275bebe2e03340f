"""What is no MRI of a head, by what the file says of itself.

What says nothing of itself is accepted: whether it looks like a brain MRI is asked later.
"""

from __future__ import annotations

import re

from pydicom.uid import (
    UID,
    EnhancedMRColorImageStorage,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from core.errors import InputError
from core.imaging.dicom.body_parts import ELSEWHERE, HEAD, body_part_words
from core.imaging.dicom.values import Attributes
from core.types import SeriesFacts

MR_CLASSES = frozenset(
    {
        MRImageStorage,
        EnhancedMRImageStorage,
        EnhancedMRColorImageStorage,
        LegacyConvertedEnhancedMRImageStorage,
    }
)
# Secondary captures: pictures saved from a screen, of whatever the modality.
_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"
# A capture that does not name its modality is as good as a PNG, which cannot: both are read.
_UNTOLD = frozenset({"", "OT", "SC"})

# SNOMED CT and older SNOMED codes of the head and its parts in AnatomicRegionSequence.
_HEAD_CODES = {
    "69536005": "HEAD", "T-D1100": "HEAD", "12738006": "BRAIN", "T-A0100": "BRAIN",
    "774007": "HEADNECK", "T-D1000": "HEADNECK", "89546000": "SKULL", "T-11100": "SKULL",
    "56329008": "PITUITARY", "T-B1000": "PITUITARY",
}  # fmt: skip
_ELSEWHERE_CODES = {
    "818981001": "ABDOMEN", "818983003": "ABDOMEN", "113345001": "ABDOMEN", "T-D4000": "ABDOMEN",
    "816094009": "CHEST", "51185008": "CHEST", "T-D3000": "CHEST", "122494005": "CSPINE",
    "T-11501": "CSPINE", "122495006": "TSPINE", "T-11502": "TSPINE", "122496007": "LSPINE",
    "T-11503": "LSPINE", "421060004": "SPINE", "T-D0146": "SPINE", "72696002": "KNEE",
    "T-D9200": "KNEE", "45048000": "NECK", "T-D1600": "NECK", "816092008": "PELVIS",
    "12921003": "PELVIS", "T-D6000": "PELVIS", "76752008": "BREAST", "T-04000": "BREAST",
    "80891009": "HEART", "T-32000": "HEART", "41216001": "PROSTATE", "T-92000": "PROSTATE",
    "16982005": "SHOULDER", "T-D2220": "SHOULDER", "29836001": "HIP", "T-D2500": "HIP",
    "38266002": "WHOLEBODY", "T-D0010": "WHOLEBODY",
}  # fmt: skip


def check_object(attributes: Attributes) -> None:
    """Refuse an object that is no MR picture by its kind, before its pixels are looked for.

    Other kinds of picture (CT, ultrasound) pass: ``check_head_mr`` names their modality.

    Raises:
        InputError: it is a result, a report or the like, or packs many slices into one picture.
    """
    sop_class = attributes.text("SOPClassUID") or ""
    uid = UID(sop_class)
    kind = uid.name if uid.type == "SOP Class" else ""
    is_picture = kind.endswith("Image Storage") or is_capture(sop_class)
    if kind and not is_picture:
        raise InputError(
            f"The DICOM file holds no picture of a scanner but “{kind}”. "
            "Please send the files of an MRI series."
        )
    if "MOSAIC" in map(str.upper, attributes.texts("ImageType")):
        raise InputError(
            "The DICOM file packs many slices into one picture (a mosaic). "
            "Please export the series with one slice a picture."
        )


def is_capture(sop_class: str) -> bool:
    """Whether a class is one of the secondary captures."""
    return sop_class == _CAPTURES or sop_class.startswith(f"{_CAPTURES}.")


def modality_of(modality: str | None, sop_class: str) -> str:
    """DICOM's code of the modality; from the kind of object where the file does not name it."""
    code = (modality or "").upper()
    if re.fullmatch(r"[A-Z0-9]{1,16}", code):
        return code
    if sop_class in MR_CLASSES:
        return "MR"
    kind = UID(sop_class).name if not is_capture(sop_class) else ""
    return "CT" if kind.startswith(("CT ", "Enhanced CT")) else "OT"


def body_part_of(term: str | None, code: str | None) -> tuple[str | None, bool]:
    """DICOM's term for the body part, and whether the file names one that is none of them.

    Of several parts the head counts: whatever else is in the picture, the brain is too.
    """
    if code in _HEAD_CODES or code in _ELSEWHERE_CODES:
        return _HEAD_CODES.get(code) or _ELSEWHERE_CODES.get(code), False
    part = next((w for w in body_part_words(term or "") if w in HEAD or w in ELSEWHERE), None)
    return part, part is None and bool((term or "").strip())


def check_head_mr(facts: SeriesFacts) -> None:
    """Refuse what says of itself that it is no MRI, or none of a head.

    A body part that is absent or no term of DICOM (hospitals write their own) is accepted, and so
    is a secondary capture without a modality of its own.

    Raises:
        InputError: naming the modality or the body part.
    """
    if facts.modality != "MR" and facts.modality not in _UNTOLD:
        raise InputError(
            f"This is no MRI: the file's modality is {facts.modality}. "
            "Only MRI of the head is read."
        )
    if facts.body_part in ELSEWHERE:
        raise InputError(
            f"This is no MRI of the head: the file's body part is {facts.body_part}. "
            "Only MRI of the head is read."
        )
