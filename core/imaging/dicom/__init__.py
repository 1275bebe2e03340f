"""DICOM files: what they say of themselves, and their pictures."""

from core.imaging.dicom.file import DicomFile
from core.imaging.dicom.read import DirectoryFileError, is_dicom
from core.imaging.dicom.refusals import check_head_mr

__all__ = ["DicomFile", "DirectoryFileError", "check_head_mr", "is_dicom"]
