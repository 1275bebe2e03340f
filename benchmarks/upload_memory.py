"""``python -m benchmarks.upload_memory``: memory before, during and after large uploads.

First through ``submit`` alone, which should hold one file at a time; then through a real server
with a real browser, whose memory should fall back. Each twice: what is not given back after the
first upload would show in the second. No worker runs, so that only the uploads are measured. It
needs /proc, that is Linux.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from core.config import Settings
from core.services.installation import open_installation
from core.services.readers import add_reader
from core.services.submit import Upload, submit
from core.types import StudyDetails

ROUNDS = 2
_PAUSE = 0.02


def main(
    files: Annotated[int, typer.Option(min=1, max=500, help="Pictures an upload.")] = 500,
    side: Annotated[int, typer.Option(min=32, help="Width and height of a picture.")] = 512,
    browser: Annotated[bool, typer.Option(help="Measure a server with a browser too.")] = True,
) -> None:
    """Measure resident memory and say whether it falls back."""
    with tempfile.TemporaryDirectory() as folder:
        sets = [_pictures(Path(folder) / f"set{n}", files, side, n) for n in range(ROUNDS)]
        size = sum(path.stat().st_size for path in sets[0]) / 2**20
        typer.echo(f"{files} pictures of {side} x {side} pixels, {size:.0f} MB an upload")
        _service_alone(Path(folder) / "alone", sets)
        if browser:
            _server(Path(folder) / "server", sets)


def _pictures(folder: Path, count: int, side: int, seed: int) -> list[Path]:
    """Pictures of noise, none like another; PNG cannot make them smaller."""
    folder.mkdir()
    random = np.random.default_rng(seed)
    paths = []
    for number in range(count):
        path = folder / f"{number}.png"
        Image.fromarray(random.integers(0, 256, (side, side), np.uint8)).save(path)
        paths.append(path)
    return paths


def _service_alone(storage: Path, sets: list[list[Path]]) -> None:
    """Submit files that are read as they are needed: what is held is held by ``submit``."""
    installation = open_installation(Settings(storage=storage, database_url="", queue_url=""))
    reader = add_reader(installation, "Benchmark")
    for number, paths in enumerate(sets, start=1):
        uploads = (Upload(path.name, path.read_bytes()) for path in paths)
        with _measured(os.getpid(), f"submit alone, upload {number}"):
            stored = submit(installation, reader, uploads, StudyDetails()).received
        assert stored == len(paths), f"{stored} of {len(paths)} were stored"
    installation.database.close()


def _server(storage: Path, sets: list[list[Path]]) -> None:
    from playwright.sync_api import sync_playwright  # optional: requirements-dev.txt

    from tests.pages.serving import CHROMIUM, FLAGS, choose_reader, serve

    storage.mkdir()
    env = {"NEUROTRIAGE_STORAGE": str(storage), "NEUROTRIAGE_WORKER": "external"}
    env |= {"NEUROTRIAGE_DATABASE_URL": "", "NEUROTRIAGE_QUEUE_URL": ""}
    address, process = serve(storage / "log.txt", env=env)
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
            page = chromium.new_page()
            page.set_default_timeout(600_000)
            page.goto(address)
            choose_reader(page, "Benchmark")
            page.get_by_role("link", name="Upload").first.click()
            page.get_by_role("button", name="Send").wait_for()
            for number, paths in enumerate(sets, start=1):
                with _measured(process.pid, f"server, upload {number}"):
                    page.locator("input[type=file]").set_input_files(paths)
                    send = page.get_by_role("button", name=f"Send {len(paths)} files")
                    send.click()
                    page.get_by_text(f"Upload {number} is stored.").wait_for()
                    page.wait_for_timeout(10_000)
            chromium.close()
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def _measured(pid: int, what: str) -> Iterator[None]:
    """Print the resident memory of a process before, at its highest, and after."""
    before = highest = _resident_mb(pid)
    over = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not over.wait(_PAUSE):
            highest = max(highest, _resident_mb(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    try:
        yield
    finally:
        took = time.perf_counter() - started
        over.set()
        watcher.join()
    typer.echo(
        f"{what:<24} before {before:4.0f} MB, highest {highest:4.0f} MB, "
        f"after {_resident_mb(pid):4.0f} MB ({took:.0f} s)"
    )


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    typer.run(main)
