"""Whether what comes under the UID of a slice that is there shows the same picture.

One object may come twice with other bytes: compressed another way, or exported again. But there are
programs that give one UID to several pictures, none of which must be lost.
"""

from __future__ import annotations

import numpy as np

from core.errors import InputError, StoreError
from core.imaging import open_image
from core.store.files import FileStore
from core.store.images import StoredScan

# Correlation of the pixels; lossy packing leaves more, another slice of the head hardly so much.
_ALIKE = 0.98


def shows_another(files: FileStore, there: StoredScan, content_key: str, frame: int) -> bool:
    """Whether a picture differs from that of a scan.

    Args:
        files: where both files are.
        there: the scan.
        content_key: file of the picture.
        frame: which picture of the file.

    Returns:
        True too where that cannot be told, because one of them cannot be read: a slice that is
        there twice can be looked at, one that was taken for a copy is gone.
    """
    pictures = ((there.content_key, there.frame), (content_key, frame))
    try:
        one, other = (open_image(files.get(key)).scan(number).pixels for key, number in pictures)
    except (InputError, StoreError):
        return True
    if one.shape != other.shape:
        return True
    first, second = ((values - values.mean(dtype=float)).ravel() for values in (one, other))
    lengths = float(np.linalg.norm(first)) * float(np.linalg.norm(second))
    if lengths == 0:
        return bool(first.any() or second.any())  # blank ones are alike
    return float(first @ second) < _ALIKE * lengths
