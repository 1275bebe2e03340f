"""ZIP archives for tests, and what is found in them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from core.config import UploadLimits
from core.imaging.archive import Member, members

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
