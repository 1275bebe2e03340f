"""The size that a file claims, looked at before memory is spent on it."""

import gzip
import zlib

import pytest

from core.errors import InputError
from core.imaging.extent import check_extent
from tests import dicoms
from tests.fakes import scan_png


def test_a_picture_is_measured_by_its_header():
    check_extent(scan_png(1000, 1000), 1, 1000)
    with pytest.raises(InputError, match="picture has more than 1 megapixels"):
        check_extent(scan_png(1000, 2000), 1, 1000)


def test_a_claim_is_enough():
    header = bytearray(scan_png(100, 100))
    header[16:24] = (40_000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4, "big")
    with pytest.raises(InputError, match="more than 100 megapixels"):
        check_extent(bytes(header), 100, 1000)


@pytest.mark.parametrize("packed", [False, True])
def test_a_volume_is_measured_by_all_its_slices(packed):
    data = dicoms.nifti()
    plain = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    data = gzip.compress(plain) if packed else plain
    check_extent(data, 1, 0.1)
    with pytest.raises(InputError, match="volume has"):
        check_extent(data, 100, 0.05)


@pytest.mark.parametrize("data", [b"", b"a text", b"\x1f\x8b no gzip", b"\x89PNG\r\n\x1a\n"])
def test_what_cannot_be_read_is_left_to_its_reader(data):
    check_extent(data, 0.001, 0.001)


def test_a_dicom_frame_is_measured_as_pictures_are():
    data = dicoms.to_bytes(dicoms.mr_dataset(dicoms.head_slice(100, 80)))
    check_extent(data, 0.008, 1e-6)
    with pytest.raises(InputError, match=r"picture has more than 0\.007 megapixels"):
        check_extent(data, 0.007, 1000)


def test_a_slice_of_a_volume_is_measured_as_pictures_are():
    data = dicoms.nifti(dicoms.head_volume(4, 50, 40).transpose(2, 1, 0))
    check_extent(data, 0.002, 1)
    with pytest.raises(InputError, match=r"picture has more than 0\.001 megapixels"):
        check_extent(data, 0.001, 1)


def test_a_damaged_dicom_file_is_left_to_its_reader():
    check_extent(bytes(128) + b"DICM" + b"\x08\0" * 9, 1e-6, 1e-6)
