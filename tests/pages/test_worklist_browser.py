"""The worklist in a real browser: keyboard, refresh, opening a case, themes and sizes."""

import re
from datetime import date

import pytest

from core.services.readers import add_reader
from core.services.scoring import score_waiting
from core.services.submit import Upload, submit
from core.services.worklist import worklist_page
from core.types import RequestedPriority, StudyDetails, WorklistQuery
from tests.fakes import FakeEngine, scan_png
from tests.installations import make_installation
from tests.pages.serving import SCREENSHOTS, choose_reader, in_browser, served, watched_pages

pytestmark = in_browser

HOSTILE = "<img src=x onerror=\"document.title='run'\">"
# The rows lie in the component's shadow root, which the page's own document does not look into.
ROWS = "tbody tr[data-id]"
FOCUSED = """() => {
  const root = document.activeElement?.shadowRoot
  return root?.activeElement?.closest('tr')?.dataset.id ?? null
}"""
NOTHING_LOOKS_CUT = """table => {
  const cells = [...table.querySelectorAll('tbody tr > *:not(.select)')].filter(c => c.offsetHeight)
  const wide = cells.filter(c => c.scrollWidth > c.clientWidth + 1).map(c => c.className)
  return [wide, table.scrollWidth > table.clientWidth, document.body.scrollWidth > innerWidth]
}"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """Fourteen cases, scored, and one that waits for the model."""
    made = make_installation(tmp_path_factory.mktemp("worklist"))
    sender = add_reader(made, "Sender")
    for n in range(14):
        picture = scan_png(120 + n, 100, lesion=n % 2 == 0)
        upload_one(made, sender, f"P-{n:02}", picture, site=HOSTILE if n == 0 else f"Site {n}")
    score_waiting(made, FakeEngine())
    upload_one(made, sender, "P-99", scan_png(90, 90))
    yield made
    made.database.close()


def upload_one(installation, sender, reference, picture, **details):
    details = StudyDetails(patient_reference=reference, study_date=date(2026, 3, 4), **details)
    submit(installation, sender, [Upload("scan.png", picture)], details)


@pytest.fixture(scope="module")
def address(installation, tmp_path_factory):
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with served(log, installation.settings.storage, "external") as address:
        yield address


@pytest.fixture
def open_worklist(browser, address):
    """Open the worklist as a reader."""
    with watched_pages(browser, address, timeout=60_000) as new_page:

        def opened(width=1280, height=800, theme="light", reader="Ada"):
            page = new_page(width, height, theme)
            page.goto(address)
            choose_reader(page, reader)
            page.locator(ROWS).first.wait_for()
            return page

        yield opened


def numbers(page):
    return page.locator(ROWS).evaluate_all("rows => rows.map(row => row.dataset.id)")


def row(page, number):
    return page.locator(f"{ROWS[:-1]}='{number}']")


def wait_selected(page, count):
    """Until the server knows of it, too."""
    page.locator(".st-key-worklist_actions").get_by_text(f"{count} selected").first.wait_for()


def test_the_table_says_what_it_is(open_worklist):
    page = open_worklist()
    grid = page.get_by_role("grid", name=re.compile("Cases 1 to 15 of 15"))
    assert grid.get_by_role("columnheader").count() == 11
    assert grid.locator("thead th[scope=col]").count() == 11
    assert grid.locator("th[aria-sort=descending]").inner_text() == "Rank"
    assert grid.get_by_role("rowheader").count() == 15
    waits = page.locator(ROWS).filter(has_text="P-99")
    assert "Not analysed yet" in waits.inner_text()
    first = page.locator(ROWS).first
    assert "Glioma" in first.inner_text()
    assert first.locator("img").evaluate("i => i.decode().then(() => i.naturalWidth > 20)")


def test_what_people_typed_is_text(open_worklist):
    page = open_worklist()
    typed = page.locator(ROWS).filter(has_text="P-00")
    assert HOSTILE in typed.inner_text()
    assert page.title() != "run"
    assert page.locator("tbody img[src=x]").count() == 0


def test_rows_are_reached_selected_and_opened_by_keyboard(open_worklist):
    page = open_worklist()
    found = numbers(page)
    assert page.locator(f"{ROWS}[tabindex='0']").count() == 1
    page.locator("thead button").last.focus()
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) == found[0]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(FOCUSED) == found[2]
    assert row(page, found[2]).evaluate("r => getComputedStyle(r).outlineStyle") == "solid"
    page.keyboard.press("Space")
    wait_selected(page, 1)
    assert row(page, found[2]).get_attribute("aria-selected") == "true"
    page.keyboard.press("End")
    assert page.evaluate(FOCUSED) == found[-1]
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(FOCUSED) == found[0]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/case?case={found[1]}")
    page.get_by_role("link", name="Worklist").first.click()
    page.wait_for_function(f"() => ({FOCUSED})() === '{found[1]}'")
    assert row(page, found[2]).get_attribute("aria-selected") == "true"


def test_a_click_on_a_row_opens_it_and_one_on_its_box_does_not(open_worklist):
    page = open_worklist()
    number = numbers(page)[3]
    row(page, number).locator("input").click()
    wait_selected(page, 1)
    assert "case=" not in page.url
    row(page, number).locator(".finding").click()
    page.wait_for_url(f"**/case?case={number}")


def test_a_refresh_keeps_place_focus_and_selection(open_worklist, installation):
    page = open_worklist(height=500)
    page.locator(ROWS).first.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    number = numbers(page)[-2]
    wait_selected(page, 1)
    before = row(page, number).bounding_box()["y"]
    sender = add_reader(installation, "Late sender")
    urgent = RequestedPriority.EMERGENCY
    upload_one(installation, sender, "P-50", scan_png(99, 77), requested=urgent)
    page.locator(ROWS).filter(has_text="P-50").wait_for()
    assert numbers(page)[-2] == number
    assert abs(row(page, number).bounding_box()["y"] - before) <= 2
    assert page.evaluate(FOCUSED) == number
    assert row(page, number).get_attribute("aria-selected") == "true"
    # Nobody should miss an urgent case because they look further down.
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "worklist-news.png")
    page.get_by_role("button", name="1 new case further up").click()
    new = page.locator(ROWS).filter(has_text="P-50")
    assert page.evaluate(FOCUSED) == new.get_attribute("data-id")
    assert 100 < new.bounding_box()["y"] < 400


def test_a_refresh_leaves_a_menu_open(open_worklist):
    page = open_worklist()
    page.locator(ROWS).first.locator("input").check()
    wait_selected(page, 1)
    page.get_by_role("button", name="Assign to …").click()
    page.get_by_role("menuitem", name="Sender").first.wait_for()
    updated = page.get_by_text("Updated").inner_text()
    page.wait_for_function(TIME_PASSED, arg=updated)
    assert page.get_by_role("menuitem", name="Sender").first.is_visible()


def test_a_case_is_taken_and_given_back_from_its_row(open_worklist, installation):
    page = open_worklist()
    number = next(n for n in numbers(page) if row(page, n).get_by_text("Assign to me").count())
    row(page, number).get_by_role("button", name=re.compile("Assign to me")).click()
    row(page, number).get_by_text("You", exact=True).wait_for()
    assert assignee(installation, number).name == "Ada"
    row(page, number).focus()
    page.keyboard.press("a")
    row(page, number).get_by_text("Assign to me").wait_for()
    assert assignee(installation, number) is None
    assert "case=" not in page.url


def assignee(installation, number):
    rows = worklist_page(installation, WorklistQuery(search=f"#{number}")).rows
    return rows[0].assignee


def test_a_header_sorts_and_sorts_the_other_way_round(open_worklist):
    page = open_worklist()
    header = page.get_by_role("columnheader", name="Patient")
    header.get_by_role("button").click()
    page.locator("th.patient[aria-sort=ascending]").wait_for()
    names = page.locator(f"{ROWS} .patient a").all_inner_texts()
    assert names == sorted(names)
    header.get_by_role("button").press("Enter")
    page.locator("th.patient[aria-sort=descending]").wait_for()
    assert page.locator(f"{ROWS} .patient a").all_inner_texts() == sorted(names, reverse=True)


def test_all_cases_and_the_selected_ones_are_exported(open_worklist):
    page = open_worklist()
    count = len(numbers(page))
    assert lines_exported(page) == count
    page.locator("thead input").check()
    row(page, numbers(page)[0]).locator("input").uncheck()
    wait_selected(page, count - 1)
    assert lines_exported(page) == count - 1


def lines_exported(page):
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as a table").click()
    return len(download.value.path().read_text("utf-8-sig").splitlines()) - 1


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (768, 1024), (420, 900)])
def test_nothing_is_cut_off_in_any_theme_and_size(open_worklist, theme, width, height):
    page = open_worklist(width, height, theme)
    page.get_by_role("heading", name="Worklist").wait_for()
    table = page.locator("table:has(tbody tr[data-id])")
    assert table.evaluate(NOTHING_LOOKS_CUT) == [[], False, False]
    contrast = page.locator(f"{ROWS} .detail").first.evaluate(CONTRAST)
    assert contrast >= 4.5
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"worklist-{theme}-{width}.png")


TIME_PASSED = """before => {
  const roots = [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
  const found = roots.map(one => one.shadowRoot?.querySelector('.note')).find(Boolean)
  return found && found.textContent !== before
}"""
CONTRAST = """element => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true})
  const light = colour => {
    canvas.fillStyle = colour
    canvas.fillRect(0, 0, 1, 1)
    const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255)
    const [r, g, b] = parts.map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const page = getComputedStyle(document.querySelector('.stApp')).backgroundColor
  const two = [light(page), light(getComputedStyle(element).color)].sort((a, b) => b - a)
  return (two[0] + 0.05) / (two[1] + 0.05)
}"""
