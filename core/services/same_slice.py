"""Whether what comes under the UID of a slice that is there is the same slice.

One object may come twice with other bytes: compressed another way, or exported again. But there are
programs that give one UID to several pictures, none of which must be lost: where it is not certain
that two show the same, both are kept. And the same picture may come with other figures, such as a
corrected pixel spacing, which nobody must take for being in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from pydicom.uid import HTJ2K, JPEG2000, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless

from core.errors import InputError, StoreError
from core.imaging import open_image
from core.imaging.dicom import is_dicom
from core.imaging.dicom.read import read
from core.imaging.dicom.values import Attributes
from core.services.receipt import ReceivedSlice
from core.store.files import FileStore
from core.store.images import StoredScan
from core.types import FloatArray

_LOSSY = frozenset((JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000, HTJ2K))
# Largest difference between the means of squares of so many pixels, by the range of values, of what
# lossy packing makes of one slice. Measured: JPEG of quality 50 and above differs by 0.035 at most
# and by 0.01 to 0.025 mostly, JPEG 2000 of one bit a pixel by 0.006; slices of a head that lie 1 mm
# from each other differ by 0.07 at least, 650 neighbours of LGG by 0.14. Correlation of the whole
# picture would not do: that of most neighbours 1 mm apart is above 0.98.
_SQUARE, _LOST = 8, 0.03
_OTHER_FIGURES = (
    "The same pictures came again with other figures: {}. Those received first are kept, and sizes "
    "follow them: please check which are right."
)
_LENGTH_SHARE, _DIRECTION, _PLACE_MM = 1e-3, 1e-3, 0.05


def shows_another(
    files: FileStore, pairs: Iterable[tuple[StoredScan, int]], content_key: str, number: int
) -> bool:
    """Whether one of a file's pictures is not the scan that has its UID.

    Args:
        files: where all files are.
        pairs: scans that are there, each with the frame of the file that would be the same.
        content_key: the file.
        number: of its object in the series (Instance Number); 0 where it has none.

    Returns:
        True too where that cannot be told, because one of them cannot be read: a slice that is
        there twice can be looked at, one that was taken for a copy is gone.
    """
    try:
        data = files.get(content_key)
        file, lossy = open_image(data), _is_lossy(data)
        key = None
        for there, frame in pairs:
            if number and there.taken[1] and number != there.taken[1]:
                return True
            if there.content_key != key:
                key, data = there.content_key, files.get(there.content_key)
                stored, stored_lossy = open_image(data), _is_lossy(data)
            one, other = stored.scan(there.frame).pixels, file.scan(frame).pixels
            if not _is_same(one, other, lossy or stored_lossy):
                return True
    except (InputError, StoreError):
        return True
    return False


def other_figures(pairs: Iterable[tuple[StoredScan, ReceivedSlice]]) -> str | None:
    """A notice of what a file says otherwise of its slices than is kept of them; None if nothing.

    Args:
        pairs: scans that are there, each with what the file says of it.
    """
    found = dict.fromkeys(figure for there, one in pairs for figure in _figures(there, one))
    return _OTHER_FIGURES.format(", ".join(found)) if found else None


def _figures(there: StoredScan, one: ReceivedSlice) -> Iterator[str]:
    if not _is_close(there.spacing_mm, one.spacing_mm, _LENGTH_SHARE):
        yield f"pixel spacing {_shown(one.spacing_mm)} (kept: {_shown(there.spacing_mm)})"
    kept, new = there.place, one.place
    if kept is None or new is None:
        if kept is not new and _is_close(there.spacing_mm, one.spacing_mm, _LENGTH_SHARE):
            yield "a place in the patient" if kept is None else "no place in the patient"
        return
    thickness = [None if place.thickness_mm is None else (place.thickness_mm,)
                 for place in (kept, new)]  # fmt: skip
    if not _is_close(*thickness, _LENGTH_SHARE):
        yield f"slice thickness {_shown(thickness[1])} (kept: {_shown(thickness[0])})"
    axes = [np.array([*place.along_row, *place.along_column]) for place in (kept, new)]
    shift = np.abs(np.subtract(kept.origin, new.origin)).max()
    if np.abs(axes[0] - axes[1]).max() > _DIRECTION or shift > _PLACE_MM:
        yield "another place or direction in the patient (the first is kept)"


def _is_lossy(data: bytes) -> bool:
    """Whether a file's pixels were packed with loss, be it long ago."""
    if not is_dicom(data):
        return False
    header = read(data)
    said = Attributes(header.dataset).text("LossyImageCompression")
    return header.syntax in _LOSSY or said == "01"


def _is_same(one: FloatArray, other: FloatArray, lossy: bool) -> bool:
    if one.shape != other.shape or not lossy:
        return np.array_equal(one, other)
    low = min(float(one.min()), float(other.min()))
    high = max(float(one.max()), float(other.max()))
    means = cv2.blur(one - other, (_SQUARE, _SQUARE))
    return float(np.abs(means).max()) <= _LOST * (high - low)


def _is_close(one: tuple[float, ...] | None, other: tuple[float, ...] | None, share: float) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.allclose(one, other, rtol=share, atol=0))


def _shown(lengths: tuple[float, ...] | None) -> str:
    return "none" if lengths is None else f"{' × '.join(f'{v:.4g}' for v in lengths)} mm"
