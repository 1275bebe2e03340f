"""Where weights come from: the commands of all runs that led to them."""

from __future__ import annotations

import csv
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from core.inference.weights import Provenance
from train import checkout
from train.config import RunConfig

LICENCE = (
    "CC BY-NC-SA 4.0, since LGG (Buda 2019) was among the training data; figshare's slices "
    "(Cheng 2017) are CC BY 4.0"
)


def provenance_of(*runs: Path) -> Provenance:
    """What the manifest says of run folders: data, lists, every command that led to them.

    Args:
        runs: finished run folders; the command that asks comes last.
    """
    steps = dict.fromkeys(step for run in runs for step in _ancestry(run))
    commands = [_command(step) for step in steps]
    commands.append(this_command())
    return Provenance(
        data="figshare (Cheng 2017), TCGA-LGG (Buda 2019), sartaj, nickparvar, Br35H",
        split="train/splits/four_class.csv and train/splits/lgg.csv, by patient",
        commands=commands,
        commit=checkout.commit() or "unknown",
        licence=LICENCE,
    )


def this_command() -> str:
    """The command that runs, as one would type it."""
    return shlex.join(["python", "-m", "train", *sys.argv[1:]])


def _command(run: Path) -> str:
    """A run's command; with what it came to, as the shell's comment, where the clock ended it."""
    command = (run / "command.txt").read_text().strip()
    if not RunConfig.load(run / "config.json").minutes:
        return command
    with (run / "log.csv").open(newline="") as handle:
        epochs = Counter(row["side"] for row in csv.DictReader(handle))
    return f"{command}  # came to " + ",".join(f"{count}x{side}" for side, count in epochs.items())


def _ancestry(run: Path) -> Iterator[Path]:
    """The run folders that a run came from, the first of them first, and the run itself.

    A run comes from its teacher and from the run whose weights it began with; a folder that is no
    longer there ends the chain.
    """
    config = RunConfig.load(run / "config.json")
    initial = [Path(config.init).parent] if Path(config.init).suffix == ".safetensors" else []
    for before in (*initial, *([Path(config.teacher)] if config.teacher else [])):
        if (before / "config.json").is_file() and (before / "command.txt").is_file():
            yield from _ancestry(before)
    yield run
