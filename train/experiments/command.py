"""The commands ``experiment``, ``table`` and ``tune``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from train.terminal import data_root, guarded

if TYPE_CHECKING:
    from train.experiments.run import Request

commands = typer.Typer()

Name = Annotated[str, typer.Argument(help="See --list, or the path of a YAML file.")]
Split = Annotated[
    str, typer.Option(help="random (the document's, which leaks) or patient (the committed one).")
]
Init = Annotated[
    str, typer.Option(help="imagenet, augnet, scratch or a file; empty: as configured.")
]
Epochs = Annotated[int, typer.Option(min=0, help="Shorten the schedule; 0: the document's.")]
Out = Annotated[Path | None, typer.Option(help="Folder of this run.")]
Changes = Annotated[
    list[str], typer.Option("--set", help="KEY=VALUE, such as training.optimizer=sgd. Repeatable.")
]
Runs = Annotated[Path, typer.Option(help="Folder of all runs.")]
Cache = Annotated[Path, typer.Option(help="Folder for resized pictures.")]
DEFAULT_CACHE = Path(".cache/pictures")
DEFAULT_RUNS = Path("runs/experiments")


@commands.command()
def experiment(
    name: Annotated[str, typer.Argument(help="See --list, or the path of a YAML file.")] = "",
    split: Split = "patient",
    init: Init = "",
    epochs: Epochs = 0,
    out: Out = None,
    changes: Changes = [],  # noqa: B006 (Typer copies it)
    cache: Cache = DEFAULT_CACHE,
    runs: Runs = DEFAULT_RUNS,
    listing: Annotated[bool, typer.Option("--list", help="Name the experiments.")] = False,
    spark: Annotated[int, typer.Option(min=0, help="Run as so many tasks of Spark.")] = 0,
    spark_gpu: Annotated[bool, typer.Option(help="One GPU for each of them.")] = False,
    spark_local: Annotated[bool, typer.Option(help="On Spark's driver alone.")] = False,
) -> None:
    """Run a system of the source documents, also under torchrun or on Spark."""

    def action() -> None:
        from train import distributed
        from train.experiments import run as running
        from train.experiments.config import load, names

        if listing:
            for one in names():
                typer.echo(f"{one:42} {load(one).title}")
            return
        if not name:
            raise ValueError("name an experiment; --list names them all")
        request = running.Request(
            name, split, data_root(), cache, runs, out, init or None, epochs or None,
            tuple(changes),
        )  # fmt: skip
        request.experiment()  # what does not fit is said before anything starts
        if spark:
            distributed.run_on_spark(_arguments(request), spark, gpu=spark_gpu, local=spark_local)
            return
        with distributed.joined_team() as team:
            folder = running.run(request, team)
            if team.first:
                typer.echo(f"{folder}/metrics.json")

    guarded(action)


@commands.command()
def table(
    runs: Runs = DEFAULT_RUNS,
    out: Annotated[Path | None, typer.Option(help="Folder for table.md and table.csv.")] = None,
) -> None:
    """All finished runs beside the documents' figures, as Markdown and CSV."""

    def action() -> None:
        from train.experiments import table as tabulating

        folder, text = out or runs, tabulating.markdown(runs)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "table.md").write_text(text, encoding="utf-8")
        (folder / "table.csv").write_text(tabulating.comma_separated(runs), encoding="utf-8")
        typer.echo(text)

    guarded(action)


@commands.command()
def tune(
    name: Name,
    trials: Annotated[int, typer.Option(min=1, help="In all, earlier ones counted.")] = 40,
    split: Split = "patient",
    init: Init = "",
    epochs: Epochs = 0,
    out: Out = None,
    changes: Changes = [],  # noqa: B006 (Typer copies it)
    cache: Cache = DEFAULT_CACHE,
) -> None:
    """Search an experiment's hyper-parameters; asked for again, the search goes on."""

    def action() -> None:
        from train.experiments import run as running
        from train.experiments import tune as tuning
        from train.runs import check_alone

        check_alone()
        request = running.Request(
            name, split, data_root(), cache, DEFAULT_RUNS, out, init or None, epochs or None,
            tuple(changes),
        )  # fmt: skip
        typer.echo(f"{tuning.tune(request, trials)}/{tuning.BEST}")

    guarded(action)


def _arguments(request: Request) -> list[str]:
    """The command line of a request, with paths that hold wherever it is run."""
    own = request.name.endswith(".yaml")
    arguments = ["experiment", str(Path(request.name).resolve()) if own else request.name]
    arguments += ["--split", request.split, "--out", str(request.folder().resolve())]
    arguments += ["--cache", str(request.cache.resolve()), "--runs", str(request.runs.resolve())]
    if request.init is not None:
        init = Path(request.init)
        arguments += ["--init", str(init.resolve()) if init.is_file() else request.init]
    if request.epochs is not None:
        arguments += ["--epochs", str(request.epochs)]
    for change in request.changes:
        arguments += ["--set", change]
    return arguments
