"""What is logged of a file that is refused as damaged: the kind of error, nothing of the file."""

from __future__ import annotations

import gzip
import logging

import pytest

from core.errors import InputError
from core.imaging import Privacy, Pseudonyms, open_image, without_identity
from tests import dicoms
from tests.fakes import scan_png

SECRET = "Secret^Name"
DICOM = dicoms.to_bytes(dicoms.mr_dataset(PatientName=SECRET))
PICTURE = scan_png(24, 24)
NIFTI = dicoms.nifti(packed=False, descrip=SECRET.encode())


def without_names(data: bytes) -> bytes:
    return without_identity(data, Privacy(Pseudonyms(b"a key of the tests alone")))


@pytest.mark.parametrize("take", [open_image, without_names])
@pytest.mark.parametrize(
    ("data", "place", "said"),
    [
        (DICOM, "core.imaging.dicom.read.read_dataset", "A DICOM file"),
        (NIFTI, "core.imaging.nifti_read._value_type", "A NIfTI file"),
    ],
    ids=["DICOM", "NIfTI"],
)
def test_an_error_of_the_program_is_found_by_its_kind(take, data, place, said, caplog, monkeypatch):
    def stumble(*_, **__):
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr(place, stumble)
    with caplog.at_level(logging.DEBUG), pytest.raises(InputError, match="damaged"):
        take(data)
    (record,) = caplog.records
    assert record.getMessage() == f"{said} was refused as damaged: ZeroDivisionError"
    assert (record.levelname, record.exc_info, record.stack_info) == ("WARNING", None, None)
    assert SECRET not in caplog.text


def test_an_error_in_a_picture_is_found_by_its_kind(caplog, monkeypatch):
    def stumble(*_):
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr("core.imaging.raster._read_pixels", stumble)
    with pytest.raises(InputError, match="damaged"):
        open_image(PICTURE).scan(0)
    assert "A picture was refused as damaged: ZeroDivisionError" in caplog.messages
    assert SECRET not in caplog.text


def test_what_is_refused_for_a_reason_is_not_logged(caplog):
    capture = dicoms.to_bytes(dicoms.mr_dataset(ImageType=["ORIGINAL", "PRIMARY", "MOSAIC"]))
    with caplog.at_level(logging.DEBUG):
        for data in (capture, NIFTI[:-1], gzip.compress(NIFTI[:-1])):
            with pytest.raises(InputError):
                open_image(data)
    assert caplog.records == []
