"""The commands ``sources`` and ``folds``: what the committed split does not show by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from train.config import RunConfig
from train.terminal import data_root, guarded

commands = typer.Typer()

Cache = Annotated[Path, typer.Option(help="Folder for the packed scans (about 2 GB).")]
QuarterTurns = Annotated[
    float, typer.Option(min=0, max=1, help="Share of the draws turned by 90, 180 or 270 degrees.")
]
Mix = Annotated[
    float, typer.Option(min=0, max=1, help="Share of the classifier's draws laid over another.")
]
DEFAULT_CACHE = Path(".cache/packs")


def alone(action: Callable[[], object]) -> None:
    """Run what does not share its work with other processes."""

    def checked() -> None:
        from train import runs

        runs.check_alone()
        action()

    guarded(checked)


@commands.command()
def sources(
    run: Annotated[Path, typer.Option(help="Run folder.")] = Path("runs/sources"),
    left_out: Annotated[
        list[str] | None, typer.Option("--source", help="Only this one; repeatable.")
    ] = None,
    arch: Annotated[str, typer.Option(help="A network's name.")] = "efficientnet_lite0",
    init: Annotated[
        str, typer.Option(help="imagenet, augnet, scratch or a safetensors file.")
    ] = "imagenet",
    side: Annotated[int, typer.Option(min=32, help="Input side in pixels.")] = 128,
    epochs: Annotated[int, typer.Option(min=1)] = 4,
    epoch_size: Annotated[int, typer.Option(min=1, help="Draws per epoch.")] = 1500,
    batch_size: Annotated[int, typer.Option(min=2)] = 32,
    learning_rate: Annotated[float, typer.Option("--lr", help="Peak learning rate.")] = 5e-4,
    ema: Annotated[float, typer.Option(help="Decay of the averaged weights.")] = 0.98,
    split: Annotated[str, typer.Option(help="test, or val while choosing.")] = "test",
    seed: int = 1,
    cache: Cache = DEFAULT_CACHE,
) -> None:
    """Leave one source out: train without each source and measure on it."""

    def action() -> None:
        from train import runs
        from train.sources import leave_one_out, markdown

        config = RunConfig(
            task="classifier", arch=arch, init=init, stages=f"{epochs}x{side}",
            epoch_size=epoch_size, batch_size=batch_size, learning_rate=learning_rate, ema=ema,
            seed=seed,
        )  # fmt: skip
        packs = runs.load_packs(data_root(), cache)
        typer.echo(markdown(leave_one_out(config, *packs, run, left_out or (), split)))

    alone(action)


@commands.command()
def folds(
    task: Annotated[str, typer.Argument(help="classifier or segmenter.")] = "classifier",
    run: Annotated[Path | None, typer.Option(help="Run folder; else runs/folds-TASK.")] = None,
    count: Annotated[int, typer.Option("--folds", min=3)] = 5,
    only: Annotated[
        list[int] | None, typer.Option("--fold", help="Only this one, from 1; repeatable.")
    ] = None,
    arch: Annotated[
        str, typer.Option(help="resnet50, or a teacher's; resunet and resunet50 outline.")
    ] = "",
    init: Annotated[
        str,
        typer.Option(
            help="imagenet, augnet, scratch, or the folder of what this command trained in the "
            "same folds."
        ),
    ] = "scratch",
    stages: Annotated[str, typer.Option(help="Epochs x input side.")] = "8x128",
    epoch_size: Annotated[int, typer.Option(min=1, help="Draws per epoch.")] = 3000,
    batch_size: Annotated[int, typer.Option(min=2)] = 32,
    learning_rate: Annotated[float, typer.Option("--lr", help="Peak learning rate.")] = 6e-4,
    ema: Annotated[float, typer.Option(help="Decay of the averaged weights.")] = 0.995,
    teacher: Annotated[
        str, typer.Option(help="Folder of teachers that this command trained in the same folds.")
    ] = "",
    teacher_weight: Annotated[float, typer.Option(min=0, max=1)] = 0.6,
    quarter_turns: QuarterTurns = 0.0,
    mix: Mix = 0.0,
    seed: int = 1,
    cache: Cache = DEFAULT_CACHE,
) -> None:
    """Train one recipe in folds of patients: mean and spread of what one split shows."""

    def action() -> None:
        from core.inference.networks import SEGMENTERS
        from train import runs
        from train.folds import markdown, train_folds

        if task not in ("classifier", "segmenter"):
            raise ValueError(f"classifier or segmenter, not {task!r}")
        if task == "segmenter" and (teacher or arch not in ("", *SEGMENTERS)):
            raise ValueError(f"the segmenter is {' or '.join(SEGMENTERS)} and has no teacher")
        if task == "segmenter" and mix:
            raise ValueError("only the classifier's draws can be mixed")
        config = RunConfig(
            task=task, arch=arch or ("resnet50" if task == "classifier" else "resunet"), init=init,
            stages=stages, epoch_size=epoch_size, batch_size=batch_size,
            learning_rate=learning_rate, ema=ema, teacher=teacher, teacher_weight=teacher_weight,
            quarter_turns=quarter_turns, mix=mix, seed=seed,
        )  # fmt: skip
        packs = runs.load_packs(data_root(), cache)
        folder = run or Path(f"runs/folds-{task}")
        typer.echo(markdown(train_folds(config, *packs, folder, count, only or ())))

    alone(action)


@commands.command()
def lists(
    groups: Annotated[
        Path | None,
        typer.Option(help="groups.csv of an audit: copies that the manifest lacks; else as known."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the lists.")] = Path("train/splits"),
) -> None:
    """Write the split lists from the data folder's manifest and an audit's groups of copies."""

    def action() -> None:
        from train.data import splits

        root = data_root()
        listed = splits.four_class_samples(root)
        copies = splits.audited_copies(groups or splits.COPIES_LIST)
        splits.write_copies(out / splits.COPIES_LIST.name, listed, copies)
        four_class = splits.join_copies(listed, copies)
        for path, samples in (
            (splits.FOUR_CLASS_LIST, four_class),
            (splits.LGG_LIST, splits.lgg_samples(root)),
        ):
            splits.write_list(out / path.name, samples)

    guarded(action)
