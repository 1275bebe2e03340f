"""The demonstration in real browsers: two visitors, neither of whom sees anything of the other."""

import pytest

from tests.fakes import scan_png
from tests.pages.serving import SCREENSHOTS, in_browser, serve

pytestmark = in_browser

FILES = [{"name": "slice.png", "mimeType": "image/png", "buffer": scan_png()}]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    env = {
        "NEUROTRIAGE_DEMO__MODE": "on",
        "NEUROTRIAGE_DEMO__WORKSPACES": "2",
        "NEUROTRIAGE_STORAGE": str(folder / "storage"),
        "TMPDIR": str(folder),
    }
    address, process = serve(folder / "log.txt", env=env)
    yield address
    process.terminate()
    process.wait(20)


def visitor(browser, scheme="light"):
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
    context.set_default_timeout(90_000)
    return context, context.new_page()


def sent_again(page, sending, size):
    """The server's answer to a file of so many bytes, sent where the page sent its file."""
    file = {"name": "large.png", "mimeType": "image/png", "buffer": bytes(size)}
    token = sending.headers.get("x-xsrftoken", "")
    answer = page.request.put(
        f"{sending.url}-again", multipart={"file": file}, headers={"X-Xsrftoken": token}
    )
    return answer.status


def test_visitors_do_not_see_each_others_cases_and_find_their_own_again(browser, address):
    (first, page), (second, other) = visitor(browser), visitor(browser, "dark")
    try:
        page.goto(address)
        page.get_by_role("heading", name="Worklist").wait_for()
        page.get_by_text("only you see this workspace").wait_for()
        page.get_by_role("link", name="Upload", exact=True).click()
        page.get_by_role("textbox", name="Patient reference").fill("MINE-1")
        with page.expect_request(lambda one: one.method == "PUT") as sending:
            page.locator("input[type=file]").set_input_files(FILES)
        assert sent_again(page, sending.value, 1_000_000) == 204
        # Past the page, which has files of this size refused by the browser.
        assert sent_again(page, sending.value, 27_000_000) == 413
        page.get_by_role("button", name="Send 1 file").click()
        page.get_by_text("1 file: 1 received").first.wait_for()
        page.get_by_role("link", name="Worklist", exact=True).click()
        page.get_by_text("MINE-1").first.wait_for()

        # The same case number in another visitor's workspace is another case: here, none.
        other.goto(f"{address}/case?case=1")
        other.get_by_text("only you see this workspace").wait_for()
        other.get_by_role("heading", name="This case cannot be opened").wait_for()
        other.wait_for_timeout(1500)
        assert other.locator(".viewer").count() == 0
        assert "MINE-1" not in other.locator("body").inner_text()
        other.get_by_role("link", name="Worklist", exact=True).click()
        other.get_by_role("heading", name="Worklist").wait_for()
        other.wait_for_timeout(1500)
        assert "MINE-1" not in other.locator("body").inner_text()
        other.screenshot(path=SCREENSHOTS / "demo_empty_dark.png")

        page.reload()
        page.get_by_text("MINE-1").first.wait_for()
        page.screenshot(path=SCREENSHOTS / "demo_worklist.png")
        cookies = {one["name"]: one["value"] for one in first.cookies()}
        assert len(cookies["neurotriage_workspace"]) == 32

        third, late = visitor(browser)
        late.goto(address)
        late.get_by_text("All 2 places of the demonstration are taken").wait_for()
        third.close()
    finally:
        first.close()
        second.close()
