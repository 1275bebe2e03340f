"""Read scans as a training set: a ZIP archive that ``train.data.layouts`` reads once unpacked.

::

    README.txt
    manifest.csv
    glioma/<content hash>.png        the stored picture, byte by byte, in its own container
    no_tumor/<content hash>.jpg      ...

``manifest.csv`` has a line for each picture:

- ``path``: within the archive;
- ``label``: the class the readers gave the case;
- ``label_of``: ``scan`` where the label holds for this very picture, that is where it is the only
  one of its case or the case shows no tumour; ``case`` where it is one of several of a case with a
  tumour, and need not show it;
- ``model_class``, ``model_version``: what the model had said of the case; empty where nothing;
- ``decided_at``: of the last decision, in UTC;
- ``readers``: how many readers decided;
- ``patient``: a number within this archive; pictures of one patient share it, so that they can be
  kept on one side of a split. Patient references and names are not in the archive.
"""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import astuple, dataclass, fields
from typing import BinaryIO

from core.triage.words import DISCLAIMER
from core.types import TumourClass

_SUFFIXES = {"JPEG": "jpg", "TIFF": "tif"}
# Nothing in the archive but its content should differ from one export to the next.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_README = f"""\
Scans labelled by their readers, exported by NeuroTriage. {DISCLAIMER}

{{count}} pictures; {{missing}} more are left out, because the file store has lost or damaged them.

Unpack this archive as a folder of the training data (NEUROTRIAGE_DATA) and read it with
train.data.layouts.reader_samples. manifest.csv says what is known of each picture: "label" is the
readers' finding, "label_of" says whether it holds for the picture or only for its case.

Before training on it, make sure that it holds no scan of the val or test split.
"""


@dataclass(frozen=True)
class TrainingRow:
    """A line of the manifest; see the module."""

    path: str
    label: str
    label_of: str
    model_class: str
    model_version: str
    decided_at: str
    readers: int
    patient: int


def picture_path(label: TumourClass, content_key: str, source_format: str) -> str:
    """Where a picture lies in the archive.

    Args:
        label: the class the readers gave.
        content_key: hash of its bytes.
        source_format: its container, such as ``PNG``.
    """
    return f"{label}/{content_key}.{_SUFFIXES.get(source_format, source_format.lower())}"


class TrainingSetWriter:
    """Writes the archive picture by picture, so that its size does not matter for memory."""

    def __init__(self, out: BinaryIO) -> None:
        self._archive = zipfile.ZipFile(out, "w", allowZip64=True)
        self._rows: list[TrainingRow] = []

    def add(self, row: TrainingRow, picture: bytes) -> None:
        """Add a picture."""
        self._write(row.path, picture)
        self._rows.append(row)

    def close(self, missing: int = 0) -> None:
        """Write what goes with the pictures, and end the archive.

        Args:
            missing: pictures that should be in it and are not.
        """
        table = io.StringIO(newline="")
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(field.name for field in fields(TrainingRow))
        writer.writerows(astuple(row) for row in self._rows)
        self._write("manifest.csv", table.getvalue().encode())
        readme = _README.format(count=len(self._rows), missing=missing)
        self._write("README.txt", readme.encode())
        self._archive.close()

    def _write(self, name: str, data: bytes) -> None:
        self._archive.writestr(zipfile.ZipInfo(name, _NO_TIME), data)
