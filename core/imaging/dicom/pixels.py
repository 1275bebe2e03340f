"""Frames of a DICOM file, decoded one at a time."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from core.errors import InputError
from core.imaging.dicom.codestream import declared_size
from core.imaging.dicom.fragments import frames_of
from core.imaging.dicom.layout import Layout
from core.imaging.dicom.read import Header, damaged, refusing_damage

# One decoder each, of several that can: pydicom alone would try them all, and GDCM ends the whole
# process (abort) on many a damaged JPEG.
_DECODERS = {
    RLELossless: "pydicom",  # that of pylibjpeg panics, with a trace on stderr
    JPEGBaseline8Bit: "pillow",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000Lossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
    HTJ2KLossless: "pylibjpeg",
    HTJ2KLosslessRPCL: "pylibjpeg",
    HTJ2K: "pylibjpeg",
}
# JPEG of more than 8 bits and JPEG lossless, which none of pydicom's safe decoders reads.
_DEEP_JPEG = frozenset((JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1))
# Transfer syntaxes of packed pixels that are read.
PACKINGS = _DEEP_JPEG.union(_DECODERS)
_END = b"\xff\xd9"  # of JPEG, JPEG-LS and JPEG 2000 alike
_TRAILER_BYTES = 16  # in which it must be found: padding may follow


class Pixels:
    """The frames of a file, as stored values or as colours."""

    def __init__(self, header: Header, layout: Layout) -> None:
        """Find the frames.

        Raises:
            InputError: there are none, fewer than the file claims, or they are packed by a method
                that is not read.
        """
        if header.pixels is None:
            raise InputError(
                "The DICOM file holds no picture (it has no pixel data). "
                "Please send the files of the series itself."
            )
        self._header, self._layout = header, layout
        self._packed: list[list[memoryview]] = []
        if header.syntax.is_encapsulated:
            if header.syntax not in PACKINGS:
                raise _unknown_packing(header.syntax)
            with refusing_damage():
                self._packed = frames_of(header, layout.frames)
        else:
            length = len(header.pixels)
            if header.pixels_length is not None:
                length = min(length, header.pixels_length)
            if length < layout.frame_bytes * layout.frames:
                raise InputError(
                    "The DICOM file breaks off: it lacks a part of its pixels. "
                    "Please export or transfer it again."
                )

    def frame(self, index: int) -> np.ndarray:
        """Stored values (rows, columns), or colours (rows, columns, 3) as RGB.

        Raises:
            InputError: the frame is damaged.
        """
        layout = self._layout
        with refusing_damage():
            if not self._header.syntax.is_encapsulated:
                array = self._decoded(self._plain(index))
            else:
                packed = b"".join(self._packed[index])
                self._check_size(packed)
                if self._header.syntax in _DEEP_JPEG:
                    array = _deep_jpeg(packed, layout)
                else:
                    plugin = _DECODERS[self._header.syntax]
                    source = encapsulate([packed + bytes(len(packed) % 2)], has_bot=False)
                    array = self._decoded(source, decoding_plugin=plugin)
            shape = (layout.rows, layout.columns, 3)[: 2 if layout.samples == 1 else 3]
            if array.shape != shape:
                damaged()
        return array

    def _decoded(self, source: bytes, **options: str) -> np.ndarray:
        """One frame by pydicom, colours as RGB."""
        layout = self._layout
        array, _ = get_decoder(self._header.syntax).as_array(
            source,
            rows=layout.rows,
            columns=layout.columns,
            number_of_frames=1,
            samples_per_pixel=layout.samples,
            photometric_interpretation=layout.photometric,
            bits_allocated=layout.bits_allocated,
            bits_stored=layout.bits_stored,
            pixel_representation=int(layout.signed),
            planar_configuration=layout.planar,
            pixel_keyword="PixelData",
            pixel_vr="OB" if self._header.pixels_are_bytes else "OW",
            **options,
        )
        return array

    def _plain(self, index: int) -> bytes:
        size = self._layout.frame_bytes
        # An odd length is padded; in big endian words the last value stands behind the padding.
        frame = bytes(self._header.pixels[index * size : (index + 1) * size + size % 2])
        return frame + bytes(len(frame) % 2)

    def _check_size(self, packed: bytes) -> None:
        """Refuse what breaks off or would unpack to another size than the file says.

        Decoders would fill up what is missing, and reserve whatever memory is asked for.

        Raises:
            InputError: it would.
        """
        if self._header.syntax == RLELossless:
            return
        try:
            found = declared_size(packed)
        except (struct.error, IndexError):
            damaged()
        if _END not in packed[-_TRAILER_BYTES:]:
            damaged()
        if found != (self._layout.rows, self._layout.columns, self._layout.samples):
            raise InputError(
                "The DICOM file contradicts itself: its packed picture has another size than the "
                "file says. Please export or transfer it again."
            )


def _deep_jpeg(packed: bytes, layout: Layout) -> np.ndarray:
    colours = {} if layout.samples == 1 else {"colorspace": "RGB", "outcolorspace": "RGB"}
    if layout.photometric.startswith("YBR"):
        colours["colorspace"] = "YCBCR"
    array = imagecodecs.jpeg8_decode(packed, **colours).astype(f"u{layout.bits_allocated // 8}")
    if layout.signed:
        # The stored bits hold the sign in their highest one.
        unused = layout.bits_allocated - layout.bits_stored
        array = (array << unused).view(f"i{array.itemsize}") >> unused
    return array


def _unknown_packing(syntax: UID) -> InputError:
    return InputError(
        f"The DICOM file packs its picture by a method that the program does not read "
        f"({syntax.name}). Please export it uncompressed."
    )
