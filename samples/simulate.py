"""Make the sample scans of the demonstration: ``python -m samples.simulate``.

Nobody's scan is in them. The head is Colin 27 (see ``NOTICE``), a freely licensed average of scans
of one volunteer, as Debian's package mricron-data carries it; bent, turned and mirrored for each
case (``scanner.py``), with the brightening of a contrast agent (``anatomy.py``) and a tumour
(``lesions.py``) computed into it. Cases and seeds stand in ``plan.py``; the same seed gives the
same bytes with the same versions of NumPy, SciPy and Pillow.

What a model says of the pictures plays no part in here.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from samples.anatomy import Anatomy, load_anatomy, with_contrast
from samples.lesions import with_lesion
from samples.plan import CASES, SEED, Case
from samples.scanner import scanned, somebody
from samples.writing import dicom_files, nifti_file, png_files

HERE = Path(__file__).parent
TEMPLATE = Path("/usr/share/mricron/templates/ch2.nii.gz")
BRAIN = Path("/usr/share/mricron/templates/ch2bet.nii.gz")
MANIFEST = "samples.json"


@dataclass(frozen=True)
class Entry:
    """A case in the manifest; see ``plan.Case``.

    Attributes:
        reference: what stands for the patient.
        meant: the class that was simulated.
        kind: of the files.
        words: the case in a sentence.
        scans: slices in all its files.
        files: relative to ``cases/``.
    """

    reference: str
    meant: str
    kind: str
    words: str
    scans: int
    files: list[str]


def simulated(anatomy: Anatomy, case: Case, seed: int = SEED) -> dict[str, bytes]:
    """The files of one case, by name.

    Args:
        anatomy: the template.
        case: which one.
        seed: with the case's number it decides everything random.
    """
    random = np.random.default_rng((seed, case.number))
    volume = with_contrast(anatomy, random)
    if case.lesion is not None:
        volume = with_lesion(volume, anatomy, case.lesion, random)
    slices = scanned(volume, anatomy, somebody(random), case.protocol, random)
    writers = {"PNG": png_files, "DICOM": dicom_files, "NIfTI": nifti_file}
    return writers[case.kind](case, slices)


def write_cases(anatomy: Anatomy, cases: Sequence[Case], folder: Path, seed: int = SEED) -> None:
    """Write the files of cases to ``folder/cases``, and the manifest of these cases beside it."""
    entries = []
    for case in cases:
        files = simulated(anatomy, case, seed)
        for name, data in files.items():
            path = folder / "cases" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        scans = len(case.protocol.positions)
        entries.append(Entry(case.reference, case.meant, case.kind, case.words, scans, list(files)))
    manifest = {"seed": seed, "cases": [asdict(entry) for entry in entries]}
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make the sample scans of the demonstration.")
    parser.add_argument("--template", type=Path, default=TEMPLATE, help="Colin 27, whole head")
    parser.add_argument("--brain", type=Path, default=BRAIN, help="Colin 27, brain alone")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for cases/ and the manifest")
    chosen = parser.parse_args()
    write_cases(load_anatomy(chosen.template, chosen.brain), CASES, chosen.out)


if __name__ == "__main__":
    main()
