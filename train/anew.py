"""What other networks, trained anew, say of the recipe, as part of metrics.json.

``train.evaluation`` measures the weights that are served. What is left where a source was never
seen, and how far a figure is the luck of one split, only networks of their own can tell, which take
hours. Their reports (``train.sources``, ``train.folds``) lie in the weights folder and are taken
over from there.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from train import folds, sources
from train.evaluation.evaluate import write

log = logging.getLogger(__name__)

SOURCES = "leave_one_source_out"
FOLDS = {"classifier": "folds-classifier.json", "segmenter": "folds-segmenter.json"}
NOT_SHOWN = "not_shown"


def trained_anew(folder: Path) -> dict[str, Any]:
    """The reports that lie in a weights folder, to stand in ``trust`` of metrics.json.

    Args:
        folder: holds ``sources.json``, ``folds-classifier.json`` and ``folds-segmenter.json``, or
            some of them.

    Returns:
        ``leave_one_source_out``, the report of ``train.sources``; and ``folds``, by network, those
        of ``train.folds``. One that is of other lists than the committed ones, or of another split
        than ``test``, is ``{"not_shown": why}`` instead. One that is not there is missing.
    """
    found: dict[str, Any] = {}
    report = _read(folder / sources.REPORT)
    if report is not None:
        wrong = ""
        if report["config"].get("data") != sources.committed_lists():
            wrong = _OTHER_LISTS
        elif report.get("split") != "test":
            wrong = f"on {report.get('split')} and not on test"
        found[SOURCES] = _shown(folder / sources.REPORT, report, wrong)
    by_network = {}
    for network, name in FOLDS.items():
        report = _read(folder / name)
        if report is not None:
            config = report["config"]
            same = config.get("data") == folds.committed_folds(config["folds"])
            by_network[network] = _shown(folder / name, report, "" if same else _OTHER_LISTS)
    return found | ({"folds": by_network} if by_network else {})


def take_over(folder: Path) -> None:
    """Put the reports that lie in a weights folder into its metrics.json, in place of earlier ones.

    Raises:
        FileNotFoundError: there is no metrics.json; ``train evaluate`` writes it.
    """
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text())
    for name in (SOURCES, "folds"):
        metrics["trust"].pop(name, None)
    metrics["trust"] |= trained_anew(folder)
    write(metrics, path)


_OTHER_LISTS = "on other lists, or with another preprocessing, than the committed ones"


def _shown(path: Path, report: dict[str, Any], wrong: str) -> dict[str, Any]:
    if not wrong:
        return report
    log.warning("%s was measured %s: it is left out", path, wrong)
    return {NOT_SHOWN: wrong}


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text()) if path.is_file() else None
