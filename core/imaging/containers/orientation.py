"""The smallest EXIF block that turns a picture."""

from __future__ import annotations

import struct

_TAG, _SHORT = 0x0112, 3


def orientation_block(orientation: int) -> bytes:
    """An EXIF block that holds the orientation (2 to 8) and nothing else."""
    entry = struct.pack("<HHIHH", _TAG, _SHORT, 1, orientation, 0)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
