"""A file that came: freed of identity, opened, checked and put into the store."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from core.errors import InputError
from core.imaging import ImageFile, check_head_mr, open_image
from core.imaging.deidentify.burnt_in import burnt_in_text
from core.imaging.dicom import is_dicom
from core.imaging.extent import check_extent
from core.imaging.identity import Privacy, without_identity
from core.imaging.nifti_read import is_nifti
from core.services.installation import Installation
from core.store.originals import keep_original
from core.types import SeriesFacts, SlicePlace

_ORIGINALS = "originals"
# All but ordinary pictures and notes about them: the names of other files tell who the patient is
# more often than not. Scanners give theirs no suffix, or one of their own.
_HOSPITAL_NAME = re.compile(
    r"^(?!.*\.(png|jpe?g|jpe|jfif|tiff?|bmp|dib|webp|gif|txt|md|csv|json|html?|docx?|xlsx?)\s*$)",
    re.I | re.S,
)


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
    """

    content_key: str
    source_format: str
    height: int
    width: int
    slices: tuple[ReceivedSlice, ...]
    notices: tuple[str, ...] = ()

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
    received = replace(received, content_key=installation.files.put(safe))
    if installation.settings.keep_originals and received.facts is not None:
        folder = installation.settings.storage / _ORIGINALS
        keep_original(folder, received.content_key, data)
    return received


def from_hospital(name: str, data: bytes | None) -> bool:
    """Whether a file is, or claims to be, DICOM or NIfTI.

    Args:
        name: of the file.
        data: its bytes; None where there are none to be had.
    """
    if _HOSPITAL_NAME.search(name):
        return True
    return data is not None and (is_dicom(data) or is_nifti(data))


def _opened(file: ImageFile, most: int) -> ReceivedFile:
    """What the file holds; not stored yet."""
    if file.frame_count > most:
        raise InputError(
            f"The file holds {file.frame_count:,} slices; at most {most:,} are read. Please send "
            "the series of the head alone."
        )
    if file.series is not None:
        check_head_mr(file.series)
    # The last one too: a file that was cut off shows it at its end.
    looked_at = sorted({0, file.frame_count // 2, file.frame_count - 1})
    first, *others = [file.scan(frame) for frame in looked_at]
    text = next(filter(None, map(burnt_in_text, (first, *others))), None)
    notices = () if text is None else (text,)
    slices = tuple(_slice(file, frame, notices) for frame in range(file.frame_count))
    height, width = first.size
    return ReceivedFile(
        content_key="",
        source_format=file.source_format,
        height=height,
        width=width,
        slices=slices,
        notices=() if file.series is not None else notices,
    )


def _slice(file: ImageFile, frame: int, notices: tuple[str, ...]) -> ReceivedSlice:
    facts = file.facts(frame)
    if facts is not None:
        facts = replace(facts, notices=(*facts.notices, *notices))
    return ReceivedSlice(facts, file.place(frame), file.position_mm(frame), file.spacing_mm(frame))
