"""Pixels of stored scans: the frame of the file that a scan is, and its mask."""

from __future__ import annotations

import cv2
import numpy as np

from core.errors import StoreError
from core.imaging import ImageFile, open_image
from core.store.files import FileStore
from core.store.images import StoredScan
from core.store.scoring import ClaimedImage
from core.types import Scan, UInt8Array


class PixelReader:
    """Reads scans; frames of one file that are read one after the other open it once.

    Not to be shared by threads.
    """

    def __init__(self, files: FileStore) -> None:
        self._files = files
        self._key: str | None = None
        self._file: ImageFile | None = None

    def scan(self, stored: StoredScan | ClaimedImage) -> Scan:
        """The pixels of a scan.

        Raises:
            StoreError: its file is missing or damaged.
            InputError: its file cannot be read.
        """
        if self._file is None or self._key != stored.content_key:
            # The one before is let go first: a file may be large.
            self._file = None
            self._file = open_image(self._files.get(stored.content_key), kept=True)
            self._key = stored.content_key
        return self._file.scan(stored.frame)

    def mask(self, stored: StoredScan) -> UInt8Array | None:
        """The mask of a scan, uint8 (height, width), 0 or 255; None where nothing is masked.

        Raises:
            StoreError: its file is missing or damaged.
        """
        analysis = stored.analysis
        if analysis is None or analysis.finding.lesion is None:
            return None
        return gray_png(self._files.get(analysis.mask_key))


def gray_png(png: bytes) -> UInt8Array:
    """A stored mask or heat map, uint8 (height, width).

    Raises:
        StoreError: it is no picture.
    """
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise StoreError(
            "A stored mask or heat map is no picture. Please restore the file store from a backup."
        )
    return picture.astype(np.uint8, copy=False)
