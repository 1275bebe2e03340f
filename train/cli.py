"""The command line of training."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from train.audit import COPY_FROM
from train.config import RunConfig
from train.experiments.command import commands as experiments
from train.repeats import DEFAULT_CACHE, Cache, Mix, QuarterTurns, alone
from train.repeats import commands as repeats
from train.terminal import data_root, guarded

app = typer.Typer(
    help="Train, measure and export the networks of NeuroTriage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(experiments)
app.add_typer(repeats)

RunFolder = Annotated[Path, typer.Option("--run", help="Run folder: checkpoints, log, weights.")]
_RUN_OR_WEIGHTS = "Finished run folder, or a weights folder whose network is kept."
Minutes = Annotated[
    float, typer.Option(min=0, help="End the schedule after this wall time; 0: never.")
]


@app.callback()
def _logging() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")


@app.command()
def classifier(
    run: RunFolder = Path("runs/classifier"),
    arch: Annotated[str, typer.Option(help="resnet50, or a teacher's name.")] = "resnet50",
    init: Annotated[
        str, typer.Option(help="imagenet, augnet, scratch or a safetensors file.")
    ] = "imagenet",
    stages: Annotated[str, typer.Option(help="Epochs x input side, such as 20x128,10x192.")] = (
        "20x128,10x192"
    ),
    epoch_size: Annotated[int, typer.Option(min=1, help="Draws per epoch.")] = 3000,
    batch_size: Annotated[int, typer.Option(min=2)] = 48,
    learning_rate: Annotated[float, typer.Option("--lr", help="Peak learning rate.")] = 1e-3,
    ema: Annotated[float, typer.Option(help="Decay of the averaged weights.")] = 0.995,
    teacher: Annotated[str, typer.Option(help="Run folder of a trained teacher.")] = "",
    teacher_weight: Annotated[float, typer.Option(min=0, max=1)] = 0.6,
    quarter_turns: QuarterTurns = 0.0,
    mix: Mix = 0.0,
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    seed: int = 1,
    minutes: Minutes = 0.0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last epoch.")] = False,
    cache: Cache = DEFAULT_CACHE,
) -> None:
    """Train the four-class classifier, or a teacher for it."""
    from train import runs

    config = RunConfig(
        task="classifier", arch=arch, init=init, stages=stages, epoch_size=epoch_size,
        batch_size=batch_size, learning_rate=learning_rate, ema=ema, teacher=teacher,
        teacher_weight=teacher_weight, quarter_turns=quarter_turns, mix=mix, precision=precision,
        seed=seed, minutes=minutes,
    )  # fmt: skip
    alone(lambda: runs.train(config, data_root(), cache, run, resume))


@app.command()
def segmenter(
    run: RunFolder = Path("runs/segmenter"),
    arch: Annotated[str, typer.Option(help="resunet50 or resunet.")] = "resunet",
    init: Annotated[
        str,
        typer.Option(help="scratch, imagenet, augnet or a safetensors file, a classifier's too."),
    ] = "scratch",
    stages: Annotated[str, typer.Option(help="Epochs x input side.")] = "16x128,10x192",
    epoch_size: Annotated[int, typer.Option(min=1, help="Draws per epoch.")] = 2400,
    batch_size: Annotated[int, typer.Option(min=2)] = 16,
    learning_rate: Annotated[float, typer.Option("--lr", help="Peak learning rate.")] = 2e-3,
    ema: Annotated[float, typer.Option(help="Decay of the averaged weights.")] = 0.995,
    quarter_turns: QuarterTurns = 0.0,
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    seed: int = 1,
    minutes: Minutes = 0.0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last epoch.")] = False,
    cache: Cache = DEFAULT_CACHE,
) -> None:
    """Train the ResUNet that draws the tumour mask."""
    from core.inference.networks import SEGMENTERS
    from train import runs

    if arch not in SEGMENTERS:
        raise typer.BadParameter(f"one of {', '.join(SEGMENTERS)}", param_hint="--arch")

    config = RunConfig(
        task="segmenter", arch=arch, init=init, stages=stages, epoch_size=epoch_size,
        batch_size=batch_size, learning_rate=learning_rate, ema=ema, quarter_turns=quarter_turns,
        precision=precision, seed=seed, minutes=minutes,
    )  # fmt: skip
    alone(lambda: runs.train(config, data_root(), cache, run, resume))


@app.command()
def average(
    run: Annotated[Path, typer.Argument(help="Finished run folder.")],
    other: Annotated[Path, typer.Argument(help="Safetensors file of the same network.")],
    out: Annotated[Path, typer.Option(help="Run folder for the mean.")],
    shares: Annotated[
        list[float] | None,
        typer.Option("--share", min=0, max=1, help="Of the run's weights; repeatable."),
    ] = None,
    cache: Cache = DEFAULT_CACHE,
) -> None:
    """Average a run's weights with those it went on from, by the share that is best on val."""

    def action() -> None:
        from train import runs
        from train.average import average as mean

        packs = runs.load_packs(data_root(), cache)
        typer.echo(f"{mean(run, other, *packs, out, shares or (0.25, 0.5, 0.75, 1.0)):g}")

    alone(action)


@app.command()
def export(
    classifier_run: Annotated[Path, typer.Option("--classifier", help=_RUN_OR_WEIGHTS)] = (
        Path("runs/classifier")
    ),
    segmenter_run: Annotated[Path, typer.Option("--segmenter", help=_RUN_OR_WEIGHTS)] = (
        Path("runs/segmenter")
    ),
    out: Annotated[Path, typer.Option(help="The weights folder.")] = Path("weights"),
    classifier_side: Annotated[
        int, typer.Option(help="Input side of the classifier; 0: of its last stage.")
    ] = 0,
    mirrored: Annotated[
        bool, typer.Option(help="Average the classifier over a picture and its mirror image.")
    ] = True,
    cache: Cache = DEFAULT_CACHE,
) -> None:
    """Write weights/: safetensors, inference graphs, what is fitted on val, and the manifest."""

    def action() -> None:
        from train import runs
        from train.export import export as write

        packs = runs.load_packs(data_root(), cache)
        write(classifier_run, segmenter_run, *packs, out, classifier_side, mirrored)

    guarded(action)


@app.command()
def calibrate(
    weights: Annotated[Path, typer.Option(help="The weights folder.")] = Path("weights"),
    cache: Cache = DEFAULT_CACHE,
) -> None:
    """Fit temperature and threshold on val anew, for networks that were exported already."""

    def action() -> None:
        from train import runs
        from train.export import calibrate as fit

        four_class, _ = runs.load_packs(data_root(), cache)
        fit(weights, four_class)

    guarded(action)


@app.command()
def evaluate(
    weights: Annotated[Path, typer.Option(help="The weights folder to measure.")] = Path("weights"),
    split: Annotated[str, typer.Option(help="test, or val while choosing.")] = "test",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where the figures go; else metrics.json beside the weights for test, "
            "runs/evaluation/SPLIT.json for another split."
        ),
    ] = None,
    runtime: Annotated[str, typer.Option(help="auto, openvino or torch.")] = "auto",
    pictures: Annotated[
        Path | None,
        typer.Option(help="Folder for sheets of the scans that went wrong. They show patients."),
    ] = None,
) -> None:
    """Measure the exported weights; on test, write metrics.json and the model card."""

    def action() -> None:
        from core.inference import Engine
        from train.anew import take_over
        from train.card import write_card
        from train.evaluation import evaluate as evaluation

        root = data_root()
        command = f"python -m train evaluate --weights {weights.name} --split {split}"
        report = evaluation.evaluate(
            Engine.load(weights, runtime), root, split, command, pictures=pictures
        )
        served = weights / "metrics.json"
        path = out or (served if split == "test" else Path("runs/evaluation") / f"{split}.json")
        evaluation.write(report, path)
        if split == "test" and path.resolve() == served.resolve():
            take_over(weights)
            write_card(weights)

    guarded(action)


@app.command()
def card(
    weights: Annotated[Path, typer.Option(help="The weights folder.")] = Path("weights"),
) -> None:
    """Take reports of sources and folds over into metrics.json, and write the model card anew."""

    def action() -> None:
        from train.anew import take_over
        from train.card import write_card

        take_over(weights)
        typer.echo(write_card(weights))

    guarded(action)


@app.command()
def audit(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders with pictures, one a set.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder for group list, figures and report.")] = (
        Path("runs/audit")
    ),
    html: Annotated[
        bool | None, typer.Option("--html/--markdown", help="Only one of the two reports.")
    ] = None,
    lists: Annotated[
        list[Path] | None,
        typer.Option("--list", help="CSV: dataset, path and label, split or group; repeatable."),
    ] = None,
    folder_labels: Annotated[
        bool,
        typer.Option(
            "--folder-labels/--no-folder-labels",
            help="Whether folders' names are labels; not if they are patients.",
        ),
    ] = True,
    copy_from: Annotated[
        float, typer.Option(min=0.5, max=1, help="Least similarity of a copy.")
    ] = COPY_FROM,
    workers: Annotated[int, typer.Option(min=1, help="Threads.")] = 2,
) -> None:
    """Find copies within and between sets of pictures, and what they do to the splits."""

    def action() -> None:
        from train.audit.figures import summary
        from train.audit.report import write_report
        from train.audit.run import audit as find

        found = find(
            folders,
            lists or (),
            folder_labels=folder_labels,
            copy_from=copy_from,
            workers=workers,
        )
        figures = write_report(found, out, html=html is not False, markdown=html is not True)
        typer.echo(f"{summary(figures)}\nReport: {out}")

    guarded(action)
