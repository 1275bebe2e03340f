"""What the model found, as files for other systems."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class ResultFile:
    """One file.

    Attributes:
        name: what to call it; it tells nothing of the patient.
        what: what it is, in words.
        media_type: MIME type.
        data: its bytes.
    """

    name: str
    what: str
    media_type: str
    data: bytes


@dataclass(frozen=True, eq=False)
class SeriesResults:
    """The results of a series.

    Attributes:
        files: as many as there could be.
        missing: which one there is not, and why: one sentence each.
    """

    files: tuple[ResultFile, ...]
    missing: tuple[str, ...] = ()
