"""Opening any file: recognised by content, the same contract for all formats."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from core.errors import InputError
from core.imaging import (
    SUPPORTED_SUFFIXES,
    DirectoryFileError,
    check_head_mr,
    decode,
    open_image,
    without_identity,
)
from tests import dicoms
from tests.fakes import scan_png

HEAD = dicoms.head_slice()
HEADS = dicoms.head_volume()

FILES = {
    "DICOM": dicoms.to_bytes(dicoms.mr_dataset()),
    "DICOM without preamble": dicoms.to_bytes(dicoms.mr_dataset(), preamble=False),
    "DICOM, implicit": dicoms.to_bytes(dicoms.mr_dataset(), ImplicitVRLittleEndian),
    "DICOM, implicit without preamble": dicoms.to_bytes(
        dicoms.mr_dataset(), ImplicitVRLittleEndian, preamble=False
    ),
    "DICOM, big endian": dicoms.to_bytes(dicoms.mr_dataset(), ExplicitVRBigEndian),
    "DICOM, big endian without preamble": dicoms.to_bytes(
        dicoms.mr_dataset(), ExplicitVRBigEndian, preamble=False
    ),
    "DICOM, deflated": dicoms.to_bytes(dicoms.mr_dataset(), DeflatedExplicitVRLittleEndian),
}


@pytest.mark.parametrize("name", FILES)
def test_dicom_is_recognised_however_it_is_encoded(name):
    image = open_image(FILES[name])
    assert (image.source_format, image.frame_count) == ("DICOM", 1)
    assert np.array_equal(image.scan(0).pixels[..., 0], HEAD)
    assert image.series == open_image(FILES["DICOM"]).series


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("version", [1, 2])
def test_nifti_is_recognised_however_it_is_packed(packed, version):
    image = open_image(dicoms.nifti(packed=packed, version=version))
    assert (image.source_format, image.frame_count) == ("NIfTI", len(HEADS))
    assert np.array_equal(image.scan(4).pixels[..., 0], HEADS[4])


def test_a_picture_has_one_frame_and_no_series():
    image = open_image(scan_png())
    assert (image.source_format, image.frame_count, image.series) == ("PNG", 1, None)
    assert image.place(0) is None
    assert np.array_equal(image.scan(0).pixels, decode(scan_png()).pixels)


@pytest.mark.parametrize(
    "data", [FILES["DICOM"], dicoms.nifti(), scan_png()], ids=["DICOM", "NIfTI", "PNG"]
)
@pytest.mark.parametrize("method", ["facts", "place", "scan"])
def test_there_is_no_frame_beyond_the_last(data, method):
    image = open_image(data)
    for frame in (-1, image.frame_count):
        with pytest.raises(IndexError):
            getattr(image, method)(frame)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"Patient,Age\nA,61\n" * 20, "DICOM or NIfTI"),
        (gzip.compress(b"Patient,Age\nA,61\n" * 20), "DICOM or NIfTI"),
        (b"\x1f\x8b" + bytes(100), "DICOM or NIfTI"),
        (bytes(400), "DICOM or NIfTI"),
        (b"\x08\x00", "DICOM or NIfTI"),
    ],
    ids=["empty", "text", "packed text", "broken gzip", "zeros", "two bytes"],
)
def test_what_is_none_of_them_is_refused_with_what_is_read(data, said):
    with pytest.raises(InputError, match=said):
        open_image(data)


def test_a_dicomdir_is_recognised_as_a_list_of_files():
    with pytest.raises(DirectoryFileError, match="lists other files"):
        open_image(dicoms.dicomdir(dicoms.mr_series()[:2]))


def test_decode_takes_the_first_frame_and_refuses_what_is_no_head_mr():
    assert np.array_equal(
        decode(dicoms.to_bytes(dicoms.multi_frame_dataset())).pixels[..., 0], HEADS[0]
    )
    assert np.array_equal(decode(dicoms.nifti()).pixels[..., 0], HEADS[0])
    with pytest.raises(InputError, match="modality is CT"):
        decode(dicoms.to_bytes(dicoms.ct_dataset()))


def test_what_is_refused_for_its_modality_can_still_be_opened():
    facts = open_image(dicoms.to_bytes(dicoms.ct_dataset())).series
    assert facts is not None and facts.modality == "CT"
    with pytest.raises(InputError):
        check_head_mr(facts)


def test_suffixes_cover_both_formats_and_pictures():
    assert {".png", ".jpg", ".dcm", ".nii", ".gz"} <= set(SUPPORTED_SUFFIXES)


def test_pictures_lose_their_identity_as_before():
    data = scan_png()
    assert np.array_equal(decode(without_identity(data)).pixels, decode(data).pixels)
