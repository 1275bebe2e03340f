"""Every page at the sizes of desks and tablets, light and dark: nothing sticks out, nothing fails.

axe-core looks at each page in both themes for what keeps people with disabilities from using it.
"""

import pytest

from tests.dicoms import head_volume, mr_series
from tests.fakes import scan_png
from tests.pages.serving import SCREENSHOTS, in_browser, serve, served, watched_pages

pytestmark = in_browser

SIZES = [(1440, 900), (1280, 800), (820, 1180)]
PAGES = {
    "worklist": "/",
    "upload": "/upload",
    "case": "/case?case=1",
    "analyse": "/analyse",
    "model_card": "/model_card",
}
HEADINGS = {"worklist": "Worklist", "upload": "Upload scans", "model_card": "The model"}
GRAVE = {"serious", "critical"}
FILES = [
    {
        "name": f"{n}.png",
        "mimeType": "image/png",
        "buffer": scan_png(150 + n, 140, lesion=n % 2 == 0),
    }
    for n in range(4)
]
SERIES = [
    {"name": f"{n}.dcm", "mimeType": "application/dicom", "buffer": data}
    for n, data in enumerate(mr_series(head_volume(6, lesion=range(2, 4))))
]
# Pixels by which an element reaches beyond the width of the page's scrolling area.
OVERFLOW = """() => {
  const areas = [document.documentElement, ...document.querySelectorAll('[data-testid=stMain]')]
  return Math.max(...areas.map((area) => area.scrollWidth - area.clientWidth))
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("looks")
    env = {"NEUROTRIAGE_DEMO__MODE": "on", "TMPDIR": str(folder)}
    address, process = serve(folder / "log.txt", env=env)
    yield address
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="module")
def cookies(address, browser):
    """A visitor with five cases, the last one a series; others go on there by the cookie."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(90_000)
    page = context.new_page()
    page.goto(f"{address}/upload")
    page.get_by_role("heading", name="Upload scans").wait_for()
    page.locator("input[type=file]").set_input_files(FILES + SERIES)
    page.get_by_role("button", name="Send 10 files").click()
    page.get_by_text("10 of 10 scans scored").first.wait_for()
    kept = context.cookies()
    context.close()
    return kept


def settle(page, name):
    if name in HEADINGS:
        page.get_by_role("heading", name=HEADINGS[name], exact=True).wait_for()
    if name == "worklist":
        page.locator("tbody tr").first.wait_for()
    if name == "case":
        page.get_by_role("heading", name="Your reading").wait_for()
    page.locator("[data-testid=stSkeleton]").first.wait_for(state="detached")
    page.wait_for_timeout(1200)


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def size(request):
    return request.param


@pytest.fixture
def visit(address, browser, cookies, scheme, size):
    width, height = size
    with watched_pages(browser, address, timeout=90_000) as new_page:

        def go(name):
            page = new_page(width, height, scheme)
            page.context.add_cookies(cookies)
            page.goto(address + PAGES[name])
            settle(page, name)
            SCREENSHOTS.mkdir(exist_ok=True)
            page.screenshot(path=SCREENSHOTS / f"looks-{name}-{scheme}-{width}.png")
            return page

        yield go


@pytest.mark.parametrize("name", PAGES)
def test_nothing_sticks_out_and_nothing_fails(visit, name, size, scheme):
    page = visit(name)
    assert_nothing_sticks_out(page)
    if size == SIZES[1]:
        assert_everybody_can_use(page)


def assert_nothing_sticks_out(page):
    assert page.evaluate(OVERFLOW) <= 1
    assert page.get_by_text("Traceback").count() == 0


def assert_everybody_can_use(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    grave = [
        (one["id"], [node["html"][:160] for node in one["nodes"][:5]])
        for one in found
        if one["impact"] in GRAVE
    ]
    assert not grave


def empty_worklist(page, address):
    page.context.clear_cookies()
    page.goto(address)
    page.get_by_text("No cases yet").wait_for()


def series(page, address):
    page.goto(f"{address}/case?case=5")
    page.get_by_role("heading", name="Your reading").wait_for()
    page.locator(".viewer[data-ready]").wait_for()


def quick_look_with_results(page, address):
    page.goto(f"{address}/analyse")
    page.locator("input[type=file]").set_input_files(FILES[:2])
    page.get_by_role("heading", name="1.png").wait_for()


def figures_on_test_scans(page, address):
    page.goto(f"{address}/model_card")
    page.get_by_role("tab", name="On test scans").click()


def figures_of_the_installation(page, address):
    page.goto(f"{address}/model_card")
    page.get_by_role("tab", name="In this installation").click()
    page.get_by_role("heading", name="Volume per day").wait_for()


STATES = (
    empty_worklist,
    series,
    quick_look_with_results,
    figures_on_test_scans,
    figures_of_the_installation,
)


def look_at(state, browser, address, scheme, cookies):
    """Bring a page of the usual size into a state, and look at it."""
    with watched_pages(browser, address, timeout=90_000) as new_page:
        page = new_page(*SIZES[1], scheme)
        page.context.add_cookies(cookies)
        state(page, address)
        settle(page, None)
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"looks-{state.__name__}-{scheme}.png")
        assert_nothing_sticks_out(page)
        assert_everybody_can_use(page)


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_nothing_fails_in_what_a_page_shows_later(state, browser, address, cookies, scheme):
    look_at(state, browser, address, scheme, cookies)


def test_nothing_fails_at_the_gate(browser, tmp_path):
    def gate(page, address):
        page.goto(address)
        page.get_by_role("heading", name="Who is reading?").wait_for()

    with served(tmp_path / "log.txt", tmp_path / "storage", "external") as own:
        for theme in ("light", "dark"):
            look_at(gate, browser, own, theme, [])
