"""Any file that is read: recognised by its content, whatever its name."""

from __future__ import annotations

from core.imaging.dicom import DicomFile, check_head_mr, is_dicom
from core.imaging.image_file import ImageFile
from core.imaging.nifti import NiftiFile
from core.imaging.nifti_read import is_nifti
from core.imaging.raster import SUPPORTED_SUFFIXES as PICTURE_SUFFIXES
from core.imaging.raster import decode as decode_picture
from core.types import Scan

__all__ = ["SUPPORTED_SUFFIXES", "ImageFile", "decode", "open_image"]

# DICOM files often have no suffix at all: ``open_image`` asks the content.
SUPPORTED_SUFFIXES = (*PICTURE_SUFFIXES, ".dcm", ".dicom", ".ima", ".nii", ".gz")


def open_image(data: bytes, *, kept: bool = False) -> ImageFile:
    """Open a DICOM file, a NIfTI file or a picture.

    Cheap for DICOM, whose pixels are decoded frame by frame; a NIfTI file is unpacked, a picture
    decoded.
    What a file says of modality and body part is not judged here: see ``check_head_mr``.

    Args:
        data: the file's bytes.
        kept: whether they come from the file store: slices of a volume are those that were cut
            when it was stored.

    Raises:
        DirectoryFileError: the file is a DICOMDIR, which holds no picture.
        InputError: the file is of no kind that is read, is damaged, or exceeds a limit.
    """
    if is_dicom(data):
        return DicomFile(data)
    if is_nifti(data):
        return NiftiFile(data, kept=kept)
    return _PictureFile(data)


def decode(data: bytes) -> Scan:
    """Decode the first picture of a file that holds MRI of a head, or does not say what it holds.

    Args:
        data: the file's bytes.

    Raises:
        InputError: as ``open_image``, ``check_head_mr`` and ``ImageFile.scan`` do.
    """
    image = open_image(data)
    if image.series is not None:
        check_head_mr(image.series)
    return image.scan(0)


class _PictureFile(ImageFile):
    """An ordinary picture, decoded at once: its header alone would not tell that it is whole."""

    def __init__(self, data: bytes) -> None:
        self._scan = decode_picture(data)
        self.source_format = self._scan.source_format
        self.frame_count = 1

    def facts(self, frame: int) -> None:
        self._check_frame(frame)

    def place(self, frame: int) -> None:
        self._check_frame(frame)

    def spacing_mm(self, frame: int) -> tuple[float, float] | None:
        return self.scan(frame).spacing_mm

    def scan(self, frame: int) -> Scan:
        self._check_frame(frame)
        return self._scan
