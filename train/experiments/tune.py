"""Hyper-parameter search over the ranges of an experiment's ``search`` section, with Optuna.

The study lies in an SQLite file, so that a search that was stopped goes on. Trials that fall behind
the median of the earlier ones are pruned. What is chosen by is the accuracy on the watched part:
``val`` in the patient split; in the random split the part that the document's figure is of as well.
``best.yaml`` keeps which it was, and the table of runs says where figures are of those pictures.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import torch
import yaml

from train.distributed import Team
from train.experiments import kept, report
from train.experiments.config import Experiment, Range
from train.experiments.data import load_parts
from train.experiments.fit import Fitting, Row
from train.experiments.run import Request, build

log = logging.getLogger(__name__)

BEST = "best.yaml"
_EPOCHS_BEFORE_PRUNING = 2
_TRIALS_BEFORE_PRUNING = 4
_ENDED = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)


def tune(request: Request, trials: int) -> Path:
    """Search until the study has ``trials`` finished or pruned trials, and return its folder.

    The folder holds ``study.db``, ``trials.csv``, ``importance.png`` and ``best.yaml``, which
    ``python -m train experiment FOLDER/best.yaml`` runs.

    Raises:
        ValueError: the experiment has no ``search`` section, or the folder's study is of another
            configuration, of other pictures or of other first weights.
    """
    experiment = request.experiment()
    if not experiment.search:
        raise ValueError(f"{experiment.name} has no section search: nothing to search over")
    parts = load_parts(
        experiment, request.split, request.root, request.cache, Team(), request.lists
    )
    given = {
        "list of pictures": kept.lists_line(request.split, parts),
        "content of the pictures or the first weights": kept.files_line(experiment, parts),
    }
    folder = request.out or request.runs / f"{experiment.name}-{request.split}-search"
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=f"{experiment.name}-{request.split}",
        storage=f"sqlite:///{(folder / 'study.db').resolve()}",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(_TRIALS_BEFORE_PRUNING, _EPOCHS_BEFORE_PRUNING),
    )
    # A search that goes on must not draw again what it drew first.
    study.sampler = optuna.samplers.TPESampler(seed=experiment.training.seed + len(study.trials))
    _check_same(study, "fixed", _fixed(experiment))
    _check_same(study, "given", given)
    done = len(study.get_trials(states=_ENDED))
    log.info("%d of %d trials are done", done, trials)
    if done < trials:
        study.optimize(lambda trial: _accuracy(trial, request), n_trials=trials - done)
    _leave(folder, study, request)
    return folder


def _check_same(study: optuna.Study, attribute: str, wanted: dict[str, Any]) -> None:
    """Trials that differ in more than what is searched over are not comparable."""
    known = study.user_attrs.get(attribute)
    if known is None:
        study.set_user_attr(attribute, wanted)
    elif known != wanted:
        keys = sorted(k for k in known.keys() | wanted.keys() if known.get(k) != wanted.get(k))
        raise ValueError(
            f"the study in this folder was made with another {', '.join(keys)}: "
            "use the same, or another --out"
        )


def _fixed(experiment: Experiment) -> dict[str, Any]:
    """What all trials have in common, by key: the configuration without what is searched over."""
    values = experiment.model_dump(mode="json", include={"data", "input", "model", "training"})
    return {k: v for k, v in _flat(values) if k not in experiment.search}


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a configuration under the keys that a change names them by."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for name, one in pairs:
            yield from _flat(one, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def _accuracy(trial: optuna.Trial, request: Request) -> float:
    """The best watched accuracy of one trial."""
    ranges = request.experiment().search
    chosen = tuple(f"{key}={_suggested(trial, key, one)}" for key, one in ranges.items())
    experiment = _with(request, chosen)
    parts = load_parts(
        experiment, request.split, request.root, request.cache, Team(), request.lists
    )
    best = 0.0

    def after_epoch(row: Row) -> None:
        nonlocal best
        best = max(best, row["watch_accuracy"])
        trial.report(row["watch_accuracy"], int(row["epoch"]))
        if trial.should_prune():
            raise optuna.TrialPruned

    torch.manual_seed(experiment.training.seed)
    Fitting(build(experiment), parts, experiment, Team()).run(after_epoch)
    return best


def _suggested(trial: optuna.Trial, key: str, one: Range) -> Any:
    if one.choices:
        return trial.suggest_categorical(key, list(one.choices))
    return trial.suggest_float(key, one.low, one.high, log=one.log)


def _with(request: Request, chosen: tuple[str, ...]) -> Experiment:
    return replace(request, changes=(*request.changes, *chosen)).experiment()


def _leave(folder: Path, study: optuna.Study, request: Request) -> None:
    """The study in files that need no Optuna to read."""
    study.trials_dataframe().to_csv(folder / "trials.csv", index=False)
    finished = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    if not finished:
        raise ValueError("no trial came to its end: allow more of them")
    chosen = tuple(f"{key}={value}" for key, value in study.best_params.items())
    # The document's schedule, even if the search was shortened.
    best = _with(replace(request, epochs=None), chosen)
    values = yaml.safe_load(report.config_text(best))
    searched = {
        "trials": len(study.get_trials(states=_ENDED)),
        "split": request.split,
        "chosen_on": "test" if request.split == "random" else "val",
    }
    values |= {"name": f"{best.name}-tuned", "search": {}, "searched": searched}
    head = f"# accuracy {study.best_value:.4f} in the search, trial {study.best_trial.number}\n"
    text = head + yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    (folder / BEST).write_text(text, encoding="utf-8")
    if len(finished) > 1:
        _plot_importance(folder, study)


def _plot_importance(folder: Path, study: optuna.Study) -> None:
    importance = optuna.importance.get_param_importances(study)
    report.write_bars(folder / "importance.png", importance, "share of the variance explained")
