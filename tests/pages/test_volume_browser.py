"""A series in a real browser: uploaded, opened, gone through by keys, wheel, plot and planes."""

import re

import pytest

from tests.dicoms import CORONAL, head_volume, mr_series
from tests.pages.serving import SCREENSHOTS, choose_reader, in_browser, served, watched_pages
from tests.pages.viewer import TWO_FRAMES, viewer

pytestmark = in_browser

SLICES = 40
# How many pixels of a canvas are coloured as the mask, and how many as the cross-hair.
LOOK = """canvas => {
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
  let blue = 0, yellow = 0, sum = 0
  for (let at = 0; at < data.length; at += 4) {
    const [r, g, b] = [data[at], data[at + 1], data[at + 2]]
    sum += g
    if (b > r + 25 && b > 90) blue++
    if (r > b + 60 && g > b + 40) yellow++
  }
  return {blue, yellow, mean: sum / (data.length / 4)}
}"""


@pytest.fixture(scope="module")
def address(served_installation, tmp_path_factory):
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with served(log, served_installation.settings.storage, warnings=True) as address:
        yield address


@pytest.fixture
def signed_in(browser, address):
    """A page of its own session, past the gate."""
    with watched_pages(browser, address) as new_page:

        def opened(theme="light", width=1280, height=900):
            page = new_page(width, height, theme)
            page.goto(address)
            choose_reader(page, "Ada")
            return page

        yield opened


def series_files(slices=SLICES, **options):
    volume = head_volume(slices, 200, 160, lesion=range(22, 31))
    return mr_series(volume, step=3.0, spacing=(0.9, 0.9), **options)


def open_case(page, address, case):
    page.goto(f"{address}/case?case={case}")
    page.locator(".viewer[data-ready]").wait_for()


def at_slice(page, number):
    """Wait until the viewer shows that slice, counted from 1."""
    page.locator(f'.viewer[data-slice="{number - 1}"]').wait_for()
    assert viewer(page, "[data-name=slice-said]").inner_text().startswith(f"Slice {number} of")


def said_below(page, number):
    """Wait until the findings below the plot are those of that slice."""
    page.get_by_role("heading", name=re.compile(f"^Slice {number} of {SLICES} ")).wait_for()


def test_a_series_is_uploaded_and_gone_through(signed_in, address, tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    for number, data in enumerate(series_files()):
        (folder / f"IM{number:04}.dcm").write_bytes(data)
    page = signed_in()
    page.get_by_role("link", name="Upload", exact=True).click()
    page.locator("input[type=file]").set_input_files(sorted(map(str, folder.iterdir())))
    page.get_by_role("button", name=f"Send {SLICES} files").click()
    page.get_by_text(f"{SLICES} files: {SLICES} received").first.wait_for()
    open_case(page, address, 1)
    # It opens at the decisive slice, once the analysis is there.
    page.get_by_text("Glioma suspected").first.wait_for()
    page.get_by_text("wait for the model").wait_for(state="detached")
    open_case(page, address, 1)
    start = int(viewer(page).get_attribute("data-slice")) + 1
    assert 23 <= start <= 31
    said_below(page, start)
    page.get_by_text(f"T1 with contrast, axial, series 1, {SLICES} slices").first.wait_for()

    # The keyboard, without the server in between.
    canvas = viewer(page, "canvas").last
    canvas.focus()
    took = canvas.evaluate(
        """async canvas => {
          const root = canvas.getRootNode().querySelector('.viewer')
          let sent = 0
          const send = WebSocket.prototype.send
          WebSocket.prototype.send = function (...given) {
            sent++
            return send.apply(this, given)
          }
          const begun = performance.now()
          for (let step = 0; step < 8; step++) {
            const before = root.dataset.slice
            canvas.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowDown', bubbles: true}))
            while (root.dataset.slice === before) {
              await new Promise(requestAnimationFrame)
              if (performance.now() - begun > 90000) throw new Error('no step')
            }
          }
          WebSocket.prototype.send = send
          return {sent, ms: (performance.now() - begun) / 8}
        }"""
    )
    # A step waits for no server: at most one is told every now and then where the reader is.
    assert took["sent"] < 8, took
    at_slice(page, start - 8)
    said_below(page, start - 8)
    for key, number in (("Home", 1), ("End", SLICES), ("PageDown", SLICES - 4)):
        canvas.press(key)
        at_slice(page, number)
    canvas.hover()
    page.mouse.wheel(0, 100)
    page.locator(f'.viewer[data-slice="{SLICES - 5}"]').wait_for(state="detached")
    viewer(page, "button[data-act=slice-leading]").click()
    at_slice(page, start)
    viewer(page, "input[data-name=slice]").fill("3")
    at_slice(page, 3)
    said_below(page, 3)
    assert viewer(page, "[data-name=slice-found]").inner_text().startswith("None of the three")

    # The plot: a click goes to the slice below the pointer.
    page.locator(".js-plotly-plot").first.scroll_into_view_if_needed()
    box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    number = 25
    x = box["x"] + box["width"] * (number - 0.2) / (SLICES + 0.6)
    page.mouse.move(x - 2, box["y"] + box["height"] / 2)
    page.mouse.move(x, box["y"] + box["height"] / 2)
    page.wait_for_timeout(300)
    page.mouse.click(x, box["y"] + box["height"] / 2)
    at_slice(page, number)
    said_below(page, number)
    assert page.get_by_text("Volume.", exact=True).count() == 1

    # The planes follow the viewer, and the viewer follows them.
    planes = page.locator(".planes[data-ready]")
    planes.wait_for()
    planes.scroll_into_view_if_needed()
    page.evaluate(TWO_FRAMES)
    views = planes.locator("canvas")
    assert views.count() == 3
    for index in range(3):
        looks = views.nth(index).evaluate(LOOK)
        assert looks["blue"] > 20, "the mask is not in the plane"
        assert looks["yellow"] > 50, "there is no cross-hair"
    before = planes.get_attribute("data-point")
    views.nth(1).press("PageUp")
    page.evaluate(TWO_FRAMES)
    assert planes.get_attribute("data-point") != before
    coronal = views.nth(1).bounding_box()
    page.mouse.click(coronal["x"] + coronal["width"] / 2, coronal["y"] + coronal["height"] / 2)
    page.locator(f'.viewer[data-slice="{number - 1}"]').wait_for(state="detached")
    assert 18 <= int(viewer(page).get_attribute("data-slice")) <= 22


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_two_series_and_a_picture_in_one_case(signed_in, address, served_case, theme):
    axial = series_files(series="axial", study=theme, PatientID=theme, SeriesNumber=2)
    coronal = series_files(
        12, series="coronal", study=theme, PatientID=theme, SeriesNumber=5, orientation=CORONAL
    )
    case = served_case(*axial, *coronal)
    page = signed_in(theme)
    open_case(page, address, case)
    page.locator(".planes[data-ready]").wait_for()
    assert page.evaluate("document.body.scrollWidth <= innerWidth")
    assert viewer(page).evaluate("v => v.scrollWidth <= v.clientWidth + 1")
    SCREENSHOTS.mkdir(exist_ok=True)
    page.wait_for_timeout(1500)
    page.screenshot(path=SCREENSHOTS / f"volume-{theme}.png")
    page.locator(".planes").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    page.screenshot(path=SCREENSHOTS / f"volume-{theme}-planes.png")
    # Not by the wheel: the page would still be rolling, and its list closes at that.
    chooser = page.locator(f".st-key-case_{case}_series").get_by_role("combobox")
    chooser.scroll_into_view_if_needed()
    chooser.click()
    page.get_by_role("option", name=re.compile("coronal, series 5")).click()
    viewer(page, "[data-name=slice-said]").filter(has_text="of 12").wait_for()
    page.locator(".planes[data-ready]").wait_for()
