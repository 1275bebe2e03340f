"""How well scores of strangeness tell scans from other pictures: the one served, and its rivals.

The thresholds of all of them accept the same share of ``val``; the served score is also reported at
the limit that the manifest has. Rivals: the highest softmax
probability (Hendrycks, Gimpel 2017, arXiv 1610.02136), the energy of the logits (Liu et al. 2020,
arXiv 2010.03759) and the distance to the k-th nearest training features of unit length (Sun et al.
2022, arXiv 2204.06507).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logsumexp
from sklearn.neighbors import NearestNeighbors
from tqdm import tqdm

from core.imaging import prepare
from core.types import Scan
from train.data.layouts import read_scan
from train.data.splits import Sample
from train.evaluation.bootstrap import RESAMPLES, Figure, intervals
from train.evaluation.strangers import ruined, strangers
from train.metrics import rank_auc

if TYPE_CHECKING:
    from core.inference import Engine

BATCH = 16
NEIGHBOURS = 10
ACCEPTED_SHARE = 0.99
RUINED_EVERY = 8


@dataclass(frozen=True, eq=False)
class Seen:
    """The classifier's output on some scans: logits (n, 4), features (n, d), served score (n,)."""

    logits: np.ndarray
    features: np.ndarray
    served: np.ndarray


def distribution_report(
    engine: Engine,
    train: Sequence[Sample],
    val: Sequence[Sample],
    test: Sequence[Sample],
    root: Path,
    split: str = "test",
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """AUROC and rejection of each score.

    Args:
        engine: what is served.
        train: rows whose features the neighbours are searched in.
        val: rows that set the thresholds.
        test: the good scans; every ``RUINED_EVERY``-th is also damaged beyond reading.
        root: the data folder.
        split: the split that is reported on; its strangers are measured on no other.
        resamples: of the bootstrap.

    Returns:
        ``accepted_share_of_val``, ``pictures`` (count by kind) and for each score ``auroc``,
        ``good_scans_rejected`` and ``rejected`` (share by kind of picture, and ``all``); the last
        two again in ``application``, at the limit that the application has. AUROC and rejected good
        scans have intervals: blocks are drawn, with what was made of their scans, and strangers.
    """
    known = _seen(engine, _scans(train, root, "scans of train"))
    fitted = _seen(engine, _scans(val, root, "scans of val"))
    good = _seen(engine, _scans(test, root, "scans of test"))
    kinds = {name: _seen(engine, scans) for name, scans in strangers(split).items()}
    rng = np.random.default_rng(0)
    damaged: dict[str, list[Scan]] = {}
    for sample in test[::RUINED_EVERY]:
        for name, scan in ruined(read_scan(sample, root), rng).items():
            damaged.setdefault(f"ruined scans: {name}", []).append(scan)
    # A stranger stands for itself, a damaged scan belongs to its patient.
    owners = {
        name: [f"{name} {n}" for n in range(len(seen.served))] for name, seen in kinds.items()
    }
    owners |= {name: [one.block for one in test[::RUINED_EVERY]] for name in damaged}
    kinds |= {name: _seen(engine, scans) for name, scans in damaged.items()}
    blocks = [one.block for one in test] + [one for name in kinds for one in owners[name]]
    strata = [one.label for one in test] + [name for name in kinds for _ in owners[name]]

    report: dict[str, Any] = {
        "accepted_share_of_val": ACCEPTED_SHARE,
        "pictures": {name: len(seen.served) for name, seen in kinds.items()},
        "scores": {},
    }
    neighbours = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(_unit(known.features))
    scores = {
        "served": lambda seen: seen.served,
        "highest softmax": lambda seen: -_softmax_top(seen.logits),
        "energy": lambda seen: -logsumexp(seen.logits, axis=1),
        "nearest neighbours": lambda seen: neighbours.kneighbors(_unit(seen.features))[0][:, -1],
    }
    for name, score in scores.items():
        fine, by_kind = score(good), {kind: score(seen) for kind, seen in kinds.items()}
        limit = float(np.quantile(score(fitted), ACCEPTED_SHARE))
        report["scores"][name] = {
            **_told_apart(fine, by_kind, limit, blocks, strata, resamples),
            "rejected": _rejected(by_kind, limit),
        }
    by_kind, limit = (
        {kind: seen.served for kind, seen in kinds.items()},
        engine.manifest.ood.threshold,
    )
    told = _told_apart(good.served, by_kind, limit, blocks, strata, resamples)
    report["application"] = {
        "good_scans_rejected": told["good_scans_rejected"],
        "rejected": _rejected(by_kind, limit),
    }
    return report


def _told_apart(
    good: np.ndarray,
    kinds: dict[str, np.ndarray],
    limit: float,
    blocks: Sequence[str],
    strata: Sequence[str],
    resamples: int,
) -> dict[str, Figure]:
    """AUROC, and the share of good scans over a limit; ``blocks`` has the good scans first."""
    values = np.concatenate([good, *kinds.values()])
    strange = np.arange(len(values)) >= len(good)

    def statistic(at: np.ndarray) -> dict[str, float]:
        return {
            "auroc": rank_auc(strange[at], values[at]),
            "good_scans_rejected": float((values[at][~strange[at]] > limit).mean()),
        }

    fine = {"good_scans_rejected": ~strange}
    return intervals(statistic, blocks, strata, resamples, proportions=fine)


def _rejected(kinds: dict[str, np.ndarray], limit: float) -> dict[str, float]:
    """The share of strangers that exceed a limit, by kind."""
    everything = {"all": np.concatenate(list(kinds.values())), **kinds}
    return {kind: float((values > limit).mean()) for kind, values in everything.items()}


def _scans(samples: Sequence[Sample], root: Path, title: str) -> list[Scan]:
    return [read_scan(s, root) for s in tqdm(samples, desc=f"reading {title}", unit="scan")]


def _seen(engine: Engine, scans: Sequence[Scan]) -> Seen:
    logits, features, served = [], [], []
    for start in range(0, len(scans), BATCH):
        prepared = [prepare(scan) for scan in scans[start : start + BATCH]]
        output = engine.runtime.classify(np.stack([one.image for one in prepared]))
        logits.append(output.logits)
        features.append(output.features)
        # The engine takes a blank picture for a stranger whatever its score.
        blank = np.array([one.contrast == 0 for one in prepared])
        served.append(np.where(blank, np.inf, engine.ood_scores(output)))
    return Seen(*(np.concatenate(parts) for parts in (logits, features, served)))


def _softmax_top(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits.max(axis=1) - logsumexp(logits, axis=1))


def _unit(features: np.ndarray) -> np.ndarray:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-6)
