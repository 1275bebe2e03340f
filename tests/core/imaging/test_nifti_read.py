"""One reader of NIfTI files for what is opened and for what is stored."""

from __future__ import annotations

import gzip
import struct
import time

import numpy as np
import pytest

from core.errors import InputError
from core.imaging import Privacy, Pseudonyms, nifti, open_image, without_identity
from tests import dicoms

PLAIN = dicoms.nifti(packed=False)
SECOND = dicoms.nifti(version=2, packed=False)


def without_names(data: bytes) -> bytes:
    return without_identity(data, Privacy(Pseudonyms(b"a key of the tests alone")))


def with_offset(offset: float) -> bytes:
    return PLAIN[:108] + struct.pack("<f", offset) + PLAIN[112:]


def with_wrong_checksum() -> bytes:
    packed = gzip.compress(PLAIN)
    return packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]


@pytest.mark.parametrize("take", [open_image, without_names])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (with_offset(347), "damaged"),
        (with_offset(float(17 << 20)), "damaged"),
        (SECOND[:8] + b"\n\x1a\n\0" + SECOND[12:], "damaged"),
        (with_wrong_checksum(), "damaged"),
        (PLAIN[:344] + b"ni1\0" + PLAIN[348:], "one of a pair"),
        (dicoms.nifti(intent_code=1002), "labels"),
        (dicoms.nifti(np.zeros((4, 4, 4), np.complex64)), "colours, complex"),
        (PLAIN[:40] + struct.pack("<4h", 3, 4096, 4096, 4096) + PLAIN[48:], "more than 512 MB"),
        (PLAIN[:-1], "breaks off"),
    ],
    ids=["values in the header", "values far away", "sent as a text", "checksum", "pair", "labels",
         "complex", "too much", "broken off"],
)  # fmt: skip
def test_what_cannot_be_opened_is_refused_on_its_way_in_for_the_same_reason(take, data, said):
    with pytest.raises(InputError, match=said):
        take(data)


@pytest.mark.parametrize("offset", [0, 352])
def test_values_follow_the_header_where_it_does_not_say_where_they_are(offset):
    data = with_offset(offset)
    assert without_names(data) == without_names(PLAIN)
    assert open_image(data).facts(0) == open_image(PLAIN).facts(0)


@pytest.mark.parametrize("take", [open_image, without_names])
def test_a_file_packed_in_endless_parts_takes_bounded_time(take):
    parts = gzip.compress(PLAIN[:600]) + gzip.compress(b"") * 300_000
    started = time.process_time()
    take(parts + gzip.compress(PLAIN[600:]))
    assert time.process_time() - started < 5


def test_the_pictures_alone_are_had_without_a_look_at_all_values(monkeypatch):
    monkeypatch.setattr(nifti, "sha256", None)
    image = open_image(PLAIN)
    assert image.scan(3).pixels.any()
    with pytest.raises(TypeError):
        image.facts(3)
