"""What is kept of an uploaded picture: its pixels, and nothing that may tell whose they are."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable

import numpy as np
from PIL import Image

from core.errors import InputError
from core.imaging.containers import jpeg, png, tiff, webp
from core.imaging.raster import FORMATS, decode, decode_with_orientation
from core.types import Scan

_CONTAINERS: dict[str, Callable[[bytes, int], bytes]] = {
    "JPEG": jpeg.essential,
    "MPO": jpeg.essential,
    "PNG": png.essential,
    "TIFF": lambda data, _: tiff.essential(data),
    "WEBP": webp.essential,
}


def without_identity(data: bytes) -> bytes:
    """A picture file without anything but its pixels.

    EXIF (but for the orientation), XMP, IPTC, comments, texts, colour profiles, resolution,
    previews, further pictures and trailing bytes are gone; what ``decode`` makes of the result is
    equal to what it makes of ``data``. The compressed pixels are copied as they are where the
    container allows, so that a picture keeps its bytes under other metadata; otherwise (BMP, rare
    kinds of TIFF) they are packed as PNG without loss. The result of a result is the same. What is
    drawn into the pixels stays.

    Args:
        data: the file's bytes.

    Raises:
        InputError: ``decode`` refuses the file, or its pixels are packed in a way that can neither
            be copied nor be packed anew.
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
