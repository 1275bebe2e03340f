"""Chosen files whose server is killed: the browser still shows them, and they have to be named."""

from tests.fakes import scan_png
from tests.pages import serving
from tests.pages.serving import choose_reader, in_browser, serve

pytestmark = in_browser

FILES = [
    {"name": f"slice {n}.png", "mimeType": "image/png", "buffer": scan_png(60 + n)}
    for n in range(3)
]


def test_files_lost_with_a_killed_server_are_named_by_the_next(browser, tmp_path, monkeypatch):
    port = serving.free_port()
    monkeypatch.setattr(serving, "free_port", lambda: port)
    env = {"NEUROTRIAGE_STORAGE": str(tmp_path / "storage")}
    address, process = serve(tmp_path / "log.txt", env=env)
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(90_000)
    try:
        page = context.new_page()
        page.goto(address)
        choose_reader(page, "Dr Adams")
        page.get_by_role("link", name="Upload", exact=True).click()
        page.locator("input[type=file]").set_input_files(FILES)
        page.get_by_role("button", name="Send 3 files").wait_for()

        process.kill()
        process.wait(20)
        _, process = serve(tmp_path / "log2.txt", env=env)
        lost = page.get_by_text("The connection was lost")
        # The browser connects again, and asks for the page at once or when something is clicked.
        send = page.locator("button:enabled", has_text="Send 3 files")
        lost.or_(send).first.wait_for()
        if send.is_visible():
            send.click()
        lost.wait_for()
        assert all(file["name"] in lost.inner_text() for file in FILES)
        assert page.get_by_role("button", name="Send", exact=True).is_disabled()

        page.locator("input[type=file]").set_input_files(FILES)
        page.get_by_role("button", name="Send 3 files").click()
        page.get_by_text("3 files: 3 received").first.wait_for()
        lost.wait_for(state="detached")
    finally:
        context.close()
        process.terminate()
        process.wait(20)
