"""A file with one or more pictures in it, whatever its format."""

from __future__ import annotations

from abc import ABC, abstractmethod

from core.types import FloatArray, Scan, SeriesFacts, SlicePlace


class ImageFile(ABC):
    """An opened file, asked for its pictures one by one.

    A frame is a single picture: a slice of a NIfTI volume, a frame of a DICOM object, or the
    picture of an ordinary file. Frames are numbered from 0. Those of DICOM are decoded when they
    are asked for; other files are unpacked when they are opened, and held.

    Attributes:
        source_format: the container, such as ``"DICOM"``, ``"NIfTI"`` or ``"PNG"``.
        frame_count: how many frames there are, at least 1.
    """

    source_format: str
    frame_count: int

    @property
    def series(self) -> SeriesFacts | None:
        """What the file says of the series of its first frame; None for pictures."""
        return self.facts(0)

    @abstractmethod
    def facts(self, frame: int) -> SeriesFacts | None:
        """What the file says of the series of a frame; None for pictures.

        Frames of one file share ``study_uid``, ``series_uid`` and ``instance_uid``; the rest may
        differ.

        Raises:
            IndexError: there is no such frame.
        """

    @abstractmethod
    def place(self, frame: int) -> SlicePlace | None:
        """Where a frame lies in the patient; None where the file does not say.

        Raises:
            IndexError: there is no such frame.
        """

    def position_mm(self, frame: int) -> float | None:
        """Where a frame lies along its normal; None where the file does not say.

        Raises:
            IndexError: there is no such frame.
        """
        place = self.place(frame)
        return None if place is None else place.position_mm

    @abstractmethod
    def spacing_mm(self, frame: int) -> tuple[float, float] | None:
        """Millimetres between a frame's rows and columns; None where the file does not say.

        Raises:
            IndexError: there is no such frame.
        """

    @abstractmethod
    def scan(self, frame: int) -> Scan:
        """Decode a frame.

        Raises:
            InputError: the frame is damaged.
            IndexError: there is no such frame.
        """

    def brightest(self, frame: int) -> FloatArray:
        """A frame as strokes in it are seen, float32 (height, width): coloured ones in full.

        Raises:
            InputError: the frame is damaged.
            IndexError: there is no such frame.
        """
        return self.scan(frame).pixels.max(axis=2)

    def _check_frame(self, frame: int) -> None:
        if not 0 <= frame < self.frame_count:
            raise IndexError(f"frame {frame} of {self.frame_count}")
