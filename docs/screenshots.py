"""Pictures of every page for the README: ``python docs/screenshots.py [FOLDER]``.

The application is served as a demonstration with the real networks, the worklist is filled with
the simulated samples, and headless Chromium looks at each page. It needs requirements-dev.txt and
Chromium. Without another folder the pictures go to docs.
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
# Pictures with a lesion: the first whose region is outlined and whose class is right is shown. With
# other weights that may be another one.
_CASES = ("SIMULATED-04", "SIMULATED-05", "SIMULATED-02")
_SIZE, _RIGHT = "Size of the outlined region", "The model is right."


def main(to: Path = ROOT / "docs") -> None:
    """Write NAME.jpg of every page into a folder."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        env = {"NEUROTRIAGE_DEMO__MODE": "on", "TMPDIR": folder}
        address, process = serve(Path(folder) / "log.txt", real=True, env=env)
        try:
            chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
            context = chromium.new_context(viewport=SIZE, color_scheme="dark")
            context.set_default_timeout(180_000)
            _visit(context.new_page(), address, to)
            chromium.close()
        finally:
            process.terminate()
            process.wait(60)


def _visit(page: Any, address: str, to: Path) -> None:
    page.goto(address)
    page.get_by_role("button", name="Try it with sample scans").first.click()
    page.locator("tbody tr").first.wait_for()
    page.wait_for_function(
        """() => [...document.querySelectorAll('[data-testid=stMetric]')]
          .some((one) => /Images to score[^]*\\n0$/.test(one.innerText.trim()))"""
    )
    _shoot(page, to / "worklist.jpg")
    shown = _open_case(page)
    _shoot(page, to / "case.jpg")
    for title, name, heading in (
        ("Upload", "upload", "Upload scans"),
        ("Quick look", "quick_look", None),
        ("Model", "model", "The model"),
    ):
        page.get_by_role("link", name=title, exact=True).first.click()
        if heading:
            page.get_by_role("heading", name=heading).wait_for()
        else:
            _look_at(page, shown)
        _shoot(page, to / f"{name}.jpg")


def _open_case(page: Any) -> str:
    """Open the first case that shows an outline and a right answer, else the last one."""
    for reference in _CASES:
        page.get_by_role("link", name="Worklist", exact=True).first.click()
        row = page.locator("tbody tr", has_text=reference).first
        row.get_by_role("link").first.click()
        page.get_by_role("heading", name="Your reading").wait_for()
        page.get_by_text("Simulated sample, nobody").first.wait_for()
        page.locator(".viewer[data-ready]").wait_for()
        page.wait_for_timeout(2000)
        if page.get_by_text(_SIZE).count() and page.get_by_text(_RIGHT).count():
            break
    else:
        print(f"None of {', '.join(_CASES)} is outlined and right.", file=sys.stderr)
    return reference


def _look_at(page: Any, reference: str) -> None:
    """Give the quick look the first picture of a sample, and wait for its result."""
    picture = sorted((ROOT / "samples" / "cases").glob(f"{reference.lower()}-*.png"))[0]
    page.get_by_role("heading", name="Quick look").wait_for()
    page.locator("input[type=file]").set_input_files(picture)
    page.get_by_role("heading", name=picture.name).wait_for()
    page.wait_for_function(
        """() => [...document.querySelectorAll('[data-testid=stImage] img')]
          .every((one) => one.complete && one.naturalWidth > 0)"""
    )


def _shoot(page: Any, file: Path) -> None:
    page.mouse.move(0, 0)
    page.wait_for_timeout(4000)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.save(file, quality=_QUALITY, optimize=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
