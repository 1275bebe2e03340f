"""The header of a NIfTI file and its values, unpacked no further than the header says."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from nibabel import Nifti1Header, Nifti2Header

from core.errors import InputError

log = logging.getLogger(__name__)

MAX_VOLUME_BYTES = 512 << 20
MAX_SIDE = 4096

_GZIP = b"\x1f\x8b"
_STEP_BYTES = 4096  # of a packed file that are unpacked at once
_MAGIC_AT = ((Nifti1Header, 344), (Nifti2Header, 4))
_LINE_ENDS = (13, 10, 26, 10)
_LARGEST_OFFSET = 16 << 20  # of the values: extensions of the header lie before them
# Codes of what the values mean: statistics, and labels of structures.
_STATISTICS, _LABELS = range(2, 25), 1002


def is_packed(data: bytes) -> bool:
    """Whether a file is packed with gzip."""
    return data.startswith(_GZIP)


def is_nifti(data: bytes) -> bool:
    """Whether a file is NIfTI, plain or packed with gzip. Looks at its beginning only."""
    try:
        return _kind(_beginning(data)) is not None
    except zlib.error:
        return False


@contextmanager
def refusing_damage() -> Iterator[None]:
    """Turn whatever nibabel, numpy and zlib raise over a damaged file into an InputError."""
    try:
        yield
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(
            "The NIfTI file needs more memory than is free on this computer. "
            "Please send it at the scanner's own resolution."
        ) from error
    except Exception as error:
        # What it says may quote the file; by its kind an error of the program's own is found.
        log.warning("A NIfTI file was refused as damaged: %s", type(error).__name__)
        raise _damaged() from error


def read_header(data: bytes) -> Nifti1Header:
    """The header of a file for which ``is_nifti`` holds; a copy that may be changed.

    Raises:
        InputError: it is damaged, one of a pair, or that of a map of labels or statistics.
    """
    data = _beginning(data)
    kind = _kind(data)
    if kind is None:
        raise _damaged()
    header = kind(data[: kind.sizeof_hdr], check=False)
    if header["magic"] == kind.pair_magic:
        raise InputError(
            "This NIfTI file is one of a pair (.hdr and .img), which are not read. "
            "Please export the volume as a single file (.nii or .nii.gz)."
        )
    if kind is Nifti2Header and tuple(header["eol_check"]) != _LINE_ENDS:
        raise _damaged()  # it was sent as a text
    intent = int(header["intent_code"])
    if intent == _LABELS or intent in _STATISTICS:
        raise InputError(
            "The NIfTI file holds a map of labels or statistics and no MR picture. "
            "Please send the volume that it was made from."
        )
    return header


def volume_shape(header: Nifti1Header) -> tuple[int, int, int, int]:
    """Voxels along the three axes, and the number of volumes.

    Raises:
        InputError: there are none, too many along one side, or further axes.
    """
    count, *sizes = (int(n) for n in header["dim"])
    if not 2 <= count <= 7 or min(sizes[:count]) < 1:
        raise _damaged()
    sizes = [*sizes[:count], *([1] * (7 - count))]
    if max(sizes[4:]) > 1:
        raise InputError(
            "The NIfTI file has more than four dimensions: its values are no pictures. "
            "Please send the MR volume itself."
        )
    if max(sizes[:3]) > MAX_SIDE:
        raise InputError(
            f"The NIfTI file gives its volume {max(sizes[:3]):,} voxels along one side; at most "
            f"{MAX_SIDE:,} are read. Please send it at the scanner's own resolution."
        )
    return sizes[0], sizes[1], sizes[2], sizes[3]


def read_values(data: bytes, header: Nifti1Header) -> np.ndarray:
    """The values as they are stored, (x, y, z, volumes) in Fortran order; not to be written to.

    Args:
        data: the file's bytes.
        header: of the file.

    Raises:
        InputError: they are no MR picture, incomplete, or exceed ``MAX_VOLUME_BYTES``.
    """
    shape, dtype = volume_shape(header), _value_type(header)
    # Where the header does not say, they begin behind it and the mark of extensions.
    start = int(header["vox_offset"]) or header.single_vox_offset
    if not header.sizeof_hdr <= start <= _LARGEST_OFFSET:
        raise _damaged()
    size = int(np.prod(shape)) * dtype.itemsize
    if size > MAX_VOLUME_BYTES:
        raise InputError(
            f"The NIfTI file holds more than {MAX_VOLUME_BYTES >> 20} MB of values, far more than "
            "a brain MRI. Please send one volume a file."
        )
    if is_packed(data):
        data = _gunzipped(data, start + size)
    if len(data) < start + size:
        raise InputError(
            "The NIfTI file breaks off: it lacks a part of its values. "
            "Please export or transfer it again."
        )
    return np.ndarray(shape, dtype, data, start, order="F")


def _beginning(data: bytes) -> bytes:
    """The file, or of a packed one its beginning: more than any header."""
    if is_packed(data):
        return zlib.decompressobj(wbits=31).decompress(data[:65536], 1024)
    return data


def _kind(data: bytes) -> type[Nifti1Header] | None:
    """What header a file begins with, also one whose values lie in another file; None if none."""
    for order in ("little", "big"):
        for kind, at in _MAGIC_AT:
            if len(data) >= kind.sizeof_hdr == int.from_bytes(data[:4], order):
                magics = (kind.single_magic + b"\0", kind.pair_magic + b"\0")
                return kind if data[at : at + 4] in magics else None
    return None


def _value_type(header: Nifti1Header) -> np.dtype:
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise InputError(
            "The NIfTI file holds colours, complex or other values that are no MR picture. "
            "Please send the MR volume itself, with whole numbers or decimals."
        )
    return dtype


def _gunzipped(data: bytes, size: int) -> bytes:
    """The first bytes of a file packed with gzip, in one part or in many."""
    parts, found, at = [], 0, 0
    unpack = zlib.decompressobj(wbits=31)
    while at < len(data) and found < size:
        step = data[at : at + _STEP_BYTES]
        parts.append(unpack.decompress(step, size - found))
        found += len(parts[-1])
        at += len(step) - len(unpack.unconsumed_tail) - len(unpack.unused_data)
        if unpack.eof:
            unpack = zlib.decompressobj(wbits=31)
        elif found == size:
            # What follows is only looked at to have the checksum compared.
            unpack.decompress(data[at:], 1 << 16)
    return b"".join(parts)


def _damaged() -> InputError:
    return InputError(
        "The NIfTI file is damaged or incomplete and cannot be read. "
        "Please export or transfer it again."
    )
