"""ZIP archives: ordinary and odd ones, names, and archives within archives."""

from __future__ import annotations

import io
import zipfile

import pytest

from core.imaging.archive import is_archive, members
from tests.core.imaging.archives import LIMITS, found, names, packed, problem, raw


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
