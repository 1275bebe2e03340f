"""NIfTI files: a volume, or several, in the coordinates of the scanner.

Slices lie across the axis along which the volume was acquired, which is the one with the largest
spacing; where the spacings are (nearly) equal, the one that the header names (``dim_info``), and
else slices are axial. They are shown as radiologists expect: the patient's right on the left of
axial and coronal slices, the nose on the left of sagittal ones, the top of the head at the top;
frames follow each other towards the head, the back or the right.
"""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256

import numpy as np
from nibabel import Nifti1Header

from core.errors import InputError
from core.imaging.dicom.values import made_uid
from core.imaging.image_file import ImageFile
from core.imaging.nifti_read import read_header, read_values, refusing_damage
from core.imaging.nifti_space import Space
from core.types import Scan, ScanKind, SeriesFacts, SlicePlace

MAX_SLICES = 10_000

_LARGEST_VALUE = 1e30


class NiftiFile(ImageFile):
    """A NIfTI file of up to four dimensions; each volume of several is a stack of its own.

    Values that are no numbers (NaN, infinite) are what processing leaves outside of the brain:
    they are shown as background, and a notice says so.
    """

    source_format = "NIfTI"

    def __init__(self, data: bytes, *, kept: bool = False) -> None:
        """Read the header and unpack the values.

        Args:
            data: the file's bytes.
            kept: whether it was stored before, and its slices are to be those of that time.

        Raises:
            InputError: the file is damaged, exceeds a limit, or its values are no MR picture.
        """
        with refusing_damage():
            self._open(data, kept)

    def _open(self, data: bytes, kept: bool) -> None:
        header = read_header(data)
        self._values = read_values(data, header)
        *sides, volumes = self._values.shape
        self._space = Space.of(header, tuple(sides), kept=kept)
        slope, inter = header.get_slope_inter()
        self._scale = (1.0 if slope is None else slope, inter or 0.0)
        self._window = _window(header)
        self._depth = self._space.across.length
        self.frame_count = self._depth * volumes
        if self.frame_count > MAX_SLICES:
            raise InputError(
                f"The NIfTI file holds {self.frame_count:,} slices; at most {MAX_SLICES:,} are "
                "read. Please send one volume a file."
            )
        self._lowest, self._has_gaps = self._look_for_gaps()

    def facts(self, frame: int) -> SeriesFacts:
        """What the file says of the volume of a frame."""
        self._check_frame(frame)
        series_uid = made_uid(self._content + b"series")
        return SeriesFacts(
            study_uid=made_uid(self._content + b"study"),
            series_uid=series_uid,
            instance_uid=made_uid(self._content),
            stack=f"{self._content.hex()[:16]}-{frame // self._depth}",
            plane=self._space.plane,
            frame_of_reference_uid=made_uid(self._content + b"frame"),
            notices=tuple(self._notices()),
        )

    def place(self, frame: int) -> SlicePlace | None:
        """Where a frame lies; None where the file does not tell its orientation."""
        self._check_frame(frame)
        return self._space.place(frame % self._depth)

    def spacing_mm(self, frame: int) -> tuple[float, float]:
        """Millimetres between a frame's rows and columns."""
        self._check_frame(frame)
        return self._space.spacing_mm

    def scan(self, frame: int) -> Scan:
        """One slice, turned as radiologists expect it."""
        self._check_frame(frame)
        slope, inter = self._scale
        volume = self._values[..., frame // self._depth]
        stored = self._space.cut(volume, frame % self._depth)
        values = stored.astype(np.float64) * slope + inter
        if self._has_gaps:
            values[~np.isfinite(values)] = self._lowest * slope + inter
        pixels = np.clip(values, -_LARGEST_VALUE, _LARGEST_VALUE).astype(np.float32)
        return Scan(
            pixels=np.ascontiguousarray(pixels)[..., None],
            kind=ScanKind.GRAY,
            source_format=self.source_format,
            bits=self._values.dtype.itemsize * 8,
            spacing_mm=self._space.spacing_mm,
            window=self._window,
        )

    @cached_property
    def _content(self) -> bytes:
        """Follows from the values, where they lie and how they are cut."""
        kind = repr((self._values.shape, self._values.dtype)).encode()
        if self._space.by_encoding:
            kind += b"across %d" % self._space.across.number
        digest = sha256(self._space.affine.tobytes() + kind)
        digest.update(self._values.reshape(-1, order="F"))
        return digest.digest()

    def _notices(self) -> list[str]:
        found: list[str] = []
        if not self._space.is_oriented:
            found.append(
                "The file does not say how the head lies in it: left and right may be exchanged."
            )
        if self._space.contradiction is not None:
            found.append(self._space.contradiction)
        if self._has_gaps:
            found.append("Parts of the volume hold no values; they are shown as background.")
        return found

    def _look_for_gaps(self) -> tuple[float, bool]:
        """The lowest value that is a number (0 if lower), and whether any value is none.

        Raises:
            InputError: no value is a number.
        """
        if self._values.dtype.kind != "f":
            return 0.0, False
        lowest, gaps = np.inf, False
        for volume in range(self._values.shape[3]):
            for index in range(self._values.shape[2]):
                part = self._values[:, :, index, volume]
                finite = np.isfinite(part)
                if not finite.all():
                    gaps, part = True, part[finite]
                lowest = min(lowest, float(part.min(initial=np.inf)))
        if not np.isfinite(lowest):
            raise InputError(
                "The NIfTI file holds no values (all are NaN or infinite). Please export it again."
            )
        return min(lowest, 0.0), gaps


def _window(header: Nifti1Header) -> tuple[float, float] | None:
    low, high = float(header["cal_min"]), float(header["cal_max"])
    return (low, high) if -_LARGEST_VALUE < low < high < _LARGEST_VALUE else None
