"""``python -m benchmarks``: the engine against the plain way to do the same."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from benchmarks.compare import compare
from benchmarks.demonstration import measure, report
from benchmarks.machine import BUSY_SHARE, busy_share
from benchmarks.scans import benchmark_scans
from benchmarks.startup import startup
from core.config import settings


def main(
    runtime: Annotated[str, typer.Option(help="openvino or torch.")] = "openvino",
    demonstration: Annotated[
        bool, typer.Option(help="Visit the demonstration in a browser too.")
    ] = True,
) -> None:
    """Measure speed, start-up and memory, and check that both ways give the same answers."""
    busy = busy_share()
    if busy > BUSY_SHARE:
        typer.echo(
            f"Other programs use {busy:.0%} of this machine's cores: figures from a busy machine "
            "mean nothing. Try again when it is idle.",
            err=True,
        )
        raise typer.Exit(2)
    folder = settings().weights
    scans, what = benchmark_scans()
    typer.echo(f"{len(scans)} {what}; {os.cpu_count()} cores; runtime {runtime}")
    for name in ("openvino", "torch"):
        found = startup(folder, name)
        typer.echo(
            f"start-up {name:<9} engine loaded {found['loaded_s']:.2f} s, first result "
            f"{found['first_result_s']:.2f} s, peak memory {found['peak_mb']:.0f} MB"
        )
    result = compare(folder, scans, runtime)
    typer.echo(f"plain way    {result.plain_ms:7.1f} ms a scan (median, batch 1)")
    typer.echo(f"engine       {result.engine_ms:7.1f} ms a scan (median, batch 1)")
    typer.echo(f"ratio        {result.ratio:7.2f} times as fast")
    for size, rate in result.throughput.items():
        typer.echo(f"batch {size:<2}     {rate:7.1f} scans/s")
    typer.echo(
        f"answers      probabilities differ by at most {result.worst_probability:.4f}, "
        f"mask Dice at least {result.worst_dice:.4f}, "
        f"heat map correlation at least {result.worst_heat_map:.4f}"
    )
    if demonstration:
        _demonstration()
    if not result.same_answers:
        typer.echo("The two ways do not give the same answers.", err=True)
        sys.exit(1)


def _demonstration() -> None:
    """Visit the demonstration, where the parts for that are installed."""
    from tests.pages.serving import CHROMIUM

    if not CHROMIUM.exists():
        typer.echo(f"demonstration  not measured: {CHROMIUM} is absent (apt install chromium)")
        return
    typer.echo(report(measure()))


if __name__ == "__main__":
    typer.run(main)
