"""The header of a DICOM file, and where its pixels begin.

Pydicom parses the attributes, but not the file around them: the pixels are not copied, a deflated
file is unpacked no further than the limit, and the work that a hostile file can cause is counted.
"""

from __future__ import annotations

import io
import logging
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from pydicom import config
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_sequence
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from core.errors import InputError

log = logging.getLogger(__name__)

# Values are checked here, where they are used. Pydicom's own remarks repeat them, names of
# patients among them, so they go nowhere.
config.settings.reading_validation_mode = config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)

MAX_UNPACKED_BYTES = 512 << 20
# One read is one part of one attribute: honest headers, of enhanced objects of 3,000 frames too,
# take half; a file that is nothing but attributes is given up after some two seconds.
_MOST_READS = 600_000

_MAGIC, _MAGIC_AT = b"DICM", 128
_PIXELS = range(0x7FE00008, 0x7FE00011)
_PIXEL_DATA = 0x7FE00010
_ITEM_STARTS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
_WORK_OF_ITEM = 10  # an item of a sequence takes as long as some attributes; its head is 8 bytes
_FUNCTIONAL_GROUPS = (0x52009229, 0x52009230)
_UNDEFINED = 0xFFFFFFFF
_META_GROUP = 2
_SYNTAX_TAG, _CLASS_TAG = (2, 0x10), (2, 2)
# Kinds of value whose length takes four bytes behind two that are not used.
_LONG = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
_SHORT = frozenset(
    (
        b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN",
        b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
    )
)  # fmt: skip
_KINDS = _LONG | _SHORT
# Groups that a file without a preamble may begin with.
_FIRST_GROUPS = (0x0002, 0x0008)


class DirectoryFileError(InputError):
    """The file is a DICOMDIR: it lists other files and holds no picture."""

    def __init__(self) -> None:
        super().__init__(
            "This is a DICOMDIR, which lists other files and holds no picture itself. The files "
            "that it lists are read by themselves: please send the folder with all of them."
        )


@dataclass(frozen=True, eq=False)
class Header:
    """A DICOM file, its pixels not decoded yet.

    Attributes:
        dataset: the attributes that stand before the pixels.
        syntax: transfer syntax of the file (for a deflated one that of what was unpacked).
        pixels: the value of PixelData and what follows it; None where there is none.
        pixels_length: what the file says of the length of that value; None where undefined.
        pixels_are_bytes: whether the file declares the pixels as bytes (OB) and not as words.
    """

    dataset: Dataset
    syntax: UID
    pixels: memoryview | None
    pixels_length: int | None
    pixels_are_bytes: bool


def is_dicom(data: bytes) -> bool:
    """Whether a file looks like DICOM, with or without preamble. Looks at its beginning only."""
    if data[_MAGIC_AT : _MAGIC_AT + 4] == _MAGIC:
        return True
    if len(data) < 16:
        return False
    group, element = struct.unpack_from("<HH", data)
    if group not in _FIRST_GROUPS or element > 0x0100:
        swapped = struct.unpack_from(">HH", data)
        return swapped[0] == 8 and swapped[1] <= 0x0100 and data[4:6] in _KINDS
    # Without a kind of value it is an implicit length, which is short for every such attribute.
    return data[4:6] in _KINDS or struct.unpack_from("<I", data, 4)[0] <= 256


@contextmanager
def refusing_damage() -> Iterator[None]:
    """Turn whatever pydicom and the decoders raise into an InputError, and keep them quiet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (InputError, KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except MemoryError as error:
            raise InputError(
                "The DICOM file needs more memory than is free on this computer. "
                "Please export the series as one file a slice."
            ) from error
        except BaseException as error:
            if isinstance(error.__context__, InputError):  # pydicom takes it for the end
                raise error.__context__ from None
            # Damage makes pydicom and the decoders raise nearly everything; a decoder written in
            # Rust panics with what is no Exception. What they say would not help a clinician, and
            # may quote the file; by its kind an error of the program's own is found.
            log.warning("A DICOM file was refused as damaged: %s", type(error).__name__)
            damaged(error)


def damaged(error: BaseException | None = None) -> NoReturn:
    """Say that a DICOM file is damaged.

    Raises:
        InputError: always.
    """
    raise InputError(
        "The DICOM file is damaged or incomplete and cannot be read. "
        "Please export or transfer it again."
    ) from error


def read(data: bytes) -> Header:
    """Read everything of a DICOM file but its pixels.

    Args:
        data: the file's bytes, for which ``is_dicom`` holds.

    Raises:
        DirectoryFileError: it is a DICOMDIR.
        InputError: it is damaged, or unpacks to more than ``MAX_UNPACKED_BYTES``.
    """
    with refusing_damage():
        meta, at = _meta(data)
        if meta.get(_CLASS_TAG) == MediaStorageDirectoryStorage:
            raise DirectoryFileError
        syntax = UID(meta.get(_SYNTAX_TAG, ""))
        if syntax == DeflatedExplicitVRLittleEndian:
            data, at, syntax = _unpacked(data, at), 0, ExplicitVRLittleEndian
        elif not syntax:
            syntax = _guessed(data, at)
        header = _read_attributes(data, at, syntax)
    if "DirectoryRecordSequence" in header.dataset:
        raise DirectoryFileError
    return header


def _meta(data: bytes) -> tuple[dict[tuple[int, int], str], int]:
    """UIDs in the file meta information, and where it ends."""
    at = _MAGIC_AT + 4 if data[_MAGIC_AT : _MAGIC_AT + 4] == _MAGIC else 0
    found: dict[tuple[int, int], str] = {}
    while at + 8 <= len(data):
        group, element, kind, length = struct.unpack_from("<HH2sH", data, at)
        if group != _META_GROUP:
            break
        start = at + 8
        if kind in _LONG:
            (length,) = struct.unpack_from("<I", data, start)
            start += 4
        elif kind not in _SHORT:  # some old writers leave the kind of value out
            (length,) = struct.unpack_from("<I", data, at + 4)
        if start + length > len(data):
            damaged()
        if length <= 66:
            found[group, element] = data[start : start + length].rstrip(b"\0 ").decode("latin-1")
        at = start + length
    return found, at


def _guessed(data: bytes, at: int) -> UID:
    """The transfer syntax of a file that does not name it."""
    if data[at + 4 : at + 6] not in _KINDS:
        return ImplicitVRLittleEndian
    (group,) = struct.unpack_from("<H", data, at)
    return ExplicitVRBigEndian if group >= 0x0400 else ExplicitVRLittleEndian


def _unpacked(data: bytes, at: int) -> bytes:
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    body = unpack.decompress(memoryview(data)[at:], MAX_UNPACKED_BYTES)
    if unpack.unconsumed_tail:
        raise InputError(
            f"The packed DICOM file unpacks to more than {MAX_UNPACKED_BYTES >> 20} MB, far more "
            "than a series of brain MRI. Please export it as one file a slice."
        )
    return body


class Work:
    """What the parsing of a file may still cost, in reads."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, count: int) -> None:
        """Count some more; raises InputError where that is too many."""
        self.left -= count
        if self.left < 0:
            raise InputError(
                "The DICOM file holds more attributes than any MRI series. "
                "Please export it again, best as one file a slice."
            )


class _CountedReads(io.BytesIO):
    """A stream that ends the reading of a file made of endless tiny parts."""

    def __init__(self, data: bytes, work: Work) -> None:
        super().__init__(data)
        self._work = work

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        self._work.spend(_WORK_OF_ITEM if len(found) == 8 and found.startswith(_ITEM_STARTS) else 1)
        return found


def _read_attributes(data: bytes, at: int, syntax: UID) -> Header:
    known = not syntax.is_private and syntax.is_transfer_syntax
    if not known:
        raise InputError(
            "The DICOM file is packed by a method that the program does not know (transfer "
            f"syntax {_shown(syntax)}). Please export it uncompressed."
        )
    stream = _CountedReads(data, Work(_MOST_READS))
    stream.seek(at)
    seen: list[tuple[int, str | None, int]] = []

    def at_pixels(tag: BaseTag, kind: str | None, length: int) -> bool:
        if int(tag) in _PIXELS:
            seen.append((int(tag), kind, length))
        return bool(seen)

    implicit = syntax.is_implicit_VR
    dataset = read_dataset(stream, implicit, syntax.is_little_endian, stop_when=at_pixels)
    for tag in _FUNCTIONAL_GROUPS:
        parse_sequence(dataset, tag, Work(_MOST_READS))
    if not seen or seen[0][0] != _PIXEL_DATA:
        return Header(dataset, syntax, None, None, False)
    _, kind, length = seen[0]
    long_form = kind is not None and kind.encode() in _LONG
    start = stream.tell() + (12 if long_form and not implicit else 8)
    return Header(
        dataset=dataset,
        syntax=syntax,
        pixels=memoryview(data)[start:],
        pixels_length=None if length == _UNDEFINED else length,
        pixels_are_bytes=kind == "OB",
    )


def parse_sequence(dataset: Dataset, tag: int, work: Work) -> None:
    """Parse a sequence whose length the file gives, which pydicom would do later, uncounted.

    Args:
        dataset: that holds it, or not.
        tag: the sequence's.
        work: what the parsing is counted by.

    Raises:
        InputError: it takes too much work.
    """
    raw = dataset.get_item(tag)
    if isinstance(raw, RawDataElement) and raw.value:
        stream, size = _CountedReads(raw.value, work), len(raw.value)
        items = read_sequence(stream, raw.is_implicit_VR, raw.is_little_endian, size, "utf-8")
        dataset[tag] = DataElement(tag, "SQ", items)


def _shown(syntax: str) -> str:
    return syntax if re.fullmatch(r"[0-9.]{1,64}", syntax) else "unreadable"
