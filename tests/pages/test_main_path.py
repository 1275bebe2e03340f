"""The way of a working day: upload, watch the queue, read the most urgent case, report, export."""

import csv
import io
import re

import pytest
from pypdf import PdfReader

from tests.fakes import scan_png
from tests.pages.serving import SCREENSHOTS, choose_reader, in_browser, served, watched_pages

pytestmark = in_browser

SCANS, LESIONS = 12, 3


@pytest.fixture
def address(tmp_path):
    with served(tmp_path / "log.txt", tmp_path / "storage") as address:
        yield address


@pytest.fixture
def new_page(browser, address):
    with watched_pages(browser, address, timeout=90_000) as new_page:
        yield new_page


def pictures():
    """Twelve different scans; every fourth has a lesion. One more file is no picture."""
    for number in range(SCANS):
        data = scan_png(160 + 2 * number, 140 + number, lesion=number % 4 == 1)
        yield {"name": f"scan {number}.png", "mimeType": "image/png", "buffer": data}
    yield {"name": "notes.png", "mimeType": "image/png", "buffer": b"a text, not a picture"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_from_upload_to_report(new_page, address, theme):
    SCREENSHOTS.mkdir(exist_ok=True)
    page = new_page(theme=theme)

    def shot(name):
        page.wait_for_timeout(600)
        page.screenshot(path=SCREENSHOTS / f"path-{theme}-{name}.png")

    # Upload, and leave the page at once: scoring goes on, and a reload shows how far it is.
    page.goto(address)
    choose_reader(page, "Dr Adams")
    page.get_by_text("No cases yet").wait_for()
    page.get_by_role("link", name="Upload", exact=True).click()
    page.get_by_role("heading", name="Upload scans").wait_for()
    page.locator("input[type=file]").set_input_files(list(pictures()))
    page.get_by_role("button", name=f"Send {SCANS + 1} files").click()
    page.get_by_text("This is not a picture the program reads").wait_for()
    page.reload()
    page.get_by_role("heading", name="Upload scans").wait_for()
    page.get_by_text(f"{SCANS} of {SCANS} scans scored").first.wait_for()
    assert page.get_by_text("notes.png").count() <= 1
    shot("uploaded")

    # The worklist: the lesions stand on top, and the rows say why.
    page.get_by_role("link", name="Worklist", exact=True).first.click()
    rows = page.locator("tbody tr[data-id], tbody tr:has([role=rowheader])")
    rows.first.wait_for()
    page.get_by_text("None of the three suspected").first.wait_for()
    assert rows.count() == SCANS
    tops = [rows.nth(i).inner_text() for i in range(SCANS)]
    assert all("Glioma suspected" in text for text in tops[:LESIONS])
    assert all("None of the three suspected" in text for text in tops[LESIONS:])
    assert not any("normal" in text.lower() for text in tops)
    shot("worklist")

    # The most urgent case: overlays without a rerun, an override, and the report.
    rows.first.get_by_role("link").click()
    page.get_by_role("heading", name="Your reading").wait_for()
    page.get_by_role("button", name="Filled").or_(page.get_by_role("radio", name="Filled")).click()
    shot("case")
    page.get_by_text(re.compile("^Meningioma · model")).click()
    page.get_by_role("textbox", name="Note").fill("Dural tail.")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("saved as meningioma").wait_for()
    with page.expect_download() as started:
        page.get_by_role("button", name="Report (PDF)").click()
    text = "".join(sheet.extract_text() for sheet in PdfReader(started.value.path()).pages)
    assert "Meningioma" in text
    assert "Dural tail." in text
    assert "Dr Adams" in text
    assert "not a medical device" in text
    shot("reported")

    # The case has left the open list; the export holds the others.
    page.get_by_role("link", name="Worklist", exact=True).first.click()
    rows.nth(SCANS - 2).wait_for()
    assert rows.count() == SCANS - 1
    with page.expect_download() as started:
        page.get_by_role("button", name="Export as a table (CSV)").click()
    exported = csv.DictReader(io.StringIO(started.value.path().read_text("utf-8-sig")))
    assert len(list(exported)) == SCANS - 1

    page.get_by_role("link", name="Model", exact=True).click()
    page.get_by_role("heading", name="The model").wait_for()
    page.get_by_role("tab", name="In this installation").click()
    shot("model")
