"""Fixtures of the tests of the pages."""

import pytest

from core.services.readers import add_reader, readers
from core.types import StudyDetails
from tests.fakes import scan_png
from tests.installations import installation_of_pages, make_installation, send_case
from tests.pages.harness import page_of
from tests.pages.serving import CHROMIUM, FLAGS, choose_reader, served, watched_pages


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def own_installation(tmp_path, monkeypatch):
    """The one that pages run by AppTest open, without a worker."""
    with installation_of_pages(tmp_path / "storage", monkeypatch) as opened:
        yield opened


@pytest.fixture
def ada(own_installation):
    return add_reader(own_installation, "Ada")


@pytest.fixture
def bo(own_installation):
    return add_reader(own_installation, "Bo")


@pytest.fixture
def new_case(own_installation, ada):
    """A new case of Ada's: of these files or of a picture with a lesion. Gives its number."""

    def made(*files, score=True, **details):
        sent = files or (scan_png(),)
        given = StudyDetails(**details)
        return send_case(own_installation, ada, *sent, details=given, score=score)

    return made


@pytest.fixture
def open_page(ada):
    """Open a page in a tab of its own, as Ada or as another reader; see ``page_of``."""

    def opened(page, reader=ada, **options):
        return page_of(reader, page, **options)

    return opened


@pytest.fixture
def open_case(open_page):
    """Open a case in a tab of its own."""

    def opened(case, **options):
        return open_page("pages/case.py", case=case, **options)

    return opened


@pytest.fixture(scope="module")
def served_installation(tmp_path_factory):
    """The one that an application serves to a browser; it knows one reader, Sender."""
    made = make_installation(tmp_path_factory.mktemp("served"))
    add_reader(made, "Sender")
    yield made
    made.database.close()


@pytest.fixture
def served_case(served_installation):
    """A new case of Sender's, of these files. Gives its number."""

    def made(*files, score=True, **details):
        sender, given = readers(served_installation)[0], StudyDetails(**details)
        return send_case(served_installation, sender, *files, details=given, score=score)

    return made


@pytest.fixture(scope="module")
def case_address(served_installation, tmp_path_factory, browser):
    """Where cases are served, without a worker."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with served(log, served_installation.settings.storage, "external") as address:
        # The first visitor of a server is sent to the front door, whatever they ask for.
        with browser.new_page() as page:
            page.goto(address)
            page.get_by_role("heading", name="Who is reading?").wait_for(timeout=120_000)
        yield address


@pytest.fixture
def view_case(browser, case_address):
    """Open a case in a real browser as a reader."""
    with watched_pages(browser, case_address) as new_page:

        def opened(case, reader="Ada", width=1280, height=800, theme="light", script=None):
            page = new_page(width, height, theme)
            if script:
                page.add_init_script(f"({script})()")
            page.goto(f"{case_address}/case?case={case}")
            choose_reader(page, reader)
            page.locator(".viewer[data-ready]").wait_for()
            return page

        yield opened
