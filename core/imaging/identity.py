"""What is kept of an uploaded file: its pixels, and nothing that may tell whose they are."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from core.errors import InputError
from core.imaging.containers import jpeg, png, tiff, webp
from core.imaging.deidentify import dicom, nifti
from core.imaging.deidentify.pseudonyms import Pseudonyms
from core.imaging.dicom import is_dicom
from core.imaging.nifti_read import is_nifti
from core.imaging.raster import FORMATS, decode, decode_with_orientation
from core.types import Scan

_CONTAINERS: dict[str, Callable[[bytes, int], bytes]] = {
    "JPEG": jpeg.essential,
    "MPO": jpeg.essential,
    "PNG": png.essential,
    "TIFF": lambda data, _: tiff.essential(data),
    "WEBP": webp.essential,
}


@dataclass(frozen=True)
class Privacy:
    """How identities are replaced.

    Attributes:
        pseudonyms: of patients and UIDs.
        keep_uids: whether the UIDs of DICOM files stay, so that results can be filed in the archive
            that the files came from (the Retain UIDs Option of PS3.15).
    """

    pseudonyms: Pseudonyms
    keep_uids: bool = False


def without_identity(data: bytes, privacy: Privacy | None = None) -> bytes:
    """A file without anything that may tell whose scan it is, with the same pixels.

    What goes and what stays is told by the modules of ``core.imaging.deidentify`` for DICOM and
    NIfTI files, by those of ``core.imaging.containers`` for pictures. The same file gives the same
    result, and so does the result. What is drawn into the pixels stays (see ``burnt_in_text``).

    Args:
        data: the file's bytes.
        privacy: needed for DICOM and NIfTI files, not for pictures.

    Raises:
        DirectoryFileError: the file is a DICOMDIR.
        InputError: the file is damaged or of no kind that is read, or its pixels are packed in a
            way that can neither be copied nor be packed anew.
        ValueError: a DICOM or NIfTI file came without ``privacy``.
    """
    if not is_dicom(data) and not is_nifti(data):
        return _picture_without_identity(data)
    if privacy is None:
        raise ValueError("a DICOM or NIfTI file needs privacy: which pseudonyms to use")
    if is_dicom(data):
        return dicom.without_identity(data, privacy.pseudonyms, privacy.keep_uids)
    return nifti.without_identity(data)


def _picture_without_identity(data: bytes) -> bytes:
    """A picture file without anything but its pixels.

    EXIF (but for the orientation), XMP, IPTC, comments, texts, colour profiles, resolution,
    previews, further pictures and trailing bytes are gone; what ``decode`` makes of the result is
    equal to what it makes of ``data``. The compressed pixels are copied as they are where the
    container allows, so that a picture keeps its bytes under other metadata; otherwise (BMP, rare
    kinds of TIFF) they are packed as PNG without loss.
    """
    scan, orientation = decode_with_orientation(data)
    reduce = _CONTAINERS.get(scan.source_format)
    if reduce is not None:
        try:
            reduced = reduce(data, orientation)
        except ValueError:
            reduced = None
        if reduced is not None and (reduced == data or _same(reduced, scan)):
            return reduced
    packed = _as_png(data, scan, orientation)
    if packed is None or not _same(packed, scan):
        raise InputError(
            "The picture packs its pixels in a rare way, in which what identifies a patient cannot "
            "be removed safely. Please export it as an ordinary PNG of 8 or 16 bits."
        )
    return packed


def _same(data: bytes, scan: Scan) -> bool:
    """Whether a file decodes to exactly this scan."""
    try:
        found = decode(data)
    except InputError:
        return False
    return (
        found.kind is scan.kind
        and found.bits == scan.bits
        and np.array_equal(found.pixels, scan.pixels)
    )


def _as_png(data: bytes, scan: Scan, orientation: int) -> bytes | None:
    """The picture packed anew; None where a PNG cannot hold it."""
    if scan.bits == 16 and scan.pixels.shape[2] == 1:
        picture, orientation = Image.fromarray(scan.pixels[..., 0].astype(np.uint16)), 1
    elif scan.bits <= 8:
        picture = _plain_picture(data)
    else:
        return None
    out = io.BytesIO()
    picture.save(out, "PNG")
    return png.essential(out.getvalue(), orientation)


def _plain_picture(data: bytes) -> Image.Image:
    """A decodable picture of 8 bits at most in the mode that ``decode`` reads it in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damage, which did not keep it from being decoded
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            image.load()
            if image.has_transparency_data:
                picture = image.convert("RGBA")
            elif image.mode in ("1", "L"):
                picture = image
            else:
                picture = image.convert("RGB")
            # Made of pixels alone: what the file said beside them is not saved again.
            return Image.fromarray(np.asarray(picture))
