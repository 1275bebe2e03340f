"""A DICOM file, its frames decoded on demand."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from math import ceil

import numpy as np

from core.errors import InputError
from core.imaging.colours import channels_differ, luminance
from core.imaging.dicom.facts import facts_of
from core.imaging.dicom.geometry import place_of, position_of, spacing_mm
from core.imaging.dicom.grays import gray_values, palette_colours
from core.imaging.dicom.layout import read_layout
from core.imaging.dicom.pixels import Pixels
from core.imaging.dicom.read import read, refusing_damage
from core.imaging.dicom.refusals import check_object
from core.imaging.dicom.values import Attributes
from core.imaging.image_file import ImageFile
from core.types import FloatArray, Scan, ScanKind, SeriesFacts, SlicePlace

# Of the frames of a colour file that are looked at for true colours.
_MOST_LOOKED_AT = 16


class DicomFile(ImageFile):
    """A DICOM object with pictures in it, of any modality.

    Colours are read by their brightness: what they mean differs from map to map and from screen to
    screen, and they are never sequences, as those of a picture file may be. A notice says so where
    a picture is truly coloured.
    """

    source_format = "DICOM"

    def __init__(self, data: bytes) -> None:
        """Read the attributes and find the frames; no pixel is decoded.

        Raises:
            DirectoryFileError: the file is a DICOMDIR.
            InputError: it is damaged, or of a kind that is not read.
        """
        header = read(data)
        with refusing_damage():
            self._dataset = header.dataset
            attributes = Attributes(header.dataset)
            check_object(attributes)
            self._layout = read_layout(attributes)
            self._pixels = Pixels(header, self._layout)
        self._data = data
        self.frame_count = self._layout.frames

    def facts(self, frame: int) -> SeriesFacts:
        """What the file says of the series of a frame."""
        attributes = self._attributes(frame)
        with refusing_damage():
            return facts_of(attributes, self._layout, lambda: self._fingerprint, self._is_coloured)

    def place(self, frame: int) -> SlicePlace | None:
        """Where a frame lies; None where the file does not say."""
        attributes = self._attributes(frame)
        with refusing_damage():
            return place_of(attributes)

    def position_mm(self, frame: int) -> float | None:
        """Where a frame lies along its normal, known without the spacing of its pixels too."""
        attributes = self._attributes(frame)
        with refusing_damage():
            return position_of(attributes)

    def spacing_mm(self, frame: int) -> tuple[float, float] | None:
        """Millimetres between a frame's rows and columns; None where the file does not say."""
        attributes = self._attributes(frame)
        with refusing_damage():
            return spacing_mm(attributes)

    def scan(self, frame: int) -> Scan:
        """One frame.

        Raises:
            InputError: its pixels are damaged.
        """
        attributes = self._attributes(frame)
        stored, bits = self._stored(frame, attributes)
        window = None
        with refusing_damage():
            if stored.ndim == 3:
                pixels = luminance(stored.astype(np.float32))
            else:
                values, window = gray_values(stored, attributes, self._layout)
                pixels = values[..., None]
            return Scan(
                pixels=np.ascontiguousarray(pixels),
                kind=ScanKind.GRAY,
                source_format=self.source_format,
                bits=bits,
                spacing_mm=spacing_mm(attributes),
                window=window,
            )

    def brightest(self, frame: int) -> FloatArray:
        """The highest of each pixel's colours, (rows, columns)."""
        if not self._has_colours:
            return super().brightest(frame)
        stored, _ = self._stored(frame, self._attributes(frame))
        return stored.max(axis=2).astype(np.float32)

    def _stored(self, frame: int, attributes: Attributes) -> tuple[np.ndarray, int]:
        """Values (rows, columns) or colours (rows, columns, 3) of a frame, and their bits."""
        stored = self._pixels.frame(frame)
        if self._layout.photometric != "PALETTE COLOR":
            return stored, self._layout.bits_stored
        with refusing_damage():
            stored = palette_colours(stored, attributes)
        return stored, stored.dtype.itemsize * 8

    @property
    def _has_colours(self) -> bool:
        return self._layout.samples == 3 or self._layout.photometric == "PALETTE COLOR"

    @cached_property
    def _is_coloured(self) -> bool:
        """Whether a frame is truly coloured; many captures are gray ones saved in colour."""
        if not self._has_colours:
            return False
        for frame in range(0, self.frame_count, ceil(self.frame_count / _MOST_LOOKED_AT)):
            # Frames that are damaged tell so when they are asked for.
            with suppress(InputError):
                stored, _ = self._stored(frame, self._attributes(frame))
                if channels_differ(stored.astype(np.float32)):
                    return True
        return False

    def _attributes(self, frame: int) -> Attributes:
        self._check_frame(frame)
        return Attributes(self._dataset, frame)

    @cached_property
    def _fingerprint(self) -> bytes:
        return sha256(self._data).digest()
