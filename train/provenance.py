"""Where weights come from: the commands of all runs that led to them."""

from __future__ import annotations

import csv
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.inference.weights import Provenance, load_manifest
from train import checkout
from train.config import RunConfig

COMMAND, BEFORE = "command.txt", "before.txt"
LICENCE = (
    "CC BY-NC-SA 4.0, since LGG (Buda 2019) was among the training data; figshare's slices "
    "(Cheng 2017) are CC BY 4.0"
)


def provenance_of(classifier_run: Path, segmenter_run: Path) -> Provenance:
    """What the manifest says of two networks: data, lists, every command that led to them.

    Args:
        classifier_run: finished run folder, or a weights folder whose classifier is kept.
        segmenter_run: the same of the segmenter. The command that asks comes last.
    """
    runs = {"classifier": classifier_run, "segmenter": segmenter_run}
    steps = dict.fromkeys(
        step for task, run in runs.items() for step in _steps_to(run, task, exported=True)
    )
    return Provenance(
        data="figshare (Cheng 2017), TCGA-LGG (Buda 2019), sartaj, nickparvar, Br35H",
        split="train/splits/four_class.csv and train/splits/lgg.csv, by patient",
        commands=[*steps, this_command()],
        commit=checkout.commit() or "unknown",
        licence=LICENCE,
    )


def this_command() -> str:
    """The command that runs, as one would type it, less where packed scans are kept."""
    words = list(sys.argv[1:])
    if "--cache" in words:
        at = words.index("--cache")
        del words[at : at + 2]
    return shlex.join(["python", "-m", "train", *words])


def write_command(config: RunConfig, folder: Path) -> None:
    """Leave the command that runs in its folder, and those that led to what it begins with.

    The latter are noted now: the weights that a run begins with may be replaced by what comes of
    it.
    """
    (folder / COMMAND).write_text(this_command() + "\n")
    before = dict.fromkeys(_steps_before(config))
    (folder / BEFORE).write_text("".join(f"{step}\n" for step in before))


def write_mean(run: Path, other: Path, folder: Path, share: float) -> None:
    """Leave what ``write_command`` does in the folder of a mean of two networks.

    Args:
        run: folder of the one.
        other: weights of the other.
        folder: of the mean.
        share: of the one, which was chosen.
    """
    (folder / COMMAND).write_text(f"{this_command()}  # the share taken: {share:g}\n")
    task = RunConfig.load(run / "config.json").task
    before = dict.fromkeys([*_steps_to(other.parent, task), *_steps_of(run)])
    (folder / BEFORE).write_text("".join(f"{step}\n" for step in before))


def _steps_of(run: Path) -> list[str]:
    """The commands that led to a run folder, the first of them first, and the run's own."""
    config, noted = RunConfig.load(run / "config.json"), run / BEFORE
    before = noted.read_text().splitlines() if noted.is_file() else _steps_before(config)
    return [*before, _command(run, config)]


def _steps_before(config: RunConfig) -> Iterator[str]:
    """The commands that led to what a run begins with: its first weights, then its teacher."""
    initial = Path(config.init)
    if initial.suffix == ".safetensors":
        # An encoder may begin with the classifier's weights.
        task = "classifier" if initial.name == "classifier.safetensors" else config.task
        yield from _steps_to(initial.parent, task)
    if config.teacher:
        yield from _steps_to(Path(config.teacher), config.task)


def _steps_to(folder: Path, task: str, exported: bool = False) -> Iterator[str]:
    """The commands that led to a network in a run folder, or in a weights folder by its manifest.

    A folder that is no longer there, and one that says nothing, ends the chain.

    Args:
        folder: of a run, or weights.
        task: of the network.
        exported: whether the command that made the weights folder counts, too.
    """
    if (folder / "config.json").is_file() and (folder / COMMAND).is_file():
        yield from _steps_of(folder)
    elif (folder / "manifest.json").is_file():
        commands = load_manifest(folder).provenance.commands
        yield from _of_task(commands, task)
        if exported:
            yield from (one for one in commands if _name_of(one) == "export")


def _of_task(commands: Sequence[str], task: str) -> Iterator[str]:
    """The trainings of a task among a manifest's commands, and the means of what they made."""
    runs: list[str] = []
    for command in commands:
        words, name = shlex.split(command, comments=True), _name_of(command)
        if name == task:
            runs.append(words[words.index("--run") + 1] if "--run" in words else f"runs/{task}")
            yield command
        elif name == "average" and set(runs) & set(words):
            yield command


def _name_of(command: str) -> str:
    """The subcommand of ``python -m train ...``; empty where it is none."""
    words = shlex.split(command, comments=True)
    return words[words.index("train") + 1] if "train" in words[:-1] else ""


def _command(run: Path, config: RunConfig) -> str:
    """A run's command; with what it came to, as the shell's comment, where the clock ended it."""
    command = (run / COMMAND).read_text().strip()
    if not config.minutes:
        return command
    with (run / "log.csv").open(newline="") as handle:
        epochs = Counter(row["side"] for row in csv.DictReader(handle))
    return f"{command}  # came to " + ",".join(f"{count}x{side}" for side, count in epochs.items())
