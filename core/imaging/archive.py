"""ZIP archives of scans, read member by member.

Nothing an archive says of itself is believed: sizes are counted while unpacking, names are labels
and never paths. What is wrong with one member is said of that member, and the rest goes on; a
limit of the whole archive ends the reading at the member that exceeds it.
"""

from __future__ import annotations

import io
import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from core.config import UploadLimits
from core.errors import InputError

_SIGNATURES = (b"PK\3\4", b"PK\5\6", b"PK\7\x08")
_CHUNK = 1 << 20
# Other methods unpack without a bound on what comes out at once (bzip2, LZMA) or are not read.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED, _UTF8_NAME = 0x1, 0x800
# What operating systems add to folders.
_LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_LITTER_FOLDER = "__MACOSX"
_LONGEST_LABEL = 200
# The list of files at an archive's end is read at once: entries take 50 to 500 bytes in practice.
_ENTRY_BYTES, _LEAST_LIST_BYTES = 1000, 1_000_000
_END_BYTES = 1 << 17  # records and a comment of up to 64 KiB, read before the list
# What the standard library raises on damaged archives and members, and on what it does not read.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Member:
    """One file of an archive.

    Attributes:
        name: its name with its folders, cleaned and shortened for display.
        data: its bytes; None where there are none to be had.
        problem: why not, in words for the uploader; None where there is none.
    """

    name: str
    data: bytes | None
    problem: str | None = None


def is_archive(head: bytes) -> bool:
    """Whether a file that begins so is a ZIP archive."""
    return head.startswith(_SIGNATURES)


def members(data: BinaryIO | bytes, limits: UploadLimits) -> Iterator[Member]:
    """The files of a ZIP archive and of the archives in it, one in memory at a time.

    Folders and what operating systems add to them are left out. Whether a file is a scan is
    not looked at.

    Args:
        data: the archive, as bytes or as an open file that can be sought in.
        limits: what it may bring. Members and bytes are counted over the archives in it too.

    Raises:
        InputError: the archive itself cannot be read.
    """
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    yield from _Reader(limits).walk(stream, prefix="", level=1)


class _LimitReachedError(InputError):
    """Nothing more is read of the whole archive."""


class _ListTooLongError(Exception):
    """An archive's list of files is longer than what may be read of it."""


class _LimitedReads:
    """A file of which, up to ``end_limit``, no more is read than the list of files may take.

    So what counts is what zipfile reads, not which of an archive's statements of it (there are up
    to three) is taken for the true one: it reads the end and the whole list before it parses them.
    """

    def __init__(self, stream: BinaryIO, list_bytes: int) -> None:
        self._stream = stream
        self._left: int | None = list_bytes + _END_BYTES
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, size: int = -1) -> bytes:
        if self._left is None:
            return self._stream.read(size)
        found = self._stream.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(found)
        if self._left < 0:
            raise _ListTooLongError
        return found

    def end_limit(self) -> None:
        """Let members be read."""
        self._left = None


class _Reader:
    """Counts what was read of an archive and of those in it."""

    def __init__(self, limits: UploadLimits) -> None:
        self._limits = limits
        self._members = 0
        self._bytes = 0
        self._ended = False

    def walk(self, stream: BinaryIO, prefix: str, level: int) -> Iterator[Member]:
        with self._opened(stream) as archive:
            for info in archive.infolist():
                parts = _name_parts(info)
                if _is_litter(info, parts):
                    continue
                label = _label(prefix, parts)
                try:
                    data = self._read(archive, info)
                except InputError as error:
                    self._ended = isinstance(error, _LimitReachedError)
                    yield Member(label, None, str(error))
                else:
                    if is_archive(data):
                        yield from self._nested(data, label, level)
                    else:
                        yield Member(label, data)
                    data = b""  # not held while the next one is unpacked
                if self._ended:
                    return

    def _nested(self, data: bytes, label: str, level: int) -> Iterator[Member]:
        levels = self._limits.archive_depth
        if level >= levels:
            problem = (
                f"Archives lie within archives over more than {levels} levels. "
                "Please unpack this one and send its files."
            )
            yield Member(label, None, problem)
            return
        try:
            yield from self.walk(io.BytesIO(data), f"{label}/", level + 1)
        except InputError as error:
            yield Member(label, None, str(error))

    def _opened(self, stream: BinaryIO) -> zipfile.ZipFile:
        try:
            entries = self._limits.archive_members
            limited = _LimitedReads(stream, max(_LEAST_LIST_BYTES, entries * _ENTRY_BYTES))
            archive = zipfile.ZipFile(limited)  # which reads the list of files
            limited.end_limit()
            return archive
        except _ListTooLongError as error:
            raise self._too_many() from error
        except _DAMAGE as error:
            raise InputError(
                "The ZIP archive is damaged or incomplete, or of a rare kind. Please make or "
                "transfer it again."
            ) from error

    def _read(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
        """Unpack one member.

        Raises:
            _LimitReachedError: it exceeds a limit of the whole archive.
            InputError: it cannot be had for a reason of its own.
        """
        if self._members >= self._limits.archive_members:
            raise self._too_many()
        self._members += 1
        if info.flag_bits & _ENCRYPTED:
            raise InputError(
                "The file is protected by a password. Please unpack the archive and send the "
                "files without one."
            )
        if info.compress_type not in _METHODS:
            raise InputError(
                "The file is packed by a method that the program does not read. Please pack it as "
                "an ordinary ZIP archive (“deflate”)."
            )
        if info.file_size > self._limits.member_bytes:
            raise self._too_large()
        try:
            return self._unpacked(archive, info)
        except _DAMAGE as error:
            raise InputError(
                "The file is damaged in the archive. Please make or transfer the archive again."
            ) from error

    def _unpacked(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
        out = io.BytesIO()
        with archive.open(info) as packed:
            while chunk := packed.read(_CHUNK):
                self._bytes += len(chunk)
                if self._bytes > self._limits.archive_bytes:
                    raise _LimitReachedError(
                        f"The archive unpacks to more than {_size(self._limits.archive_bytes)}; "
                        "from here on nothing was read. Please send it in several archives."
                    )
                if out.tell() + len(chunk) > self._limits.member_bytes:
                    raise self._too_large()
                out.write(chunk)
        return out.getvalue()

    def _too_many(self) -> InputError:
        return _LimitReachedError(
            f"The archive holds more than {self._limits.archive_members:,} files; from here on "
            "nothing was read. Please send it in several archives."
        )

    def _too_large(self) -> InputError:
        return InputError(f"The file unpacks to {self._limits.too_large}")


def _name_parts(info: zipfile.ZipInfo) -> list[str]:
    """Folders and name of a member without what is no text or leads elsewhere."""
    name = info.filename
    if not info.flag_bits & _UTF8_NAME:
        try:
            # Many programs write UTF-8 without saying so; it is hardly ever valid by chance.
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = info.filename
    parts = (
        "".join(c for c in unicodedata.normalize("NFC", part) if unicodedata.category(c)[0] != "C")
        for part in re.split(r"[/\\]", name)
    )
    return [part for part in map(str.strip, parts) if part not in ("", ".", "..")]


def _is_litter(info: zipfile.ZipInfo, parts: list[str]) -> bool:
    if info.filename.endswith(("/", "\\")) or _LITTER_FOLDER in parts:
        return True
    return bool(parts) and (parts[-1].startswith("._") or parts[-1].casefold() in _LITTER)


def _label(prefix: str, parts: list[str]) -> str:
    """The member's name behind its archive's; of a long one the end."""
    label = prefix + ("/".join(parts) or "file without a name")
    return label if len(label) <= _LONGEST_LABEL else f"…{label[1 - _LONGEST_LABEL :]}"


def _size(count: int) -> str:
    return f"{count / 1e9:,.0f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
