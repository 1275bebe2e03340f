"""How the pixels of a DICOM file are laid out, checked before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import InputError
from core.imaging.dicom.values import Attributes

# An MR slice has at most 1024 x 1024 pixels today; a screen that a workstation saved has more.
MAX_FRAME_PIXELS = 4096 * 4096
# Whole-brain functional series have some 10,000 slices; nothing that is read for tumours has.
MAX_FRAMES = 10_000

_GRAY = ("MONOCHROME1", "MONOCHROME2")
_PALETTE = "PALETTE COLOR"
_COLOUR = (
    "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420",
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """What the attributes say of the pixels.

    Attributes:
        rows: height of a frame in pixels.
        columns: width of a frame in pixels.
        frames: how many there are.
        samples: values a pixel, 1 or 3.
        photometric: what the values mean, such as ``MONOCHROME2``.
        bits_allocated: bits that a value takes, 8, 16 or 32.
        bits_stored: bits of them that are used.
        signed: whether values may be negative.
        planar: 1 where each colour lies by itself.
    """

    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    signed: bool
    planar: int

    @property
    def frame_bytes(self) -> int:
        """Bytes that one frame takes uncompressed."""
        values = self.rows * self.columns * self.samples
        if self.photometric == "YBR_FULL_422":  # two pixels share their colours
            values = values // 3 * 2
        return values * self.bits_allocated // 8

    @property
    def stored_range(self) -> tuple[int, int]:
        """The lowest and the highest value that the stored bits can hold."""
        if self.signed:
            return -(1 << (self.bits_stored - 1)), (1 << (self.bits_stored - 1)) - 1
        return 0, (1 << self.bits_stored) - 1


def read_layout(attributes: Attributes) -> Layout:
    """The layout of a file's pixels.

    Raises:
        InputError: it is incomplete, contradicts itself, exceeds the limits, or is none that the
            program reads.
    """
    rows, columns = _count(attributes, "Rows"), _count(attributes, "Columns")
    if rows * columns == 0:
        raise InputError("The picture has no pixels (its width or height is zero).")
    if rows * columns > MAX_FRAME_PIXELS:
        raise InputError(
            f"The DICOM file gives its picture {columns:,} × {rows:,} pixels, far more than a "
            "brain MRI slice. Please export the series again."
        )
    frames = _count(attributes, "NumberOfFrames", 1) or 1
    if frames > MAX_FRAMES:
        raise InputError(
            f"The DICOM file claims {frames:,} pictures; at most {MAX_FRAMES:,} are read. "
            "Please send the series in parts."
        )
    photometric = (attributes.text("PhotometricInterpretation") or "MONOCHROME2").upper()
    samples = _count(attributes, "SamplesPerPixel", 3 if photometric in _COLOUR else 1)
    if photometric not in (*_GRAY, _PALETTE, *_COLOUR) or samples != (
        3 if photometric in _COLOUR else 1
    ):
        raise _unreadable("a colour model")
    allocated = _count(attributes, "BitsAllocated")
    stored = _count(attributes, "BitsStored", allocated)
    if (
        allocated not in (8, 16, 32)
        or not 1 < stored <= allocated
        or (samples == 3 and stored > 16)
    ):
        raise _unreadable(f"values of {stored} in {allocated} bits")
    if _count(attributes, "HighBit", stored - 1) != stored - 1:
        raise _unreadable("an order of bits")
    return Layout(
        rows=rows,
        columns=columns,
        frames=frames,
        samples=samples,
        photometric=photometric,
        bits_allocated=allocated,
        bits_stored=stored,
        signed=_count(attributes, "PixelRepresentation", 0) == 1,
        planar=_count(attributes, "PlanarConfiguration", 0),
    )


def _count(attributes: Attributes, keyword: str, otherwise: int | None = None) -> int:
    """A whole number, not negative.

    Raises:
        InputError: it is absent without an ``otherwise``, or no such number.
    """
    if attributes.value(keyword) is None and otherwise is not None:
        return otherwise
    number = attributes.number(keyword)
    if number is None or number < 0 or number != int(number):
        raise InputError(
            f"The DICOM file does not say how its picture is stored ({keyword} is absent or "
            "damaged). Please export or transfer it again."
        )
    return int(number)


def _unreadable(what: str) -> InputError:
    return InputError(
        f"The DICOM file stores its picture with {what} that the program does not read. "
        "Please export it in an ordinary way, best uncompressed with 16 bits."
    )
