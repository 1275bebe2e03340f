"""Coded concepts that may stay: those of the dictionaries, with the dictionaries' own words."""

from __future__ import annotations

from functools import cache

from pydicom.dataset import Dataset
from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping

_OLD_SNOMED = ("SRT", "SNM3", "99SDM")


def known_code(item: Dataset) -> tuple[str, str, str] | None:
    """Value, scheme and meaning of a coded concept; None for one of no dictionary.

    A code of one's own may be a patient's number, and its meaning is free text.
    """
    try:
        value, scheme = str(item.CodeValue), str(item.CodingSchemeDesignator)
    except (AttributeError, ValueError, TypeError, NotImplementedError):
        return None
    if scheme in _OLD_SNOMED:
        meaning = _meanings("SCT").get(mapping["SRT"].get(value, ""))
    else:
        meaning = _meanings(scheme).get(value)
    return None if meaning is None else (value, scheme, meaning[:64])


@cache
def _meanings(scheme: str) -> dict[str, str]:
    """Meanings by code."""
    if scheme not in concepts:
        return {}
    found: dict[str, str] = {}
    for codes in concepts[scheme].values():
        for code, (meaning, _) in codes.items():
            found.setdefault(code, meaning)
    return found
