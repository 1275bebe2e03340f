"""What tests in a real browser need: headless Chromium, and the application on a free port."""

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "screenshots"
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

# ``pytestmark`` of every module that uses the fixture ``browser``.
in_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is absent: apt install chromium"),
]


def serve(
    log: Path, real: bool = False, script: str | None = None, env: Mapping[str, str] | None = None
):
    """Start the application, wait until it answers, and give its address and process.

    Args:
        log: where its output goes.
        real: with the real engine instead of the fake one.
        script: another script that takes Streamlit's options, instead of the application's.
        env: environment variables on top of the present ones.
    """
    port = free_port()
    options = ["--server.port", str(port), "--server.address", "127.0.0.1"]
    options += ["--server.headless", "true", "--server.fileWatcherType", "none"]
    command = (
        [sys.executable, "-m", "streamlit", "run", "streamlit_app.py"]
        if real
        else [sys.executable, script or "tests/pages/serve_fake.py"]
    )
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            stdout=out,
            stderr=out,
            env={**os.environ, **(env or {})},
        )
    address = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
            return address, process
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, log.read_text()
            time.sleep(0.25)
    process.terminate()
    raise AssertionError(f"no answer from {address}: {log.read_text()}")


@contextmanager
def served(
    log: Path, storage: Path, worker: str = "embedded", warnings: bool = False, **options
) -> Iterator[str]:
    """The application on a storage folder; its log must hold no trouble in the end.

    Args:
        log: where its output goes.
        storage: of the installation.
        worker: where scans are scored.
        warnings: whether there may be some.
        options: of ``serve``.
    """
    env = {"NEUROTRIAGE_STORAGE": str(storage), "NEUROTRIAGE_WORKER": worker}
    address, process = serve(log, env=env, **options)
    try:
        yield address
    finally:
        process.terminate()
        process.wait(20)
    said = log.read_text()
    trouble = "traceback|deprecat|removed after" + ("" if warnings else "|warning")
    assert not re.search(trouble, said, re.IGNORECASE), said


@contextmanager
def watched_pages(browser, address: str, timeout: float = 120_000):
    """Gives what opens a page in a session of its own, of a width, a height and a theme.

    None of them may have asked for anything elsewhere or failed when the block ends.
    """
    contexts, wrong = [], []

    def opened(width: int = 1280, height: int = 800, theme: str = "light"):
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            service_workers="block",
        )
        contexts.append(context)
        context.set_default_timeout(timeout)
        page = context.new_page()
        page.on("request", lambda one: wrong.append(one.url) if is_elsewhere(one.url) else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if is_failure(said) else None)
        return page

    def is_elsewhere(url: str) -> bool:
        return url.startswith("http") and not url.startswith(address)

    def is_failure(said) -> bool:
        # Streamlit looks for files that an installation may add, and below a page's address for
        # its own, and is told that there are none.
        return said.type == "error" and "404" not in said.text

    yield opened
    for context in contexts:
        context.close()
    assert not wrong


def choose_reader(page, name: str) -> None:
    """Pass the gate as a reader of this name, who is added if there is none."""
    page.get_by_role("heading", name="Who is reading?").wait_for()
    box = page.get_by_role("combobox", name="Account")
    box.fill(name)
    box.press("Enter")
    page.get_by_role("button", name="Go on as this reader").click()
    page.get_by_role("heading", name="Who is reading?").wait_for(state="detached")
    # The browser remembers the account a moment later; who leaves the page before is asked again.
    page.wait_for_function("() => localStorage.getItem('neurotriage-reader') !== null")
