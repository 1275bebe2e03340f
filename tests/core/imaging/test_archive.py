"""ZIP archives: ordinary, odd, damaged and hostile ones."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.config import UploadLimits
from core.errors import InputError
from core.imaging.archive import Member, is_archive, members

LIMITS = UploadLimits()


def packed(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return stream.getvalue()


def raw(name: bytes, data: bytes, flags: int = 0, claimed: int | None = None) -> bytes:
    """An archive of one deflated member whose headers claim what they like."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(data) + packer.flush()
    size = len(data) if claimed is None else claimed
    common = struct.pack("<HHHHHIII", 20, flags, 8, 0, 33, zlib.crc32(data), len(body), size)
    local = b"PK\3\4" + common + struct.pack("<HH", len(name), 0) + name + body
    entry = b"PK\1\2" + struct.pack("<H", 20) + common
    entry += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    end = struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0)
    return local + entry + b"PK\5\6" + end


def found(data: bytes, **limits: int) -> list[Member]:
    return list(members(data, UploadLimits(**limits)))


def names(data: bytes, **limits: int) -> list[str]:
    return [member.name for member in found(data, **limits)]


def problem(member: Member) -> str:
    """The problem of a member that has no data: a sentence that says what to do."""
    assert member.data is None
    assert member.problem is not None and "lease " in member.problem
    return member.problem


# -- ordinary archives -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_come_in_order_with_their_folders(method: int) -> None:
    files = [("b/2.png", b"two" * 99), ("a/1.png", b"one"), ("3.png", b"")]
    data = packed(*files, method=method)
    assert is_archive(data[:512])
    assert [(m.name, m.data, m.problem) for m in found(data)] == [(*file, None) for file in files]


def test_an_open_file_is_read_wherever_it_stands_and_stays_open() -> None:
    stream = io.BytesIO(packed(("1.png", b"one")))
    stream.seek(5)
    assert [member.data for member in members(stream, LIMITS)] == [b"one"]
    assert not stream.closed


def test_an_empty_archive_has_no_members() -> None:
    data = packed()
    assert is_archive(data)
    assert found(data) == []


@pytest.mark.parametrize("head", [b"", b"PK", b"\x89PNG\r\n", b"Rar!\x1a\7", b"7z\xbc\xaf"])
def test_other_files_are_no_archives(head: bytes) -> None:
    assert not is_archive(head)


def test_folders_and_what_systems_add_are_left_out() -> None:
    data = packed(
        ("scans/", b""),
        ("scans/1.png", b"one"),
        ("scans/.DS_Store", b"x"),
        ("scans/Thumbs.db", b"x"),
        ("scans/desktop.ini", b"x"),
        ("scans/._1.png", b"x"),
        ("__MACOSX/scans/._1.png", b"x"),
        ("__MACOSX/scans/1.png", b"x"),
    )
    assert names(data) == ["scans/1.png"]


def test_members_of_the_same_name_all_come() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        data = packed(("1.png", b"one"), ("1.png", b"two"))
    assert [member.data for member in found(data)] == [b"one", b"two"]


def test_archives_written_as_a_stream_and_in_64_bits_are_read() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    pipe = Pipe()
    with (
        zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("1.png", "w", force_zip64=True) as member,
    ):
        member.write(b"one" * 500)
    assert [member.data for member in found(pipe.getvalue())] == [b"one" * 500]


def test_bytes_before_and_a_comment_behind_the_archive_do_no_harm() -> None:
    stream = io.BytesIO(b"#!/bin/sh\n" * 20)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("1.png", b"one")
        archive.comment = b"from the ward " * 900
    assert [member.data for member in found(stream.getvalue())] == [b"one"]


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/root/1.png", "root/1.png"),
        ("C:\\scans\\1.png", "C:/scans/1.png"),
        ("a//b/./1.png", "a/b/1.png"),
        ("a\nb\x1b[31m.png", "ab[31m.png"),
        ("gnp.\u202e1.png", "gnp.1.png"),
        ("..", "file without a name"),
        ("größe/Zürich.png", "größe/Zürich.png"),
        ("Zu\u0308rich.png", "Zürich.png"),
        ("脳.png", "脳.png"),
    ],
)
def test_names_are_labels_and_not_paths(name: str, label: str) -> None:
    assert names(packed((name, b"x"))) == [label]


def test_a_long_name_keeps_its_end() -> None:
    (name,) = names(packed(("folder/" * 100 + "1.png", b"x")))
    assert len(name) <= 200
    assert name.startswith("…")
    assert name.endswith("folder/1.png")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Zürich.png".encode(), "Zürich.png"),  # UTF-8 without saying so, as macOS writes it
        (b"Z\x81rich.png", "Zürich.png"),  # code page 437
    ],
)
def test_names_in_old_code_pages_are_read(name: bytes, label: str) -> None:
    (member,) = found(raw(name, b"one"))
    assert (member.name, member.data) == (label, b"one")


def test_a_name_that_is_no_text_at_all_is_shown_somehow() -> None:
    (member,) = found(raw(b"\xff\xfe\x93\xfa.png", b"one"))
    assert member.data == b"one"
    assert member.name.endswith(".png")


# -- limits ----------------------------------------------------------------------------------------


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


# -- archives within archives ----------------------------------------------------------------------


def test_archives_within_archives_are_unpacked_as_deep_as_allowed() -> None:
    innermost = packed(("3.png", b"three"))
    inner = packed(("2.png", b"two"), ("deep.zip", innermost))
    data = packed(("inner.zip", inner), ("1.png", b"one"))
    result = found(data)
    assert [member.name for member in result] == ["inner.zip/2.png", "inner.zip/deep.zip", "1.png"]
    assert [member.data for member in result] == [b"two", None, b"one"]
    assert "over more than 2 levels" in problem(result[1])
    assert names(data, archive_depth=3)[1] == "inner.zip/deep.zip/3.png"
    assert names(data, archive_depth=1) == ["inner.zip", "1.png"]


def test_a_damaged_archive_within_is_said_and_the_rest_goes_on() -> None:
    inner = packed(("2.png", b"two" * 1000))
    damaged, first = found(packed(("inner.zip", inner[: len(inner) // 2]), ("1.png", b"one")))
    assert damaged.name == "inner.zip"
    assert "damaged" in problem(damaged)
    assert first.data == b"one"


def test_an_archive_that_holds_itself_many_times_ends() -> None:
    data = packed(("1.png", bytes(1000)))
    for _ in range(6):
        data = packed(*[(f"{n}.zip", data) for n in range(10)])
    result = found(data, archive_depth=50, archive_members=300)
    assert len(result) < 400
    assert "more than 300 files" in problem(result[-1])


# -- damage ----------------------------------------------------------------------------------------


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
