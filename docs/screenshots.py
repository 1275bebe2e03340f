"""Pictures of every page for the README: ``python docs/screenshots.py``.

The application is served as a demonstration with the real networks, the worklist is filled with
the simulated samples, and headless Chromium looks at each page. It needs requirements-dev.txt and
Chromium.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.pages.serving import CHROMIUM, FLAGS, serve  # noqa: E402

SIZE = {"width": 1440, "height": 900}
_QUALITY = 82


def main() -> None:
    """Write docs/NAME.jpg of every page."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        env = {"NEUROTRIAGE_DEMO__MODE": "on", "TMPDIR": folder}
        address, process = serve(Path(folder) / "log.txt", real=True, env=env)
        try:
            chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
            context = chromium.new_context(viewport=SIZE, color_scheme="dark")
            context.set_default_timeout(180_000)
            _visit(context.new_page(), address)
            chromium.close()
        finally:
            process.terminate()
            process.wait(60)


def _visit(page: Any, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Try it with sample scans").first.click()
    page.locator("tbody tr").first.wait_for()
    page.wait_for_function(
        """() => [...document.querySelectorAll('[data-testid=stMetric]')]
          .some((one) => /Images to score[^]*\\n0$/.test(one.innerText.trim()))"""
    )
    _shoot(page, "worklist")
    row = page.locator("tbody tr", has_text="SIMULATED-03").first
    row.get_by_role("link").first.click()
    page.get_by_role("heading", name="Your reading").wait_for()
    _shoot(page, "case")
    for title, name, heading in (
        ("Upload", "upload", "Upload scans"),
        ("Quick look", "quick_look", None),
        ("Model", "model", "The model"),
    ):
        page.get_by_role("link", name=title, exact=True).first.click()
        if heading:
            page.get_by_role("heading", name=heading).wait_for()
        _shoot(page, name)


def _shoot(page: Any, name: str) -> None:
    page.mouse.move(0, 0)
    page.wait_for_timeout(4000)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.save(ROOT / "docs" / f"{name}.jpg", quality=_QUALITY, optimize=True)


if __name__ == "__main__":
    main()
