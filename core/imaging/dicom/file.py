"""A DICOM file, its frames decoded on demand."""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256

import numpy as np

from core.imaging.colours import gray_or_composite
from core.imaging.dicom.facts import facts_of
from core.imaging.dicom.geometry import place_of, position_of, spacing_mm
from core.imaging.dicom.grays import gray_values, palette_colours
from core.imaging.dicom.layout import read_layout
from core.imaging.dicom.pixels import Pixels
from core.imaging.dicom.read import read, refusing_damage
from core.imaging.dicom.refusals import check_object
from core.imaging.dicom.values import Attributes
from core.imaging.image_file import ImageFile
from core.types import Scan, ScanKind, SeriesFacts, SlicePlace


class DicomFile(ImageFile):
    """A DICOM object with pictures in it, of any modality."""

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
            return facts_of(attributes, self._layout, lambda: self._fingerprint)

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
        stored = self._pixels.frame(frame)
        bits, window = self._layout.bits_stored, None
        with refusing_damage():
            if self._layout.photometric == "PALETTE COLOR":
                stored = palette_colours(stored, attributes)
                bits = stored.dtype.itemsize * 8
            if stored.ndim == 3:
                pixels, kind = gray_or_composite(stored.astype(np.float32))
            else:
                values, window = gray_values(stored, attributes, self._layout)
                pixels, kind = values[..., None], ScanKind.GRAY
            return Scan(
                pixels=np.ascontiguousarray(pixels),
                kind=kind,
                source_format=self.source_format,
                bits=bits,
                spacing_mm=spacing_mm(attributes),
                window=window,
            )

    def _attributes(self, frame: int) -> Attributes:
        self._check_frame(frame)
        return Attributes(self._dataset, frame)

    @cached_property
    def _fingerprint(self) -> bytes:
        return sha256(self._data).digest()
