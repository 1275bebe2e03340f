"""The table of the Basic Profile against the lists of dicom-anonymizer, made from the standard.

Run as a program it writes the table anew: ``python tests/core/imaging/test_deidentify_profile.py``.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.imaging.deidentify import profile
from core.imaging.deidentify.profile import EDITION, Action, action, listed

TABLE = Path(profile.__file__).with_name("basic_profile.csv")
_CODES = {
    "D_TAGS": "D", "Z_TAGS": "Z", "X_TAGS": "X", "U_TAGS": "U", "Z_D_TAGS": "Z/D",
    "X_Z_TAGS": "X/Z", "X_D_TAGS": "X/D", "X_Z_D_TAGS": "X/Z/D", "X_Z_U_STAR_TAGS": "X/Z/U*",
}  # fmt: skip


def rows_of_package() -> list[str]:
    """The rows of the table by the package's source, whose comments hold the names."""
    package = pytest.importorskip("dicomanonymizer")
    folder = Path(package.__file__).parent / "dicom_anonymization_databases"
    text = (folder / f"dicomfields_{EDITION}.py").read_text("utf-8")
    rows = []
    for name, body in re.findall(r"^(\w+_TAGS) = \[\n(.*?)^\]", text, re.S | re.M):
        for numbers, title in re.findall(r"\(\s*((?:0x\w{4},?\s*)+)\),\s*# (.*)", body):
            parts = [part.upper() for part in re.findall(r"0x(\w{4})", numbers)]
            tag = "".join(parts[:2])
            mask = "".join(parts[2:]) or "FFFFFFFF"
            tag = "".join(d if m == "F" else "x" for d, m in zip(tag, mask, strict=True))
            if name in _CODES:
                rows.append(f"{tag};{_CODES[name]};{title.strip()}")
    return sorted(rows)


def table_lines() -> tuple[list[str], list[str]]:
    lines = TABLE.read_text("utf-8").splitlines()
    return [x for x in lines if x.startswith("#")], [x for x in lines if not x.startswith("#")]


def test_the_table_is_the_one_of_the_standard() -> None:
    head, rows = table_lines()
    assert rows == rows_of_package()
    assert EDITION in head[0]


def test_known_rows_of_the_standard() -> None:
    assert len(listed()) > 600
    for tag, code in {
        0x00100010: "Z", 0x00100020: "Z/D", 0x00100030: "Z", 0x00080050: "Z", 0x00080018: "U",
        0x0020000D: "U", 0x0008103E: "X", 0x00080080: "X/Z/D", 0x00081140: "X/Z/U*",
        0x00204000: "X", 0x00181030: "X/D", 0x00189074: "D",
    }.items():  # fmt: skip
        assert listed()[tag] == code, hex(tag)


def test_compound_codes_remove_most_unless_the_object_requires_a_value() -> None:
    institution, reference, rows = 0x00080080, 0x00081140, 0x00280010
    assert action(institution, required=False) is Action.REMOVE
    assert action(institution, required=True) is Action.DUMMY
    assert action(reference, required=False) is action(rows, required=True) is Action.NONE


if __name__ == "__main__":
    TABLE.write_text("\n".join([*table_lines()[0], *rows_of_package(), ""]), "utf-8")
