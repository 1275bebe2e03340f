"""The quick look in a real browser: headless Chromium, a server of its own on a free port."""

import pytest

from core.config import settings
from tests.fakes import scan_png
from tests.pages.serving import SCREENSHOTS, choose_reader, in_browser, served, watched_pages

pytestmark = in_browser


@pytest.fixture(scope="module", params=["fake", "real"])
def server(request, tmp_path_factory):
    real = request.param == "real"
    if real and not (settings().weights / "manifest.json").is_file():
        pytest.skip("weights/manifest.json is absent: the page cannot run with real weights")
    folder = tmp_path_factory.mktemp("server")
    with served(folder / "log.txt", folder / "storage", real=real) as address:
        yield request.param, address


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_scans_are_uploaded_and_answered(server, browser, theme):
    kind, address = server
    with watched_pages(browser, address, timeout=60_000) as new_page:
        look_quickly(new_page(theme=theme), kind, address, theme)


def look_quickly(page, kind, address, theme):
    # Straight to a page, and the server's first visit at that: nobody gets past the gate, and
    # whoever passes it is where they wanted to be.
    page.goto(f"{address}/analyse?from=link")
    choose_reader(page, "Dr Adams")
    page.get_by_role("heading", name="Quick look").wait_for()
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
