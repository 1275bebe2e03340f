"""Picture files made of arrays, and the parts of a PNG."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import tifffile
from PIL import Image


def save(picture: np.ndarray | Image.Image, form: str, mode: str = "", **options: Any) -> bytes:
    """A file as Pillow writes it.

    Args:
        picture: gray (rows, columns) or colour (rows, columns, channels), or Pillow's own.
        form: Pillow's name of the format, such as ``PNG``.
        mode: Pillow's colour mode to convert to before; empty for none.
        options: of Pillow's ``save``.
    """
    stream = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    (image.convert(mode) if mode else image).save(stream, form, **options)
    return stream.getvalue()


def tiff(array: np.ndarray, **options: Any) -> bytes:
    """A file as tifffile writes it; ``options`` are those of its ``imwrite``."""
    stream = io.BytesIO()
    options.setdefault("photometric", "rgb" if array.ndim == 3 else "minisblack")
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG, with its length and its checksum."""
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum
