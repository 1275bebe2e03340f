"""What an upload brings: files, and archives of files, one at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from core.config import UploadLimits
from core.errors import InputError
from core.imaging.archive import is_archive, members

log = logging.getLogger(__name__)

FAULT = (
    "The file could not be stored because of a fault in the program, not in the file. Please send "
    "it again; if that does not help, tell those who run this installation."
)
_HEAD_BYTES = 512


@dataclass(frozen=True, eq=False)
class Upload:
    """One uploaded file.

    Attributes:
        name: the file's name; told to the uploader, stored nowhere.
        data: its bytes, or an open file with them.
    """

    name: str
    data: bytes | BinaryIO


@dataclass(frozen=True, eq=False)
class Arrival:
    """One file, out of its archive.

    Attributes:
        name: its name; within an archive, that of the archive before it.
        data: its bytes; None where there are none to be had.
        problem: why not, in words for the uploader.
        archive: which of the uploaded files it was in, or is where that could not be read to its
            end; None where it came by itself.
    """

    name: str
    data: bytes | None
    problem: str | None = None
    archive: int | None = None


def arrivals(uploads: Iterable[Upload], limits: UploadLimits) -> Iterator[Arrival]:
    """The files of an upload, archives unpacked member by member; one is in memory at a time.

    Args:
        uploads: files and archives; read as they are needed.
        limits: what one upload may bring.

    Yields:
        Every file; what cannot be read comes with the reason.
    """
    for count, upload in enumerate(uploads, start=1):
        try:
            if count > limits.files:
                raise InputError(
                    f"More than {limits.files} files were sent at once. Please put them into one "
                    "ZIP archive and send that."
                )
            yield from _unpacked(upload, count, limits)
        except InputError as error:
            yield Arrival(upload.name, None, str(error), count)
        except Exception:
            log.exception("File %d of an upload could not be read", count)
            yield Arrival(upload.name, None, FAULT, count)


def _unpacked(upload: Upload, number: int, limits: UploadLimits) -> Iterator[Arrival]:
    if isinstance(upload.data, bytes):
        head = upload.data[:_HEAD_BYTES]
    else:
        upload.data.seek(0)
        head = upload.data.read(_HEAD_BYTES)
        upload.data.seek(0)
    if is_archive(head):
        for member in members(upload.data, limits):
            yield Arrival(f"{upload.name}/{member.name}", member.data, member.problem, number)
        return
    # One byte more than allowed tells that there is more.
    most = limits.member_bytes + 1
    data = upload.data if isinstance(upload.data, bytes) else upload.data.read(most)
    if len(data) >= most:
        raise InputError(f"The file has {limits.too_large}")
    yield Arrival(upload.name, data)
