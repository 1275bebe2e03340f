"""The command line.

Exit status: 0 all done, 1 an input failed, 2 wrong usage, 3 no weights, 4 no storage.
"""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import ExitStack
from io import RawIOBase
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from tqdm import tqdm

from core.errors import StoreError, WeightsError
from core.services.analyse import (
    SUPPORTED_SUFFIXES,
    Outcome,
    Success,
    load_engine,
)
from core.services.analyse_files import AnalysedSlice, FileAnalysis, VolumeSummary, is_dicom_file
from core.services.pictures import heat_map_png, mask_png
from core.services.rle import encode_rle

EXIT_FAILED_INPUT, EXIT_USAGE, EXIT_NO_WEIGHTS, EXIT_NO_STORE = 1, 2, 3, 4

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_show_locals=False)


@app.callback()
def main() -> None:
    """NeuroTriage: research and demonstration software, not a medical device."""


@app.command()
def analyse(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...",
            help="Pictures, DICOM and NIfTI files, ZIP archives of them, or folders of them.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="File for the results, replaced if it exists; else stdout.")
    ] = None,
    save_dir: Annotated[
        Path | None, typer.Option(help="Folder for the masks and Grad-CAM heat maps (PNG).")
    ] = None,
) -> None:
    """Analyse scans: one line of JSON per picture or slice, in input order.

    Folders are searched with their subfolders, in sorted order, for JPEG, PNG, TIFF, BMP, WebP,
    DICOM and NIfTI files; a file that is named is tried whatever its name, and a ZIP archive that
    is named is unpacked. After all others comes one line for each volume of several slices. Exit
    status: 0 all analysed, 1 an input failed (its line says why), 2 wrong usage, 3 no usable
    weights.
    """
    paths, anything = _expand(inputs, save_dir)
    if not anything:
        _leave(f"No pictures found. Looked for {', '.join(SUPPORTED_SUFFIXES)}.", EXIT_USAGE)
    try:
        engine = load_engine()
    except WeightsError as error:
        _leave(str(error), EXIT_NO_WEIGHTS)
    failed = False
    with ExitStack() as stack:
        try:
            if save_dir is not None:
                save_dir.mkdir(parents=True, exist_ok=True)
            # Unbuffered: a line leaves in one write, so a killed run leaves whole lines.
            stream = stack.enter_context(out.open("wb", buffering=0)) if out else _stdout()
        except OSError as error:
            _leave(f"Cannot write to {error.filename}: {error.strerror}.", EXIT_USAGE)
        analysis = FileAnalysis(engine, ((_shown(path), path) for path in paths))
        hidden = not sys.stderr.isatty()
        bar = stack.enter_context(tqdm(analysis.outcomes(), unit="scan", disable=hidden))
        for number, (outcome, one) in enumerate(bar, start=1):
            bar.total = analysis.expected
            files = _save(outcome, save_dir, number, one) if save_dir else (None, None)
            _write_line(stream, _record(outcome, *files) | _slice_record(one))
            failed = failed or not isinstance(outcome, Success)
        for summary in analysis.summaries():
            _write_line(stream, _volume_record(summary))
    raise typer.Exit(EXIT_FAILED_INPUT if failed else 0)


@app.command()
def worker(
    processes: Annotated[
        int, typer.Option(min=1, help="How many score at the same time; each loads the networks.")
    ] = 1,
) -> None:
    """Score uploaded scans in the background until Ctrl-C or SIGTERM, which may come at any time.

    What is in hand is finished first; a second Ctrl-C ends at once, and what was in hand is scored
    later. Exit status: 0 stopped, 2 wrong usage, 3 no usable weights, 4 no usable storage.
    """
    # Here, because `analyse` need not wait until the libraries of the database are loaded.
    from core.services.installation import open_installation
    from core.services.workers import run_worker

    try:
        stopped = run_worker(open_installation(), processes)
    except StoreError as error:
        _leave(str(error), EXIT_NO_STORE)
    raise typer.Exit(0 if stopped else EXIT_NO_WEIGHTS)


@app.command()
def dicom_node(
    retry: Annotated[
        bool, typer.Option(help="Send results again that were given up earlier.")
    ] = False,
) -> None:
    """Receive scans by DICOM, and send results to an archive, until Ctrl-C or SIGTERM.

    Set up by NEUROTRIAGE_NODE__..., which the README lists. Scores nothing: the application does,
    or `worker`. What is in hand when it is stopped is finished first; it may also be killed, and
    senders send again what was not acknowledged. Exit status: 0 stopped, 2 wrong settings, 4 no
    usable storage.
    """
    try:
        from core.node.run import NodeError, run_node
    except ModuleNotFoundError as error:
        _leave(f"{error.name} is not installed: install requirements-server.txt.", EXIT_USAGE)
    from core.config import settings

    try:
        run_node(settings(), retry=retry)
    except NodeError as error:
        _leave(str(error), EXIT_USAGE)
    except StoreError as error:
        _leave(str(error), EXIT_NO_STORE)


def _expand(inputs: list[Path], save_dir: Path | None) -> tuple[list[Path], bool]:
    """The files to try, and whether there is anything but folders without pictures among them.

    A folder without pictures stands for itself: it becomes a line that says so.
    """
    paths: list[Path] = []
    anything = False
    for path in inputs:
        found = _pictures_in(path, save_dir) if path.is_dir() else [path]
        anything = anything or bool(found)
        paths.extend(found or [path])
    return paths, anything


def _pictures_in(folder: Path, save_dir: Path | None) -> list[Path]:
    # What an earlier run saved below the folder is a result and no scan.
    results = save_dir.resolve() if save_dir else None
    found: list[Path] = []
    for root, folders, files in os.walk(folder):
        here = Path(root)
        folders[:] = [
            f for f in folders if not f.startswith(".") and (here / f).resolve() != results
        ]
        if here.resolve() != results:
            found.extend(
                here / name
                for name in files
                # macOS leaves "._scan.png" beside "scan.png" on foreign drives: no picture.
                if not name.startswith(".") and _is_scan(here / name)
            )
    return sorted(found)


def _is_scan(path: Path) -> bool:
    """Whether a file in a folder is one to try: by its suffix, which DICOM files need not have."""
    if path.suffix.lower() == ".gz":
        return path.name.lower().endswith(".nii.gz")
    if path.suffix.lower() in SUPPORTED_SUFFIXES:
        return True
    # A DICOMDIR lists the others, which are found by themselves.
    return path.name.upper() != "DICOMDIR" and is_dicom_file(path)


def _shown(path: Path) -> str:
    """A path as text that JSON can carry, whatever bytes the file system allows in names."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _save(
    outcome: Outcome, save_dir: Path, number: int, one: AnalysedSlice | None
) -> tuple[Path | None, Path | None]:
    """Save mask and heat map; the number keeps files of equal names in different folders apart.

    The names of DICOM and NIfTI files often say who the patient is: they are not repeated.
    """
    if not isinstance(outcome, Success):
        return None, None
    stem = re.sub(r"[^A-Za-z0-9.-]+", "_", Path(outcome.name).stem)[:60]
    if one is not None:
        stem = f"volume{one.volume}"
    mask_file = save_dir / f"{number:05d}_{stem}_mask.png"
    gradcam_file = save_dir / f"{number:05d}_{stem}_gradcam.png"
    try:
        mask_file.write_bytes(mask_png(outcome.analysis.mask))
        gradcam_file.write_bytes(heat_map_png(outcome.analysis.heat_map))
    except OSError as error:
        _leave(f"Cannot write to {save_dir}: {error.strerror}.", EXIT_USAGE)
    return mask_file, gradcam_file


def _record(outcome: Outcome, mask_file: Path | None, gradcam_file: Path | None) -> dict[str, Any]:
    """The fields of a JSON line; the same ones for a failure, with null."""
    found = outcome.analysis if isinstance(outcome, Success) else None
    return {
        "input": outcome.name,
        "status": "ok" if found else "error",
        "error": None if isinstance(outcome, Success) else outcome.error,
        "probabilities": found and {str(c): round(p, 6) for c, p in found.probabilities.items()},
        "predicted": found and str(found.predicted),
        "tumour_probability": found and round(found.tumour_probability, 6),
        "suspected": found and bool(found.suspected),
        "ood_score": found and round(found.ood_score, 6),
        "in_distribution": found and bool(found.in_distribution),
        "mask_area_fraction": found and round(found.mask_area_fraction, 6),
        "mask_size": found and list(found.mask.shape),
        "mask_rle": found and encode_rle(found.mask),
        "mask_file": mask_file and _shown(mask_file),
        "gradcam_file": gradcam_file and _shown(gradcam_file),
        "model_version": found and found.model_version,
        "elapsed_ms": found and round(found.elapsed_ms, 3),
    }


def _slice_record(one: AnalysedSlice | None) -> dict[str, Any]:
    """What the line of a slice says beyond that of a picture."""
    if one is None:
        return {}
    place = one.place
    return {
        "frame": one.frame,
        "volume": one.volume,
        "position_mm": place and round(place.position_mm, 4),
        "spacing_mm": place and [round(mm, 6) for mm in place.spacing_mm],
    }


def _volume_record(one: VolumeSummary) -> dict[str, Any]:
    """The fields of the line that sums up a volume."""
    found, measures = one.finding, one.measures
    volume_mm3 = measures and measures.volume_mm3
    across = measures and measures.diameter_mm
    return {
        "volume": one.volume,
        "part": one.part,
        "status": "volume",
        "lines": list(one.outcomes),
        "series": one.name,
        "notices": list(one.notices),
        "slices": one.slices,
        "analysed": one.analysed,
        "unlike_training": one.unlike_training,
        "leading_input": one.leading and one.leading[0],
        "leading_frame": one.leading and one.leading[1],
        "stands_out_input": one.stands_out and one.stands_out[0],
        "stands_out_frame": one.stands_out and one.stands_out[1],
        "probabilities": found and {str(c): round(p, 6) for c, p in found.probabilities.items()},
        "predicted": found and str(found.predicted),
        "tumour_probability": found and round(found.tumour_probability, 6),
        "suspected": found and bool(found.suspected),
        "in_distribution": found and bool(found.in_distribution),
        "masked_slices": measures.masked_slices if measures else 0,
        "mask_volume_cm3": None if volume_mm3 is None else round(volume_mm3 / 1000, 4),
        "longest_diameter_mm": None if across is None else round(across, 2),
        "model_version": found and found.model_version,
    }


def _stdout() -> BinaryIO | RawIOBase:
    """Standard output, below its buffer where it has one."""
    sys.stdout.flush()
    return getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)


def _write_line(stream: BinaryIO | RawIOBase, record: dict[str, Any]) -> None:
    rest = memoryview((json.dumps(record, allow_nan=False) + "\n").encode())
    while rest:  # a pipe may take less than it is given
        rest = rest[stream.write(rest) or 0 :]
    stream.flush()


def _leave(message: str, status: int) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(status)
