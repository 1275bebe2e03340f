"""A NIfTI file without what may tell whose scan it is, its voxels as they were."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress

from core.errors import InputError
from core.imaging.nifti_read import is_packed, read_header, read_values, refusing_damage
from core.imaging.nifti_space import mark

_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_LEVEL = 4  # a higher one costs seconds and saves a few percent
# Texts, numbers of Analyze and bytes that are not used; one version of the header has some of them.
_FIELDS = (
    "data_type", "db_name", "extents", "session_error", "glmax", "glmin", "descrip", "aux_file",
    "intent_name", "unused_str",
)  # fmt: skip
_NOTHING_HELD = b"\0\0\0\0"  # no extensions follow


def without_identity(data: bytes) -> bytes:
    """A NIfTI file whose header holds numbers only.

    Texts (``descrip``, ``aux_file``, ``db_name``, ``intent_name``, ``data_type``), unused fields,
    extensions and what follows the voxels are gone, in a packed file the name, comment and time
    that gzip keeps. Voxels and geometry are copied, with a mark where that is read otherwise
    than once (``core.imaging.nifti_space.mark``). The same file gives the same result, and so
    does the result.

    Args:
        data: the file's bytes, for which ``core.imaging.nifti_read.is_nifti`` holds.

    Raises:
        InputError: it is damaged, exceeds a limit, or its values are no MR picture.
    """
    with refusing_damage():
        header = read_header(data)
        values = read_values(data, header)
        for name in _FIELDS:
            if name in header:
                header[name] = 0 if header[name].dtype.kind == "i" else b""
        if "regular" in header:
            header["regular"] = b"r"  # Analyze's mark of a regular file; some readers ask for it
        header["dim"][header["dim"][0] + 1 :] = 1
        with suppress(InputError):  # told when the file is opened
            mark(header, values.shape[:3])
        header["vox_offset"] = header.single_vox_offset
        # Turned, the values lie one after the other: they are not copied before they are joined.
        out = b"".join([header.binaryblock, _NOTHING_HELD, values.T])
        return _packed(out) if is_packed(data) else out


def _packed(data: bytes) -> bytes:
    """Packed by gzip, with a header that says nothing (RFC 1952), the same with every Python."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    trailer = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    return b"".join([_GZIP_HEADER, packer.compress(data), packer.flush(), trailer])
