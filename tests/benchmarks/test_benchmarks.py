"""The benchmark measures the same answers, and only on an idle machine."""

import multiprocessing
import os

import pytest
from typer.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks.compare import Comparison, compare
from benchmarks.machine import busy_share
from benchmarks.scans import COUNT, benchmark_scans
from core.config import settings


def _comparison(**changes: float) -> Comparison:
    figures = {"worst_probability": 0.001, "worst_dice": 0.999, "worst_heat_map": 0.999}
    return Comparison(plain_ms=100, engine_ms=20, throughput={}, **{**figures, **changes})


def test_the_ratio_says_how_many_times_as_fast():
    assert _comparison().ratio == 5


@pytest.mark.parametrize(
    "difference", [{"worst_probability": 0.02}, {"worst_dice": 0.9}, {"worst_heat_map": 0.9}]
)
def test_other_answers_are_noticed(difference: dict[str, float]):
    assert _comparison().same_answers
    assert not _comparison(**difference).same_answers


def _spin(stop) -> None:
    while not stop.is_set():
        pass


def test_a_busy_machine_is_seen_as_one():
    stop = multiprocessing.get_context("spawn").Event()
    workers = [
        multiprocessing.get_context("spawn").Process(target=_spin, args=(stop,), daemon=True)
        for _ in range(os.cpu_count() or 1)
    ]
    for worker in workers:
        worker.start()
    try:
        assert max(busy_share(1.0) for _ in range(3)) > 0.5
    finally:
        stop.set()
        for worker in workers:
            worker.join()


def test_nothing_is_measured_on_a_busy_machine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "busy_share", lambda: 0.9)
    app = command.typer.Typer()
    app.command()(command.main)
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 2
    assert "90%" in result.output


def test_drawn_heads_stand_in_where_there_is_no_data(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(settings(), "data", None)
    scans, what = benchmark_scans()
    assert len(scans) == COUNT
    assert what.startswith("drawn")
    assert {scan.size for scan in scans} == {(256, 256)}


@pytest.mark.slow
def test_engine_and_plain_way_give_the_same_answers():
    scans, _ = benchmark_scans()
    for runtime in ("openvino", "torch"):
        result = compare(settings().weights, scans[:4], runtime, batch_sizes=(2,))
        assert result.same_answers, result
        assert result.throughput[2] > 0
