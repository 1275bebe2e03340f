"""DICOM files without identity, after the checks that hold for every file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from core.imaging import Privacy, Pseudonyms, open_image, without_identity

PRIVACY = Privacy(Pseudonyms(b"a key of the tests alone"))
KEEPING = Privacy(PRIVACY.pseudonyms, keep_uids=True)
SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLSLossless,
    JPEG2000Lossless,
]
# What the facts of a series may differ in: UIDs and what follows from them.
RENAMED = (
    "study_uid", "series_uid", "instance_uid", "frame_of_reference_uid", "stack",
    "patient_reference", "notices",
)  # fmt: skip


def parsed(data: bytes) -> Any:
    return dcmread(io.BytesIO(data))


def reduced(data: bytes, privacy: Privacy = PRIVACY) -> Any:
    """The result as a dataset, after the checks that hold for every file."""
    result = without_identity(data, privacy)
    assert without_identity(data, privacy) == result
    assert without_identity(result, privacy) == result
    assert_same_pictures(data, result)
    return parsed(result)


def assert_same_pictures(data: bytes, result: bytes) -> None:
    before, after = open_image(data), open_image(result)
    assert after.frame_count == before.frame_count
    for frame in range(before.frame_count):
        one, other = before.scan(frame), after.scan(frame)
        assert np.array_equal(one.pixels, other.pixels)
        assert (one.spacing_mm, one.window, one.bits) == (
            other.spacing_mm,
            other.window,
            other.bits,
        )
        assert before.place(frame) == after.place(frame)
