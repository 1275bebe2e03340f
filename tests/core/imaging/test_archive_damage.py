"""ZIP archives that are locked, damaged or cut off."""

from __future__ import annotations

import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from tests.core.imaging.archives import found, packed, problem


def test_a_member_under_a_password_is_said_and_the_rest_goes_on() -> None:
    data = packed(("secret.png", b"one"), ("2.png", b"two"))
    at = data.index(b"PK\1\2") + 8
    for place in (6, at):
        data = data[:place] + b"\1" + data[place + 1 :]
    secret, second = found(data)
    assert "password" in problem(secret)
    assert second.data == b"two"


def test_a_damaged_member_is_said_and_the_rest_goes_on() -> None:
    data = bytearray(packed(("1.png", b"one" * 50), ("2.png", b"two"), method=zipfile.ZIP_STORED))
    data[data.index(b"oneone")] ^= 0xFF
    first, second = found(bytes(data))
    assert "damaged in the archive" in problem(first)
    assert second.data == b"two"


def test_a_member_whose_two_headers_differ_is_said() -> None:
    data = packed(("1.png", b"one"), ("2.png", b"two")).replace(b"1.png", b"7.png", 1)
    first, second = found(data)
    assert "damaged" in problem(first)
    assert second.data == b"two"


@pytest.mark.parametrize("cut", [4, 30, 60, -1, -10])
def test_an_archive_that_is_cut_off_is_refused(cut: int) -> None:
    data = packed(("1.png", b"one" * 100))
    with pytest.raises(InputError, match="damaged or incomplete"):
        found(data[:cut])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    edits=st.lists(st.tuples(st.integers(0, 900), st.binary(min_size=1, max_size=6)), max_size=5),
    insert=st.booleans(),
)
def test_a_damaged_archive_gives_members_or_a_reason(
    edits: list[tuple[int, bytes]], insert: bool
) -> None:
    inner = packed(("2.png", b"two" * 30), ("ü.png", b"three"))
    data = bytearray(packed(("1.png", b"one" * 30), ("in.zip", inner), ("f/4.png", bytes(300))))
    for at, put in edits:
        at = at % len(data)
        data[at : at if insert else at + len(put)] = put
    try:
        result = found(bytes(data))
    except InputError:
        return
    for member in result:
        assert (member.data is None) == (member.problem is not None)
        assert 0 < len(member.name) <= 200
