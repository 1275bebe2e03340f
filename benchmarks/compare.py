"""The engine against the plain way, in one run on the same scans."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.plain import PlainPipeline
from core.inference import Engine
from core.types import Scan

PROBABILITY_TOLERANCE = 0.01
LEAST_DICE = 0.99
ROUNDS = 3


@dataclass(frozen=True)
class Comparison:
    """Figures of one run.

    Attributes:
        plain_ms: median milliseconds a scan of the plain way.
        engine_ms: the engine's, one scan at a time.
        throughput: the engine's scans per second, by batch size.
        worst_probability: largest difference of a class probability.
        worst_dice: smallest Dice between the two masks of a scan.
        worst_heat_map: smallest correlation between the two heat maps of a scan.
    """

    plain_ms: float
    engine_ms: float
    throughput: dict[int, float]
    worst_probability: float
    worst_dice: float
    worst_heat_map: float

    @property
    def ratio(self) -> float:
        """How many times as fast the engine is, one scan at a time."""
        return self.plain_ms / self.engine_ms

    @property
    def same_answers(self) -> bool:
        """Whether both ways say the same."""
        return (
            self.worst_probability <= PROBABILITY_TOLERANCE
            and self.worst_dice >= LEAST_DICE
            and self.worst_heat_map >= LEAST_DICE
        )


def compare(
    folder: Path, scans: list[Scan], runtime: str, batch_sizes: tuple[int, ...] = (1, 8, 32)
) -> Comparison:
    """Run both ways in turns, so that a change of the machine's speed meets both."""
    plain, engine = PlainPipeline(folder), Engine.load(folder, runtime)
    plain.analyse(scans[0])
    engine.analyse(scans[:1])
    plain_times: list[float] = []
    engine_times: list[float] = []
    for _ in range(ROUNDS):
        for scan in scans:
            plain_times.append(_seconds(lambda scan=scan: plain.analyse(scan)))
        for scan in scans:
            engine_times.append(_seconds(lambda scan=scan: engine.analyse([scan])[0].heat_map))
    throughput = {}
    for size in batch_sizes:
        batches = [scans[i : i + size] for i in range(0, len(scans), size)]
        engine.analyse(batches[0])  # a new batch size may be prepared once
        throughput[size] = len(scans) / _seconds(
            lambda b=batches: [one.heat_map for x in b for one in engine.analyse(x)]
        )
    return Comparison(
        statistics.median(plain_times) * 1000,
        statistics.median(engine_times) * 1000,
        throughput,
        *_differences(plain, engine, scans),
    )


def _differences(
    plain: PlainPipeline, engine: Engine, scans: list[Scan]
) -> tuple[float, float, float]:
    probability, dice, heat = 0.0, 1.0, 1.0
    for scan, mine in zip(scans, engine.analyse(scans), strict=True):
        theirs = plain.analyse(scan)
        found = np.array(list(mine.probabilities.values()))
        probability = max(probability, float(np.abs(found - theirs.probabilities).max()))
        mask = mine.mask > 0
        both = int(mask.sum()) + int(theirs.mask.sum())
        if both:
            dice = min(dice, 2 * int((mask & theirs.mask).sum()) / both)
        if theirs.heat_map.std() > 0 and mine.heat_map.std() > 0:
            pair = np.corrcoef(mine.heat_map.ravel(), theirs.heat_map.ravel())
            heat = min(heat, float(pair[0, 1]))
    return probability, dice, heat


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
