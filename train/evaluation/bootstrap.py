"""Confidence intervals by resampling whole blocks.

Slices of one patient are alike, so single slices must not be drawn: that would make the intervals
too narrow. What is drawn with replacement are blocks (a patient, or a group of copies
where no patient is known) with everything in them.

Where a proportion is 0 or 1, every resample shows the same and the bootstrap would claim to know
it exactly. Such a figure gets the exact interval instead, each block that holds a case taken for
one trial: as if the cases of a block could only be right or wrong together, which is the widest
that their likeness can make it. Other figures at their edge, such as an AUC or a balanced accuracy
of exactly 1, are no proportions of anything; they keep the bootstrap's interval, which is too
narrow there.

Sources: Efron, Tibshirani 1993, "An Introduction to the Bootstrap", chapters 8 and 13 (percentile
intervals); blocks as in Field, Welsh 2007, "Bootstrapping clustered data" (J. R. Stat. Soc. B 69);
Clopper, Pearson 1934, "The use of confidence or fiducial limits illustrated in the case of the
binomial" (Biometrika 26); fewer trials than cases where cases are alike as in Korn, Graubard 1998,
"Confidence intervals for proportions with small expected number of positive counts estimated from
survey data" (Survey Methodology 24).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

RESAMPLES = 2000
SEED = 20240601
COVERAGE = 0.95

Statistic = Callable[[np.ndarray], dict[str, float]]
Figure = dict[str, float]


def resamples(
    blocks: Sequence[str], strata: Sequence[str] | None, count: int, seed: int
) -> Iterator[np.ndarray]:
    """Positions of each resample: as many blocks as there are, drawn with replacement.

    Args:
        blocks: the block of each item, shape (n,).
        strata: the stratum of each item, or None for one stratum. Blocks are drawn within their
            stratum (that of their first item), so that every stratum occurs in every resample.
        count: number of resamples.
        seed: of the draws.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for position, block in enumerate(blocks):
        members[block].append(position)
    by_stratum: dict[str, list[np.ndarray]] = defaultdict(list)
    for positions in members.values():
        stratum = "" if strata is None else strata[positions[0]]
        by_stratum[stratum].append(np.array(positions, dtype=int))
    rng = np.random.default_rng(seed)
    for _ in range(count):
        parts = []
        for name in sorted(by_stratum):
            pool = by_stratum[name]
            parts.extend(pool[i] for i in rng.integers(len(pool), size=len(pool)))
        yield np.concatenate(parts)


def exact_interval(value: float, trials: int) -> tuple[float, float]:
    """The interval of Clopper and Pearson, of ``COVERAGE``, for a proportion of 0 or of 1.

    Args:
        value: 0 or 1.
        trials: independent ones, at least 1.
    """
    widest = 1 - ((1 - COVERAGE) / 2) ** (1 / trials)
    return (0.0, widest) if value == 0 else (1 - widest, 1.0)


def intervals(
    statistic: Statistic,
    blocks: Sequence[str],
    strata: Sequence[str] | None = None,
    count: int = RESAMPLES,
    seed: int = SEED,
    proportions: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Figure]:
    """Figures with intervals of ``COVERAGE``: percentiles, exact for proportions of 0 or 1.

    Args:
        statistic: takes positions (with repetitions) and returns figures by name. A figure that
            does not exist for a resample is NaN there and left out.
        blocks: the block of each item, shape (n,).
        strata: the stratum of each item, or None.
        count: number of resamples.
        seed: of the draws.
        proportions: for each figure that is a proportion, which items are its cases, bool (n,):
            the tumour-free scans for a specificity.

    Returns:
        ``{"value": ..., "low": ..., "high": ...}`` by name.

    Raises:
        ValueError: there are no items.
    """
    if len(blocks) == 0:
        raise ValueError("no items to resample")
    points = statistic(np.arange(len(blocks)))
    drawn = [statistic(positions) for positions in resamples(blocks, strata, count, seed)]
    tail = 100 * (1 - COVERAGE) / 2
    cases, names = proportions or {}, np.asarray(blocks)
    figures = {}
    for name, point in points.items():
        if name in cases and point in (0, 1):
            low, high = exact_interval(point, len(np.unique(names[cases[name]])))
        else:
            values = np.array([one[name] for one in drawn], dtype=float)
            values = values[np.isfinite(values)]
            low, high = (
                np.percentile(values, [tail, 100 - tail]) if len(values) else (np.nan, np.nan)
            )
        figures[name] = {"value": float(point), "low": float(low), "high": float(high)}
    return figures
