"""The demonstration holds no more uploaded files than was set: a server, asked past its page."""

import time

import pytest

from tests.fakes import scan_png
from tests.pages.serving import in_browser, serve

pytestmark = in_browser

# A picture in the uploader first, and then bytes that nobody reads.
FILES = [{"name": "slice.png", "mimeType": "image/png", "buffer": scan_png()}]
MEGABYTE = 1_000_000
# Together 6 MB, of which each of the two has 1.5 for certain, and the others 3 who comes first.
LIMITS = {"HELD_MEGABYTES": "4", "HELD_MEGABYTES_OF_ALL": "6", "WORKSPACES": "2"}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("held")
    env = {f"NEUROTRIAGE_DEMO__{name}": value for name, value in LIMITS.items()}
    env |= {"NEUROTRIAGE_DEMO__MODE": "on", "TMPDIR": str(folder)}
    address, process = serve(folder / "log.txt", env=env)
    yield address
    process.terminate()
    process.wait(20)
    assert "Traceback" not in (folder / "log.txt").read_text()


class Visitor:
    """A page with an uploader in a session of its own, and the way past the page."""

    def __init__(self, browser, address):
        self.context = browser.new_context(viewport={"width": 1280, "height": 800})
        self.context.set_default_timeout(90_000)
        self.page = self.context.new_page()
        self.page.goto(f"{address}/upload")
        self.page.get_by_role("heading", name="Upload scans").wait_for()
        with self.page.expect_request(lambda one: one.method == "PUT") as sending:
            self.page.locator("input[type=file]").set_input_files(FILES)
        self.page.get_by_role("button", name="Send 1 file").wait_for()
        self.url = sending.value.url
        self.headers = {"X-Xsrftoken": sending.value.headers.get("x-xsrftoken", "")}

    def put(self, name, size):
        file = {"name": name, "mimeType": "image/png", "buffer": bytes(size)}
        url = f"{self.url}-{name}"
        return self.page.request.put(url, multipart={"file": file}, headers=self.headers)

    def remove(self, name):
        answer = self.page.request.delete(f"{self.url}-{name}", headers=self.headers)
        assert answer.status == 204


def test_what_is_too_much_is_refused_and_said_and_hinders_nobody_else(browser, address):
    first, second = Visitor(browser, address), Visitor(browser, address)
    try:
        answers = [first.put(f"many-{n}", MEGABYTE) for n in range(6)]
        assert [one.status for one in answers] == [204] * 3 + [413] * 3
        assert "4 MB of files in the uploader at once" in answers[-1].text()
        # The uploader has no words for it, so the page has.
        first.page.get_by_text("Not taken: many-3, many-4, many-5.").wait_for()
        # A file that is sent again takes its own place.
        assert first.put("many-2", MEGABYTE).status == 204

        # The other one has a share that nobody else can take, and something of what is left.
        assert second.put("own", MEGABYTE).status == 204
        assert second.put("common", MEGABYTE).status == 204
        answer = second.put("too-much", MEGABYTE)
        assert answer.status == 413
        assert "the visitors of the demonstration hold as many files" in answer.text()
        second.page.get_by_text("Not taken: too-much.").wait_for()

        first.remove("many-0")
        first.remove("many-1")
        assert second.put("too-much", MEGABYTE).status == 204
        second.page.get_by_text("Not taken: too-much.").wait_for(state="detached")
        assert first.put("many-0", MEGABYTE).status == 204
        assert first.put("many-1", MEGABYTE).status == 413

        # What was sent is no longer held.
        second.page.get_by_role("button", name="Send 1 file").click()
        second.page.get_by_text("1 file: 1 received").first.wait_for()
        until = time.monotonic() + 60
        while first.put("many-1", MEGABYTE).status != 204:
            assert time.monotonic() < until
            time.sleep(0.5)
    finally:
        first.context.close()
        second.context.close()
