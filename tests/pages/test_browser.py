"""The page in a real browser: headless Chromium, a server of its own on a free port."""

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from core.config import settings
from tests.fakes import scan_png

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
SCREENSHOTS = ROOT / "screenshots"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is absent: apt install chromium"),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(log: Path, real: bool):
    """Start the application, wait until it answers, and give its address and process."""
    port = free_port()
    options = ["--server.port", str(port), "--server.address", "127.0.0.1"]
    options += ["--server.headless", "true", "--server.fileWatcherType", "none"]
    command = (
        [sys.executable, "-m", "streamlit", "run", "streamlit_app.py"]
        if real
        else [sys.executable, "tests/pages/serve_fake.py"]
    )
    with log.open("wb") as out:
        process = subprocess.Popen([*command, *options], cwd=ROOT, stdout=out, stderr=out)
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


@pytest.fixture(scope="module", params=["fake", "real"])
def server(request, tmp_path_factory):
    real = request.param == "real"
    if real and not (settings().weights / "manifest.json").is_file():
        pytest.skip("weights/manifest.json is absent: the page cannot run with real weights")
    log = tmp_path_factory.mktemp("server") / "log.txt"
    address, process = serve(log, real)
    yield request.param, address
    process.terminate()
    process.wait(20)
    said = log.read_text()
    assert not re.search("traceback|deprecat|warning|removed after", said, re.IGNORECASE), said


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_scans_are_uploaded_and_answered(server, browser, theme):
    kind, address = server
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, color_scheme=theme, service_workers="block"
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    elsewhere = []
    page.on(
        "request",
        lambda request: (
            elsewhere.append(request.url)
            if request.url.startswith("http") and not request.url.startswith(address)
            else None
        ),
    )
    page.goto(address)
    page.get_by_role("heading", name="Analyse scans").wait_for()
    assert page.get_by_text("not a medical device").is_visible()
    page.locator("[data-testid=stFileUploaderDropzone]").wait_for()
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{kind}-{theme}-empty.png")

    page.locator("input[type=file]").set_input_files(
        [
            {"name": "lesion.png", "mimeType": "image/png", "buffer": scan_png(256, 220)},
            {"name": "notes.png", "mimeType": "image/png", "buffer": b"a text, not a picture"},
            {"name": "plain.png", "mimeType": "image/png", "buffer": scan_png(lesion=False)},
        ]
    )
    for name in ("lesion.png", "notes.png", "plain.png"):
        page.get_by_role("heading", name=name).wait_for()
    page.get_by_text("This is not a picture the program reads").wait_for()
    page.locator("[data-testid=stProgress]").wait_for(state="detached")
    charts = page.locator("[data-testid=stPlotlyChart]")
    charts.nth(1).locator(".main-svg").first.wait_for()
    assert charts.count() == 2
    for name in ("Glioma", "Meningioma", "None of the three", "Pituitary tumour"):
        assert name in charts.first.inner_text()
    assert "%" in charts.first.inner_text()
    pictures = page.locator("[data-testid=stImage] img")
    assert pictures.count() == 4
    pictures.nth(3).scroll_into_view_if_needed()
    page.wait_for_function(
        "[...document.querySelectorAll('[data-testid=stImage] img')]"
        ".every(i => i.complete && i.naturalWidth > 0)"
    )
    if kind == "fake":
        assert page.get_by_role("heading", name="Glioma suspected").count() == 1
        # Filled instead of outlined is another picture: the overlay follows the reader's choice.
        before = pictures.first.get_attribute("src")
        page.get_by_role("radio", name="Filled").or_(
            page.get_by_role("button", name="Filled")
        ).first.click()
        page.wait_for_function(
            "old => document.querySelector('[data-testid=stImage] img').src !== old"
            " && !document.querySelector('[data-testid=stImage] img').src.endsWith(old)",
            arg=before,
        )
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
    page.wait_for_timeout(700)
    page.screenshot(path=SCREENSHOTS / f"{kind}-{theme}.png")
    page.get_by_role("heading", name="plain.png").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    page.screenshot(path=SCREENSHOTS / f"{kind}-{theme}-scrolled.png")
    disclaimer = page.get_by_text("not a medical device").bounding_box()
    assert disclaimer is not None
    assert 0 <= disclaimer["y"] < 200, "the disclaimer scrolled away"
    page.set_viewport_size({"width": 1280, "height": 2000})
    page.wait_for_timeout(1200)
    page.screenshot(path=SCREENSHOTS / f"{kind}-{theme}-tall.png")
    context.close()
    assert not elsewhere, f"the page asked for {elsewhere}"
