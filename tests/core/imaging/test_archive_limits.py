"""ZIP archives: how much of a large or hostile one is taken."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from typing import Any

import pytest

from core.config import UploadLimits
from core.errors import InputError
from core.imaging.archive import members
from tests.core.imaging.archives import LIMITS, found, packed, problem, raw


def test_more_members_than_allowed_are_said_once() -> None:
    data = packed(*[(f"{n}.png", b"x") for n in range(9)])
    result = found(data, archive_members=4)
    assert [member.data for member in result] == [b"x"] * 4 + [None]
    assert result[-1].name == "4.png"
    assert "more than 4 files" in problem(result[-1])


def test_members_of_archives_within_count_too() -> None:
    inner = packed(*[(f"{n}.png", b"x") for n in range(4)])
    result = found(packed(("a.zip", inner), ("b.png", b"x")), archive_members=3)
    assert [member.name for member in result] == ["a.zip/0.png", "a.zip/1.png", "a.zip/2.png"]
    assert "more than 3 files" in problem(result[-1])


def test_a_member_that_is_too_large_is_refused_and_the_rest_goes_on() -> None:
    data = packed(("large.png", bytes(3_000_000)), ("2.png", b"two"))
    large, second = found(data, member_bytes=2_000_000)
    assert "more than 2 MB" in problem(large)
    assert second.data == b"two"


def test_the_unpacked_size_of_the_whole_is_limited() -> None:
    data = packed(*[(f"{n}.png", bytes(1_000_000)) for n in range(9)])
    result = found(data, archive_bytes=3_500_000)
    assert [member.data is None for member in result] == [False, False, False, True]
    assert "unpacks to more than 4 MB" in problem(result[-1])


def test_archives_within_archives_share_the_limits() -> None:
    inner = packed(*[(f"{n}.png", bytes(1_000_000)) for n in range(3)])
    result = found(packed(("a.zip", inner), ("b.zip", inner)), archive_bytes=4_500_000)
    assert [member.data is None for member in result] == [False] * 4 + [True]
    assert result[-1].name == "b.zip/1.png"


def test_a_member_that_claims_to_be_small_is_cut_off() -> None:
    """The headers of a bomb lie about what it unpacks to."""
    data = raw(b"bomb.png", bytes(300_000_000), claimed=1000)
    assert len(data) < 1_000_000
    tracemalloc.start()
    (member,) = found(data, member_bytes=2_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "damaged" in problem(member)
    assert peak < 20_000_000


def test_a_bomb_takes_no_more_memory_than_a_member_may() -> None:
    data = packed(("bomb.png", bytes(300_000_000)))
    tracemalloc.start()
    (member,) = found(data, member_bytes=2_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "more than 2 MB" in problem(member)
    assert peak < 20_000_000


def test_a_bomb_of_a_denser_method_is_not_unpacked() -> None:
    data = packed(("bomb.png", bytes(1_000_000)), method=zipfile.ZIP_BZIP2)
    assert "ordinary ZIP" in problem(found(data)[0])


def test_one_member_is_in_memory_at_a_time() -> None:
    data = packed(*[(f"{n}.png", bytes(4_000_000)) for n in range(12)])
    tracemalloc.start()
    for member in members(data, LIMITS):
        assert len(member.data) == 4_000_000
        del member
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16_000_000


def test_a_list_of_millions_of_files_is_not_read() -> None:
    entry = b"PK\1\2" + bytes(42)
    entries = entry * 100_000
    end = struct.pack("<HHHHIIH", 0, 0, 65535, 65535, len(entries), 0, 0)
    with pytest.raises(InputError, match="more than 5 files"):
        found(entries + b"PK\5\6" + end, archive_members=5)


ENTRY = struct.pack(
    "<4s4B4HL2L5H2L", b"PK\1\2", 20, 0, 20, 0, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0
)  # fmt: skip


def end_record(count: int, size: int, offset: int, disks: bytes = bytes(4)) -> bytes:
    fields = struct.pack("<HHIIH", count & 0xFFFF, count & 0xFFFF, size, offset, 0)
    return b"PK\5\6" + disks + fields


def long_end_record(count: int, size: int, at: int) -> bytes:
    """The records in 64 bits, for a list that begins the file, and where to find them."""
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, 0)
    return record + struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)


def long_lists() -> dict[str, bytes]:
    """Archives with lists of 4.7 MB, told in ways that readers take differently."""
    count = 100_000
    files = (ENTRY + b"a") * count
    size = len(files)
    in_64_bits = long_end_record(count, size, size)
    return {
        "plainly": files + end_record(count, size, 0),
        "behind a comment": files + end_record(count, size, 0)[:-2] + b"\4\0abcd",
        "in 64 bits": files + in_64_bits + end_record(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        # zipfile takes the record in 64 bits wherever it stands.
        "small in 32 bits": files + in_64_bits + end_record(1, 47, 0),
        "small in 32 bits, comment": files + in_64_bits + end_record(1, 47, 0)[:-2] + b"\1\0x",
        # The record's own fields spell the signature of one.
        "signature within": files + end_record(count, size, 0, disks=b"PK\5\6"),
        # A second record in 64 bits, that nobody reads, stands behind the first.
        "decoy in 64 bits": files
        + in_64_bits
        + end_record(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)[:-2]
        + struct.pack("<H", 56)
        + long_end_record(1, 47, 0)[:56],
    }


@pytest.mark.parametrize("told", list(long_lists()))
def test_a_long_list_is_not_parsed_however_it_is_told(told: str, monkeypatch: Any) -> None:
    data = long_lists()[told]
    assert len(zipfile.ZipFile(io.BytesIO(data)).infolist()) == 100_000
    parsed = []
    monkeypatch.setattr(zipfile, "ZipInfo", parsed.append)
    tracemalloc.start()
    for stream in (data, io.BytesIO(data)):
        with pytest.raises(InputError, match="more than 5 files"):
            list(members(stream, UploadLimits(archive_members=5)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert parsed == []
    assert peak < 4_000_000


def test_a_list_within_the_limit_is_read_from_a_long_file() -> None:
    body = bytes(3_000_000)
    files = [(f"{number}.png", body) for number in range(3)]
    data = packed(*files, method=zipfile.ZIP_STORED)
    assert [member.data for member in found(data, archive_members=5)] == [body] * 3
