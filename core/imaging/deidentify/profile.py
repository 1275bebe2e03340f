"""What the Basic Profile of PS3.15 Annex E asks for, attribute by attribute."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from pathlib import Path

EDITION = "2026c"
_TABLE = Path(__file__).with_name("basic_profile.csv")


class Action(StrEnum):
    """What becomes of an attribute (PS3.15 table E.1-1a)."""

    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    UID = "U"
    # Not listed: kept by the profile.
    NONE = ""


@cache
def listed() -> dict[int, str]:
    """Action codes by tag, such as ``X/Z/D``; repeating groups and private tags are not in it."""
    rows = (line.split(";") for line in _TABLE.read_text("utf-8").splitlines() if line[0] != "#")
    return {int(tag, 16): code for tag, code, _ in rows if "x" not in tag}


def action(tag: int, *, required: bool) -> Action:
    """What the profile asks for an attribute.

    Of a compound code the first letter holds, which removes most; the last one, which keeps the
    attribute with a value of no meaning, where the kind of object may require it.

    Args:
        tag: the attribute, of an even group.
        required: whether the object is of a kind that requires values (an enhanced one).
    """
    code = listed().get(tag, "")
    if code.endswith("U*"):  # references to other objects: their UIDs are replaced
        return Action.NONE
    letters = code.split("/")
    return Action(letters[-1] if required else letters[0])
