"""What an experiment is made of: a YAML file, read strictly.

A file may name another as its ``base`` and then says only what differs. Files whose name begins
with an underscore are bases and no experiments.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.types import CLASSES

CONFIGS = Path(__file__).parent / "configs"
DETECTION_CLASSES = ("no_tumor", "tumor")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Input(_Strict):
    """What a picture becomes before the network sees it."""

    side: int = Field(default=224, ge=16, description="Pixels of the square it is resized to.")
    channels: Literal[1, 3] = 3
    normalise: bool = Field(default=False, description="By ImageNet's mean and deviation.")
    flip: bool = Field(default=False, description="Random horizontal flip while training.")
    region: Literal["whole", "tumour"] = Field(
        default="whole", description="The slice, or the box around its tumour mask."
    )


class Data(_Strict):
    """Which pictures."""

    source: Literal["lgg", "figshare", "sartaj"] = Field(
        description="figshare: its three classes, and br35h's tumour-free scans as the fourth."
    )
    test_share: float = Field(gt=0, lt=1, description="Of the random split.")
    lesions_only: bool = Field(default=False, description="Train on slices with a lesion only.")


class Model(_Strict):
    """The network."""

    body: str = Field(description="A body of train.models.transfer, or resunet.")
    head: tuple[int | str, ...] = ()
    dropout: float = Field(default=0.0, ge=0, lt=1)
    output: Literal["log_softmax", "log_sigmoid"] = "log_softmax"
    init: str = "imagenet"


class Stage(_Strict):
    """A part of the schedule."""

    train: Literal["head", "all"]
    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0)


class Adaptive(_Strict):
    """The learning rate falls when the watched loss has not improved for a while."""

    factor: float = Field(default=0.5, gt=0, lt=1)
    patience: int = Field(default=2, ge=0)


class Training(_Strict):
    """The schedule."""

    stages: tuple[Stage, ...] = Field(min_length=1)
    batch_size: int = Field(ge=2, description="Over all processes.")
    optimizer: Literal["adam", "sgd"] = "adam"
    momentum: float = Field(default=0.5, ge=0, lt=1, description="Of sgd.")
    adaptive: Adaptive | None = None
    freeze_norm: bool = Field(default=False, description="Keep the norms' running statistics.")
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    seed: int = 1

    @property
    def epochs(self) -> int:
        """Epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)


class Cascade(_Strict):
    """Two experiments: the second outlines what the first calls a tumour."""

    classifier: str
    segmenter: str
    changes: tuple[str, ...] = Field(default=(), description="KEY=VALUE, of both of them.")
    init: str | None = Field(default=None, description="Of the classifier, if not its own.")
    epochs: int | None = Field(default=None, ge=1, description="Of each, if not its own.")


class Range(_Strict):
    """Values that the search tries: an interval, or choices."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[int | float | str, ...] = ()

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        interval = self.low is not None and self.high is not None
        if interval == bool(self.choices):
            raise ValueError("give either low and high, or choices")
        return self


class Searched(_Strict):
    """The search that a configuration comes from."""

    trials: int = Field(ge=1)
    split: Literal["random", "patient"]
    chosen_on: Literal["val", "test"] = Field(description="The part of the split, see ``Parts``.")


class Experiment(_Strict):
    """One system of a source document."""

    name: str
    title: str
    document: str
    task: Literal["classification", "localisation", "cascade"]
    data: Data | None = None
    input: Input = Input()
    model: Model | None = None
    training: Training | None = None
    cascade: Cascade | None = None
    search: dict[str, Range] = {}
    searched: Searched | None = None
    reported: dict[str, float] = Field(default={}, description="The document's figures, 0 to 1.")
    reported_where: str = ""
    assumed: tuple[str, ...] = Field(default=(), description="What the document leaves open.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.task == "cascade":
            if self.cascade is None:
                raise ValueError("a cascade needs the section cascade")
            return self
        if self.data is None or self.model is None or self.training is None:
            raise ValueError("data, model and training are needed")
        if self.input.region == "tumour" and self.data.source != "figshare":
            raise ValueError("the tumour's region needs figshare's masks")
        if (self.task == "localisation") != (self.model.body == "resunet"):
            raise ValueError("resunet is the body of localisation, and of nothing else")
        if self.task == "localisation" and any(s.train != "all" for s in self.training.stages):
            raise ValueError("resunet has no head to train alone")
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the outputs."""
        if self.data is None or self.data.source == "lgg":
            return DETECTION_CLASSES
        whole = self.input.region == "whole"
        return tuple(str(c) for c in CLASSES if whole or c != "no_tumor")


def names() -> list[str]:
    """Every experiment that comes with the project."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml") if not path.stem.startswith("_"))


def load(name: str, changes: Iterable[str] = ()) -> Experiment:
    """Read an experiment by its name, or by the path of a YAML file.

    Args:
        name: one of ``names()``, or a path that ends in ``.yaml``.
        changes: ``KEY=VALUE``, the key with dots (``training.batch_size=4``). Those of a cascade
            are kept for its parts, but for the ones whose key begins with ``cascade.``.

    Raises:
        ValueError: an unknown name, a file or a change that does not fit the schema.
    """
    path = Path(name) if name.endswith(".yaml") else CONFIGS / f"{name}.yaml"
    if not path.is_file():
        raise ValueError(f"unknown experiment {name!r}; known: {', '.join(names())}")
    values = {"name": path.stem, **_read(path)}
    given = list(changes)
    if values.get("task") == "cascade":
        given = _for_the_parts(values, given)
    for change in given:
        _change(values, change)
    try:
        return Experiment.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in one['loc']) or 'the file'}: {one['msg']}"
            for one in error.errors()
        )
        raise ValueError(f"{path.name}: {problems}") from error


def shortened(experiment: Experiment, epochs: int) -> Experiment:
    """The same with ``epochs`` in all, each stage by its share and at least one."""
    if experiment.training is None:
        return _with(experiment, "cascade", epochs=epochs)
    if epochs < len(experiment.training.stages):
        raise ValueError(f"{experiment.name} has {len(experiment.training.stages)} stages: "
                         "give it at least as many epochs")  # fmt: skip
    share = epochs / experiment.training.epochs
    lengths = [max(1, round(stage.epochs * share)) for stage in experiment.training.stages]
    lengths[-1] = max(1, epochs - sum(lengths[:-1]))
    stages = tuple(
        stage.model_copy(update={"epochs": length})
        for stage, length in zip(experiment.training.stages, lengths, strict=True)
    )
    return _with(experiment, "training", stages=stages)


def with_init(experiment: Experiment, init: str) -> Experiment:
    """The same with other first weights; a cascade's are its classifier's."""
    return _with(experiment, "cascade" if experiment.model is None else "model", init=init)


def _with(experiment: Experiment, section: str, **values: Any) -> Experiment:
    changed = getattr(experiment, section).model_copy(update=values)
    return experiment.model_copy(update={section: changed})


def short_init(init: str) -> str:
    """First weights in a word: a file by its stem, a run's weights by the run."""
    path = Path(init)
    return path.parent.name if path.stem == "weights" and path.parent.name else path.stem


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds no keys")
    base = values.pop("base", None)
    if base is None:
        return values
    beside = path.parent / f"{base}.yaml"
    other = beside if beside.is_file() else CONFIGS / f"{base}.yaml"
    if not other.is_file():
        raise ValueError(f"{path} has the base {base!r}, but there is no {base}.yaml")
    return _merged(_read(other), values)


def _merged(base: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Sections are merged key by key; anything else is replaced."""
    merged = dict(base)
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            value = _merged(merged[key], value)
        merged[key] = value
    return merged


def _for_the_parts(values: dict[str, Any], changes: list[str]) -> list[str]:
    """A cascade's changes, with those of its parts as one change of ``cascade.changes``."""
    own = [change for change in changes if change.startswith("cascade.")]
    others = [change for change in changes if not change.startswith("cascade.")]
    if not others:
        return own
    kept = (values.get("cascade") or {}).get("changes") or ()
    return [f"cascade.changes={json.dumps([*kept, *others])}", *own]


def _change(values: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals:
        raise ValueError(f"a change reads KEY=VALUE, got {change!r}")
    place: Any = values
    *outer, last = key.split(".")
    try:
        for part in outer:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        if isinstance(place, list):
            place[int(last)] = yaml.safe_load(text)
        else:
            place[last] = yaml.safe_load(text)
    except (ValueError, IndexError, AttributeError, TypeError, yaml.YAMLError) as error:
        raise ValueError(f"{change!r} names no place in the configuration") from error
