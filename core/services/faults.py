"""Unexpected errors as the log may tell them: an error's text may quote a file, and so a name."""

from __future__ import annotations

import traceback


def fault(error: BaseException) -> str:
    """An error without its text: of which kind it is and where it arose."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " > ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(error).__name__} at {places or 'an unknown place'}"
