"""The demonstration within Community Cloud's bounds: first page, first result, memory.

A real server with the real networks on two cores, and visitors in real browsers, each with a
private workspace: each fills the worklist with the sample scans, opens the case on top, and has a
quick look at as many large pictures as the page takes. The memory is that of the one server
process, at its highest (VmHWM of /proc, that is Linux).
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from core.config import DemoRules
from core.services.samples import samples

SESSIONS = 5
CORES = 2
# As many as Quick look takes in the demonstration.
PICTURES = 4


@dataclass(frozen=True)
class Found:
    """What was measured.

    Attributes:
        first_page_s: from the start of the server until the first visitor sees the worklist.
        first_result_s: from the press of the samples' button until the first case is scored, with
            the networks not yet loaded.
        all_results_s: until all samples of all visitors are scored.
        highest_mb: highest resident memory of the server process in megabytes (2**20 bytes).
        sessions: visitors at the same time.
    """

    first_page_s: float
    first_result_s: float
    all_results_s: float
    highest_mb: float
    sessions: int


def measure(sessions: int = SESSIONS) -> Found:
    """Serve the demonstration and visit it.

    Raises:
        ImportError: playwright is not installed (requirements-dev.txt).
    """
    from playwright.sync_api import sync_playwright

    from tests.pages.serving import CHROMIUM, FLAGS, serve

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        env = {"NEUROTRIAGE_DEMO__MODE": "on", "TMPDIR": folder, "NEUROTRIAGE_THREADS": str(CORES)}
        started = time.perf_counter()
        address, process = serve(Path(folder) / "log.txt", real=True, env=env)
        try:
            os.sched_setaffinity(process.pid, sorted(os.sched_getaffinity(0))[:CORES])
            first = _visit(chromium, address)
            first_page = time.perf_counter() - started
            started = time.perf_counter()
            _ask(first)
            _wait_scored(first)
            first_result = time.perf_counter() - started
            pages = [first]
            for _ in range(sessions - 1):
                pages.append(_visit(chromium, address))
                _ask(pages[-1])
            for page in pages:
                _wait_all_scored(page)
            all_results = time.perf_counter() - started
            for page in pages:
                page.locator("tbody tr").first.get_by_role("link").first.click()
                page.get_by_role("heading", name="Your reading").wait_for()
                page.wait_for_timeout(1000)
            for page in pages:
                _look_quickly(page)
            highest = _highest_mb(process.pid)
            chromium.close()
        finally:
            process.terminate()
            process.wait(60)
    return Found(first_page, first_result, all_results, highest, sessions)


def _visit(chromium: object, address: str) -> object:
    page = chromium.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(300_000)
    page.goto(address)
    page.get_by_role("heading", name="Worklist").wait_for()
    page.get_by_role("button", name="Try it with sample scans").first.wait_for()
    return page


def _ask(page: object) -> None:
    page.get_by_role("button", name="Try it with sample scans").first.click()


def _wait_scored(page: object) -> None:
    """Until the worklist shows one result of the model."""
    page.locator("tbody tr", has_text="%").first.wait_for()


def _look_quickly(page: object) -> None:
    """Have pictures of the largest size that is taken analysed; their results stay open."""
    from tests.fakes import scan_png

    side = int(1000 * DemoRules().picture_megapixels ** 0.5)
    page.get_by_role("link", name="Quick look", exact=True).click()
    page.get_by_role("heading", name="Quick look").wait_for()
    page.locator("input[type=file]").set_input_files(
        [
            # Each one a little smaller: the same bytes would be analysed once.
            {
                "name": f"{number}.png",
                "mimeType": "image/png",
                "buffer": scan_png(side - number, side),
            }
            for number in range(PICTURES)
        ]
    )
    page.get_by_role("heading", name=f"{PICTURES - 1}.png").wait_for()


def _wait_all_scored(page: object) -> None:
    # Before the samples are stored there is nothing to score either.
    page.locator("tbody tr").nth(len(samples()) - 1).wait_for()
    page.wait_for_function(
        """() => {
          const boxes = [...document.querySelectorAll('[data-testid=stMetric]')]
          const box = boxes.find((one) => one.innerText.includes('Images to score'))
          return box && /\\n0$/.test(box.innerText.trim())
        }"""
    )


def _highest_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/{pid}/status does not say how much memory was used at most")


def report(found: Found) -> str:
    """What was measured, in lines."""
    return "\n".join(
        (
            f"demonstration  first page {found.first_page_s:.1f} s after the start, first result "
            f"{found.first_result_s:.1f} s after the samples were asked for",
            f"{'':<14} all samples of {found.sessions} visitors after {found.all_results_s:.1f} s, "
            f"highest memory of the process {found.highest_mb:.0f} MB",
        )
    )


def main(
    sessions: Annotated[int, typer.Option(min=1, max=20, help="Visitors at once.")] = SESSIONS,
) -> None:
    """Measure the demonstration."""
    typer.echo(report(measure(sessions)))


if __name__ == "__main__":
    typer.run(main)
