"""What tests in a real browser need: headless Chromium, and the application on a free port."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def choose_reader(page, name: str) -> None:
    """Pass the gate as a reader of this name, who is added if there is none."""
    page.get_by_role("heading", name="Who is reading?").wait_for()
    box = page.get_by_role("combobox", name="Account")
    box.fill(name)
    box.press("Enter")
    page.get_by_role("button", name="Go on as this reader").click()
    page.get_by_role("heading", name="Who is reading?").wait_for(state="detached")
