"""The files that the command line is given: opened one after the other, ZIP archives unpacked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.config import UploadLimits
from core.errors import InputError
from core.imaging import DirectoryFileError, ImageFile, check_head_mr, open_image
from core.imaging.archive import Member, is_archive, members
from core.imaging.dicom import is_dicom
from core.imaging.extent import check_extent
from core.imaging.nifti_read import is_nifti
from core.services.analyse import read_file

# Enough to recognise a file by: DICOM's preamble, or the beginning of what gzip has packed.
_HEAD_BYTES = 1 << 16
_EMPTY = "The ZIP archive holds no files."


@dataclass(frozen=True, eq=False)
class InputFile:
    """A file, out of its archive.

    Attributes:
        name: how it is called; within an archive, that of the archive before it.
        number: which of the given files it is or lies in, from 0.
        image: a DICOM or NIfTI file; None for whatever else.
        data: of whatever else: its bytes, or where they are; None where there is a problem.
        problem: why it cannot be used, in words; None where there is none known yet.
    """

    name: str
    number: int
    image: ImageFile | None = None
    data: bytes | Path | None = None
    problem: str | None = None


def input_files(files: Iterable[tuple[str, Path]], limits: UploadLimits) -> Iterator[InputFile]:
    """Files one by one; what cannot be opened comes with the reason.

    Archives are read as those of an upload are: within the same limits, also of what lies in them,
    with a DICOMDIR passed over beside its files.

    Args:
        files: how each is called, and where it is.
        limits: what archives may bring.
    """
    for number, (name, path) in enumerate(files):
        head = _head(path)
        if is_archive(head):
            yield from _unpacked(name, number, path, limits)
        elif is_dicom(head) or is_nifti(head):
            try:
                yield InputFile(name, number, _opened(read_file(path)))
            except InputError as error:
                yield InputFile(name, number, problem=str(error))
        else:  # what is wrong with it is said where pictures are read
            yield InputFile(name, number, data=path)


def is_dicom_file(path: Path) -> bool:
    """Whether a file begins as DICOM files do, whatever its name; False where it cannot be read."""
    return is_dicom(_head(path))


def _head(path: Path) -> bytes:
    """The beginning of a file; empty where it cannot be read."""
    if not path.is_file():  # opening a pipe would wait for a writer
        return b""
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD_BYTES)
    except OSError:
        return b""


def _unpacked(name: str, number: int, path: Path, limits: UploadLimits) -> Iterator[InputFile]:
    problem: str | None = _EMPTY
    try:
        with path.open("rb") as stream:
            for member in members(stream, limits):
                try:
                    found = _member(f"{name}/{member.name}", number, member, limits)
                except DirectoryFileError as error:
                    problem = problem and str(error)
                    continue
                problem = None
                yield found
    except InputError as error:
        problem = str(error)
    except OSError as error:
        problem = f"The file cannot be read: {error.strerror}."
    if problem is not None:
        yield InputFile(name, number, problem=problem)


def _member(name: str, number: int, member: Member, limits: UploadLimits) -> InputFile:
    """A file of an archive.

    Raises:
        DirectoryFileError: it is a DICOMDIR.
    """
    data = member.data
    if data is None:
        return InputFile(name, number, problem=member.problem)
    try:
        check_extent(data, limits.picture_megapixels, limits.volume_megapixels)
        if not (is_dicom(data) or is_nifti(data)):
            return InputFile(name, number, data=data)
        file = _opened(data)
        if file.frame_count > limits.frames:
            raise InputError(
                f"The file holds {file.frame_count} slices, and {limits.frames} at most are taken "
                "out of an archive. Please export the series in several files."
            )
        return InputFile(name, number, file)
    except DirectoryFileError:
        raise
    except InputError as error:
        return InputFile(name, number, problem=str(error))


def _opened(data: bytes) -> ImageFile:
    """A DICOM or NIfTI file.

    Raises:
        InputError: it cannot be used.
    """
    file = open_image(data)
    if file.series is not None:
        check_head_mr(file.series)
    return file
