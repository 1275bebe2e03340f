"""What is stored of a picture: the same pixels, turned as before, and no identity."""

from __future__ import annotations

import struct
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import InputError
from core.imaging import decode, without_identity
from tests.core.imaging.named_pictures import (
    COLOUR,
    NAME,
    PLAIN,
    XMP,
    assert_same_picture,
    every_picture,
    exif,
    reduced,
)
from tests.pictures import save


@every_picture
def test_the_pixels_stay_and_a_second_time_changes_nothing(name: str) -> None:
    data = PLAIN[name]
    assert len(reduced(data)) <= len(data) * 1.5 + 200


@every_picture
def test_trailing_bytes_go(name: str) -> None:
    assert reduced(PLAIN[name] + NAME * 50) == reduced(PLAIN[name])


# -- orientation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_turned_picture_stays_turned(form: str, orientation: int) -> None:
    full = save(COLOUR, form, exif=exif(orientation))
    bare = Image.Exif()
    bare[0x0112] = orientation
    result = reduced(full)
    # Two cameras that turn the picture alike give the same bytes.
    assert result == reduced(save(COLOUR, form, exif=bare))
    assert (result == reduced(save(COLOUR, form))) == (orientation == 1)


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_picture_turned_by_its_xmp_stays_turned(form: str) -> None:
    result = reduced(save(COLOUR, form, xmp=XMP % 6))
    assert decode(result).size == COLOUR.shape[1::-1]


# -- what cannot be read ---------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff", PLAIN["png"][:200]])
def test_what_cannot_be_decoded_is_refused_with_the_reason_of_decoding(data: bytes) -> None:
    with pytest.raises(InputError) as decoding:
        decode(data)
    with pytest.raises(InputError, match=str(decoding.value).split("(")[0]):
        without_identity(data)


def test_pixels_that_can_neither_be_copied_nor_packed_anew_are_refused() -> None:
    data = bytearray(PLAIN["float tiff"])
    entry = data.index(struct.pack("<HH", 339, 3))
    # Pillow takes the number of a type unknown to the copy as it takes the usual one.
    struct.pack_into("<H", data, entry + 2, 8)
    decode(bytes(data))
    with pytest.raises(InputError, match="PNG of 8 or 16 bits"):
        without_identity(bytes(data))


def assert_reduced_or_refused(data: bytes) -> None:
    try:
        result = without_identity(data)
    except InputError:
        return
    assert_same_picture(result, data)
    assert without_identity(result) == result


@every_picture
def test_a_truncated_file_is_reduced_or_refused(name: str) -> None:
    data = PLAIN[name]
    for length in sorted({*range(1, len(data), max(1, len(data) // 25)), len(data) - 1}):
        assert_reduced_or_refused(data[:length])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(sorted(PLAIN)),
    edits=st.lists(
        st.tuples(st.integers(0, 400), st.booleans(), st.integers(0, 8), st.binary(max_size=8)),
        min_size=1,
        max_size=4,
    ),
)
def test_a_damaged_file_is_reduced_or_refused(
    name: str, edits: list[tuple[int, bool, int, bytes]]
) -> None:
    data = bytearray(PLAIN[name])
    for at, from_end, cut, put in edits:
        start = max(0, len(data) - at) if from_end else min(at, len(data))
        data[start : start + cut] = put
    assert_reduced_or_refused(bytes(data))


def test_it_costs_little_more_than_to_decode_twice() -> None:
    y, x = np.mgrid[0:256, 0:256]
    data = save((np.hypot(y - 128, x - 128) % 251).astype(np.uint8), "PNG")

    def fastest(function: Any) -> float:
        times = []
        for _ in range(20):
            started = time.perf_counter()
            function(data)
            times.append(time.perf_counter() - started)
        return min(times)

    assert fastest(without_identity) < 4 * fastest(decode)
