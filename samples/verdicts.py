"""What the model says of the samples: ``python -m samples.verdicts`` writes ``VERDICTS.md``.

The samples go the way of any upload into a new installation in a temporary folder, and the table
holds what its worklist shows. Nothing here changes a sample.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from pathlib import Path

from core.config import Settings
from core.errors import InputError
from core.services.analyse import load_engine
from core.services.installation import open_installation
from core.services.readers import add_reader
from core.services.samples import Sample, load_samples, samples
from core.services.scoring import score_waiting
from core.services.words import CLASS_NAMES, percent
from core.services.worklist import worklist_page
from core.types import CaseSummary, WorklistQuery

HERE = Path(__file__).parent
TABLE = HERE / "VERDICTS.md"
_HEAD = """# What the model says of the sample scans

Written by `python -m samples.verdicts`. The pictures and their seeds were fixed before the model
saw them; where it is wrong, the sample stays as it is. A case's answer is that of the scan that
decides its place in the worklist, with calibrated probabilities. Simulated scans tell nothing of
accuracy on patients: that is measured in the model card.

"""


def verdicts(settings: Settings) -> list[tuple[Sample, CaseSummary]]:
    """Every sample with its case, scored.

    Args:
        settings: of the installation; its storage is filled.

    Raises:
        InputError: a sample could not be used.
    """
    installation = open_installation(settings)
    try:
        loaded = load_samples(installation, add_reader(installation, "Samples"))
        if loaded.problems:
            raise InputError(" ".join(loaded.problems))
        score_waiting(installation, load_engine(settings))
        rows = worklist_page(installation, WorklistQuery(limit=200)).rows
    finally:
        installation.database.close()
    cases = {case.patient_reference: case for case in rows}
    return [(one, cases[one.reference]) for one in samples()]


def as_table(found: Iterable[tuple[Sample, CaseSummary]]) -> str:
    """The verdicts as a Markdown file."""
    pairs = list(found)
    right = sum(case.predicted is sample.meant for sample, case in pairs)
    versions = ", ".join(sorted({case.model_version or "none" for _, case in pairs}))
    lines = [
        f"Model {versions}: {right} of {len(pairs)} are right.",
        "",
        "| Sample | Files | Simulated | The model says | Tumour probability | Flagged | |",
        "|---|---|---|---|---|---|---|",
    ]
    for sample, case in pairs:
        said = "nothing"
        if case.predicted is not None and case.probability is not None:
            said = f"{CLASS_NAMES[case.predicted]}, {percent(case.probability)}"
        tumour = "" if case.tumour_probability is None else percent(case.tumour_probability)
        verdict = "right" if case.predicted is sample.meant else "**wrong**"
        scans = f"{sample.kind}, {sample.scans} slice{'' if sample.scans == 1 else 's'}"
        lines.append(
            f"| {sample.reference} | {scans} | {CLASS_NAMES[sample.meant]} | {said} | {tumour} "
            f"| {'for a human look' if case.flagged else ''} | {verdict} |"
        )
    return _HEAD + "\n".join(lines) + "\n"


def own_settings(folder: Path) -> Settings:
    """Settings of an installation in a folder, whatever database this machine is set up with."""
    return Settings(storage=folder, database_url="", queue_url="", worker="external")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="What the model says of the sample scans.")
    parser.add_argument("--out", type=Path, default=TABLE, help="the file to write")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chosen.out.write_text(as_table(verdicts(own_settings(Path(folder)))), encoding="utf-8")


if __name__ == "__main__":
    main()
