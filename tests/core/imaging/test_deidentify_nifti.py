"""NIfTI files on their way in: numbers only, the same voxels."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from core.errors import InputError
from core.imaging import Privacy, Pseudonyms, open_image, without_identity
from tests import dicoms, identities

PRIVACY = Privacy(Pseudonyms(b"a key of the tests alone"))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("packed", [True, False])
def test_an_identity_everywhere_is_gone_and_the_voxels_stay(version: int, packed: bool) -> None:
    data = identities.identified_nifti(version, packed)
    plain = gzip.decompress(data) if packed else data
    assert identities.NAME in identities.traces_in(plain)
    assert not packed or identities.traces_in(data[:64])
    result = without_identity(data, PRIVACY)
    assert without_identity(result, PRIVACY) == result == without_identity(data, PRIVACY)
    opened = gzip.decompress(result) if packed else result
    assert identities.traces_in(opened) == identities.traces_in(result) == []
    before, after = open_image(data), open_image(result)
    assert after.frame_count == before.frame_count
    for frame in range(before.frame_count):
        assert np.array_equal(before.scan(frame).pixels, after.scan(frame).pixels)
        assert before.place(frame) == after.place(frame)


@pytest.mark.parametrize("packed", [True, False])
def test_gzip_says_neither_name_nor_time(packed: bool) -> None:
    data = identities.identified_nifti(packed=True)
    assert without_identity(data, PRIVACY)[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    assert without_identity(dicoms.nifti(packed=packed), PRIVACY)


def test_the_same_volume_under_other_texts_is_the_same_file() -> None:
    clean = dicoms.nifti(packed=False)
    named = identities.identified_nifti(packed=False)
    assert without_identity(clean, PRIVACY) == without_identity(named, PRIVACY)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d[:-1],
        lambda d: d[:200],
        lambda d: d[:40] + struct.pack("<8h", 3, -1, 9, 9, 1, 1, 1, 1) + d[56:],
        lambda d: d[:108] + struct.pack("<f", float("nan")) + d[112:],
        lambda d: d[:108] + struct.pack("<f", float("inf")) + d[112:],
        lambda d: d[:40] + struct.pack("<8h", 4, *[32767] * 4, 1, 1, 1) + d[56:],
        lambda d: d[:344] + b"ni1\0" + d[348:],
    ],
)
def test_damaged_and_endless_files_are_refused(change) -> None:
    data = change(dicoms.nifti(packed=False))
    for form in (data, gzip.compress(data)):
        with pytest.raises(InputError):
            without_identity(form, PRIVACY)


def test_a_small_file_that_unpacks_to_much_is_read_no_further_than_its_header_says() -> None:
    bomb = gzip.compress(dicoms.nifti(packed=False) + bytes(300 << 20), 1)
    result = without_identity(bomb, PRIVACY)
    assert len(gzip.decompress(result)) == len(dicoms.nifti(packed=False))
