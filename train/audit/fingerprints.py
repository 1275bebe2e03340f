"""What is kept of a picture to compare it with others: a small picture of its head, and its place.

The head, found by the preprocessing that training and serving share, is stretched to a small square
of its own: padding, scale and a changed aspect ratio are gone before anything is compared.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np

from core.errors import DataError, InputError
from core.imaging import ImageFile, check_head_mr, open_image, prepare
from core.types import BoolArray, FloatArray, Geometry, PreparedScan, Scan, UInt8Array
from train.audit.pictures import MAT_SUFFIX, Picture
from train.data.layouts import read_figshare_mat

PATCH = 96
# Width of the neighbourhood whose mean and spread are taken out of each pixel, as a share of the
# square: changes of brightness and contrast go, edges stay.
_NEIGHBOURHOOD = 1 / 16
_RIM = np.ones((11, 11), np.uint8)
_LEAST_SPREAD = 3.0  # gray values of 255; less is noise, which must not be blown up


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """The small picture of one file's head.

    Attributes:
        patch: uint8 (PATCH, PATCH), the head's bounding box stretched to a square.
        head: bool (PATCH, PATCH), the head's convex hull in it.
        outline: float32 (k, 2), x and y of the corners of that hull.
        to_source: float64 (3, 3), from x, y, 1 in the patch to the file's pixels.
        size: height and width of the file's picture.
        sharpness: mean size of the finest detail, contrast taken out, in the head.
        digest: SHA-256 of the file.
        blank: whether there is nothing to compare.
    """

    patch: UInt8Array
    head: BoolArray
    outline: FloatArray
    to_source: np.ndarray
    size: tuple[int, int]
    sharpness: float
    digest: str
    blank: bool

    @property
    def pixels(self) -> float:
        """Area of the head's box in the file, in its pixels."""
        return float(self.to_source[0, 0] * self.to_source[1, 1]) * PATCH**2


def fingerprint(picture: Picture) -> Fingerprint:
    """Read one picture; of a volume its middle slice.

    Raises:
        InputError: the file is damaged or no picture.
    """
    data = _read(picture)
    scan = _decode(picture, data)
    prepared = prepare(scan)
    top, left, bottom, right = _head_box(prepared.head)
    shape = (bottom - top, right - left)
    gray = prepared.image[top:bottom, left:right].mean(axis=2, dtype=np.float32)
    method = cv2.INTER_AREA if min(shape) > PATCH else cv2.INTER_LINEAR
    patch = cv2.resize(gray, (PATCH, PATCH), interpolation=method)
    outline = _outline(prepared.head[top:bottom, left:right])
    head = _filled(outline)
    in_square = _scaling(shape[1] / PATCH, shape[0] / PATCH, left, top)
    to_source = _square_to_source(prepared.geometry) @ in_square
    return Fingerprint(
        patch=np.clip(np.rint(patch), 0, 255).astype(np.uint8),
        head=head,
        outline=outline,
        to_source=to_source,
        size=scan.size,
        sharpness=_sharpness(patch, head),
        digest=hashlib.sha256(data).hexdigest(),
        blank=_is_blank(prepared),
    )


def read_picture(picture: Picture) -> Scan:
    """Decode one picture, of a volume its middle slice, through the decoder that serving uses.

    Raises:
        InputError: the file is damaged or no picture.
    """
    return _decode(picture, _read(picture))


def _read(picture: Picture) -> bytes:
    try:
        return picture.file.read_bytes()
    except OSError as error:
        raise InputError(f"The file cannot be read: {error}") from error


def _decode(picture: Picture, data: bytes) -> Scan:
    if picture.file.suffix.lower() != MAT_SUFFIX:
        image = open_image(data)
        if image.series is not None:
            check_head_mr(image.series)
        return image.scan(_middle(image))
    try:
        return read_figshare_mat(picture.file)[0]
    except DataError as error:
        raise InputError(str(error)) from error


def _middle(image: ImageFile) -> int:
    """The frame in the middle of the file's first stack: at its ends there is air, as in all."""
    if image.frame_count == 1:
        return 0
    stacks = [facts and facts.stack for facts in map(image.facts, range(image.frame_count))]
    frames = [frame for frame, stack in enumerate(stacks) if stack == stacks[0]]
    places = {frame: image.position_mm(frame) for frame in frames}
    if None not in places.values():
        frames.sort(key=lambda frame: places[frame])
    return frames[len(frames) // 2]


def flatten_contrast(values: np.ndarray) -> FloatArray:
    """Each pixel less its neighbourhood's mean, over its neighbourhood's spread."""
    values = values.astype(np.float32)
    sigma = values.shape[0] * _NEIGHBOURHOOD
    centred = values - _blur(values, sigma)
    return centred / (np.sqrt(_blur(centred * centred, sigma)) + _LEAST_SPREAD)


def inside(head: BoolArray) -> BoolArray:
    """A head without its rim: the bright outline of skin and skull is alike in all heads."""
    eroded = cv2.erode(head.astype(np.uint8), _RIM, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return eroded.astype(bool)


def _sharpness(patch: FloatArray, head: BoolArray) -> float:
    flat, where = flatten_contrast(patch), inside(head)
    return float(np.abs(flat - _blur(flat, 1))[where].mean()) if where.any() else 0.0


def _blur(values: FloatArray, sigma: float) -> FloatArray:
    return cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def _head_box(head: BoolArray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(head.any(axis=1)), np.flatnonzero(head.any(axis=0))
    if not rows.size:
        return 0, 0, *head.shape
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _outline(head: BoolArray) -> FloatArray:
    """The convex hull of a head that was cut to its box, in the patch."""
    small = cv2.resize(head.astype(np.uint8), (PATCH, PATCH), interpolation=cv2.INTER_NEAREST)
    points = cv2.findNonZero(small)
    if points is None:  # a picture that is one gray
        end = PATCH - 1
        return np.array([[0, 0], [end, 0], [end, end], [0, end]], np.float32)
    return cv2.convexHull(points)[:, 0].astype(np.float32)


def _filled(outline: FloatArray) -> BoolArray:
    """The hull's inside. The head as found has holes, where a re-contrasted copy has others."""
    head = np.zeros((PATCH, PATCH), np.uint8)
    cv2.fillConvexPoly(head, np.rint(outline).astype(np.int32), 1)
    return head.astype(bool)


def _is_blank(prepared: PreparedScan) -> bool:
    return prepared.contrast == 0 or float(prepared.image.std()) < _LEAST_SPREAD


def _scaling(scale_x: float, scale_y: float, left: float, top: float) -> np.ndarray:
    """Pixel centres of a resized picture to those of the picture it was cut from."""
    return np.array(
        [
            [scale_x, 0, left + scale_x / 2 - 0.5],
            [0, scale_y, top + scale_y / 2 - 0.5],
            [0, 0, 1],
        ]
    )


def _square_to_source(geometry: Geometry) -> np.ndarray:
    pad_top, pad_left, placed_height, placed_width = geometry.placed
    top, left, bottom, right = geometry.box
    scale_x, scale_y = (right - left) / placed_width, (bottom - top) / placed_height
    unpad = np.array([[1, 0, -pad_left], [0, 1, -pad_top], [0, 0, 1]], float)
    return _scaling(scale_x, scale_y, left, top) @ unpad
