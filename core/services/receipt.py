"""A file that came: freed of identity, opened, checked and put into the store."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from math import ceil

from core.errors import InputError
from core.imaging import ImageFile, check_head_mr, open_image
from core.imaging.deidentify.burnt_in import text_in
from core.imaging.deidentify.dicom import patient_without_issuer
from core.imaging.dicom import is_dicom
from core.imaging.extent import check_extent
from core.imaging.identity import Privacy, without_identity
from core.services.installation import Installation
from core.store.originals import keep_original
from core.types import SeriesFacts, SlicePlace

# Pixels of one file that are searched for text, some 20 seconds' worth: all slices of any volume
# that is taken by default, evenly spread ones of larger files.
_MOST_LOOKED_AT = 600e6
_ORIGINALS = "originals"


@dataclass(frozen=True)
class ReceivedSlice:
    """One image of a file: a slice, or the picture of an ordinary file.

    Attributes:
        facts: the series it belongs to; None for pictures.
        place: where in the patient it lies; None where that is not known.
        position_mm: where it lies along its normal; known without the pixel spacing too.
        spacing_mm: millimetres between rows and between columns, where known.
    """

    facts: SeriesFacts | None
    place: SlicePlace | None
    position_mm: float | None
    spacing_mm: tuple[float, float] | None


@dataclass(frozen=True)
class ReceivedFile:
    """A file that lies in the store, without identity, and is known to be read.

    Attributes:
        content_key: its bytes in the file store.
        source_format: the container, such as ``DICOM``.
        height: of its images, in pixels.
        width: of its images, in pixels.
        slices: its images, at least one.
        notices: what a reader should know of a picture, in words; those of slices are with their
            facts.
        patient_number: pseudonym of the patient's number, whoever gave it out; None where a DICOM
            file names no patient, and for other files.
    """

    content_key: str
    source_format: str
    height: int
    width: int
    slices: tuple[ReceivedSlice, ...]
    notices: tuple[str, ...] = ()
    patient_number: str | None = None

    @property
    def facts(self) -> SeriesFacts | None:
        """The series of the first slice; None for pictures."""
        return self.slices[0].facts


def take_file(installation: Installation, data: bytes, *, keep_uids: bool = False) -> ReceivedFile:
    """Put a file into the store, without its identity, if its pictures can be read.

    Args:
        installation: where to.
        data: the file as it came.
        keep_uids: whether the UIDs of DICOM files stay, so that results can be sent back.

    Raises:
        DirectoryFileError: the file is a DICOMDIR, which holds no picture.
        InputError: it cannot be used; the text says why.
        StoreError: it could not be stored.
    """
    limits = installation.settings.upload
    check_extent(data, limits.picture_megapixels, limits.volume_megapixels)
    safe = without_identity(data, Privacy(installation.pseudonyms, keep_uids))
    received = _opened(open_image(safe), limits.frames)
    number = patient_without_issuer(data, installation.pseudonyms) if is_dicom(data) else None
    received = replace(received, content_key=installation.files.put(safe), patient_number=number)
    if installation.settings.keep_originals and received.facts is not None:
        folder = installation.settings.storage / _ORIGINALS
        keep_original(folder, received.content_key, data)
    return received


def _opened(file: ImageFile, most: int) -> ReceivedFile:
    """What the file holds; not stored yet."""
    if file.frame_count > most:
        raise InputError(
            f"The file holds {file.frame_count:,} slices; at most {most:,} are read. Please send "
            "the series of the head alone."
        )
    if file.series is not None:
        check_head_mr(file.series)
    first = file.brightest(0)
    height, width = first.shape
    text = text_in(first) or _text_behind_first(file, height * width)
    notices = () if text is None else (text,)
    slices = tuple(_slice(file, frame, notices) for frame in range(file.frame_count))
    return ReceivedFile(
        content_key="",
        source_format=file.source_format,
        height=height,
        width=width,
        slices=slices,
        notices=() if file.series is not None else notices,
    )


def _text_behind_first(file: ImageFile, pixels: int) -> str | None:
    """A notice if text seems to be drawn into one of a file's pictures but the first.

    Args:
        file: whose middle and last picture have to be readable: one that was cut off shows it at
            its end. Damage to others is told when they are scored.
        pixels: of each picture.
    """
    count = file.frame_count
    needed = {count // 2, count - 1} - {0}
    found = [text_in(file.brightest(frame)) for frame in sorted(needed)]
    step = ceil(count * pixels / _MOST_LOOKED_AT)
    for frame in range(step, count, step):
        if any(found):
            break
        if frame not in needed:
            with suppress(InputError):
                found.append(text_in(file.brightest(frame)))
    return next(filter(None, found), None)


def _slice(file: ImageFile, frame: int, notices: tuple[str, ...]) -> ReceivedSlice:
    facts = file.facts(frame)
    if facts is not None:
        facts = replace(facts, notices=(*facts.notices, *notices))
    return ReceivedSlice(facts, file.place(frame), file.position_mm(frame), file.spacing_mm(frame))
