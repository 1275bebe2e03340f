"""What a training run is made of."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path


def fingerprint(*contents: object) -> str:
    """A short hash of what JSON can hold."""
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class RunConfig:
    """A training run of the classifier, a teacher or the segmenter.

    Every field is an option of the command line, but for ``data`` and ``files``: these say what the
    run was given, so that it is not gone on from with something else.

    Attributes:
        task: ``classifier`` or ``segmenter``.
        arch: name in ``train.models.registry``.
        init: ``imagenet``, ``augnet``, ``scratch`` or the path of a safetensors file.
        stages: epochs and input side of each stage, such as ``20x128,10x192``.
        epoch_size: draws per epoch.
        batch_size: draws per step.
        learning_rate: peak of the one-cycle schedule (AdamW).
        weight_decay: AdamW's, on weights of two or more dimensions.
        label_smoothing: of the cross entropy.
        ema: decay of the averaged weights, which are the ones kept.
        teacher: run folder of a trained teacher, or empty.
        teacher_weight: share of the distillation loss, 0 to 1.
        teacher_temperature: of the distillation.
        quarter_turns: share of the draws turned by 90, 180 or 270 degrees, 0 to 1. The teacher
            sees them upright.
        mix: share of the classifier's draws laid over another one, 0 to 1.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``.
        seed: of every draw.
        minutes: wall time after which the schedule has come to its end, whatever the stages say;
            0 for none. For machines whose speed is not known beforehand.
        data: fingerprint of the lists it is trained on; empty in folders from before there was one.
        files: fingerprint of the files it begins with (first weights, teacher); empty for none.
    """

    task: str
    arch: str
    init: str = "imagenet"
    stages: str = "20x128"
    epoch_size: int = 3000
    batch_size: int = 48
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    ema: float = 0.995
    teacher: str = ""
    teacher_weight: float = 0.6
    teacher_temperature: float = 2.0
    quarter_turns: float = 0.0
    mix: float = 0.0
    precision: str = "auto"
    seed: int = 1
    minutes: float = 0.0
    data: str = ""
    files: str = ""

    def stage_list(self) -> list[tuple[int, int]]:
        """Pairs of epochs and input side.

        Raises:
            ValueError: the text does not read ``EPOCHSxSIDE,...``.
        """
        try:
            pairs = [tuple(int(v) for v in part.split("x")) for part in self.stages.split(",")]
            return [(epochs, side) for epochs, side in pairs]
        except ValueError as error:
            raise ValueError(
                f"stages must read like 20x128,10x192 (epochs x pixels), got {self.stages!r}"
            ) from error

    @property
    def epochs(self) -> int:
        """Epochs of all stages."""
        return sum(epochs for epochs, _ in self.stage_list())

    def side_at(self, epoch: int) -> int:
        """Input side of an epoch, counted from 0."""
        for epochs, side in self.stage_list():
            if epoch < epochs:
                return side
            epoch -= epochs
        raise ValueError("epoch beyond the last stage")

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @staticmethod
    def load(path: Path) -> RunConfig:
        """Read what ``save`` wrote."""
        return RunConfig(**json.loads(path.read_text()))


def trained_side(run: Path) -> int:
    """The input side that a run came to: of the last row of ``log.csv``, else of its last stage.

    A run that the clock ended may never have seen its last stage's side.

    Args:
        run: a run folder.
    """
    log = run / "log.csv"
    if log.is_file():
        with log.open(newline="") as handle:
            sides = [int(row["side"]) for row in csv.DictReader(handle)]
        if sides:
            return sides[-1]
    return RunConfig.load(run / "config.json").stage_list()[-1][1]
