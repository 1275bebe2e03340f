"""A case in a real browser: the viewer, two readers at once, an analysis that arrives late."""

import io
import re
from datetime import date

import numpy as np
import pytest
from PIL import Image

from core.services.readers import add_reader, readers
from core.services.review import look_again
from core.services.scoring import score_waiting
from core.services.submit import Upload, batch_items, submit
from core.types import CaseStatus, StudyDetails, TumourClass
from tests.fakes import FakeEngine, scan_png
from tests.installations import make_installation
from tests.pages.serving import SCREENSHOTS, choose_reader, in_browser, serve

pytestmark = in_browser

# What a pane shows: mean brightness, how many pixels are blue as the mask, and how many warm as
# the heat map. The rest of the picture is gray.
LOOK = """canvas => {
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
  let sum = 0, blue = 0, warm = 0
  for (let at = 0; at < data.length; at += 4) {
    const [r, g, b] = [data[at], data[at + 1], data[at + 2]]
    sum += g
    if (b > r + 40 && b > 120) blue++
    if (r > b + 40) warm++
  }
  return {mean: sum / (data.length / 4), blue, warm}
}"""
# A page whose reader is not told of changes by itself: they find out when they save.
NO_HEARTBEAT = """() => {
  const real = window.setInterval
  window.setInterval = (step, every, ...more) => every >= 10000 ? 0 : real(step, every, ...more)
}"""
# Streamlit's socket is open already: what it sends is counted where it is sent.
COUNT_MESSAGES = """() => {
  window.messages = 0
  const send = WebSocket.prototype.send
  WebSocket.prototype.send = function (...given) {
    window.messages++
    return send.apply(this, given)
  }
}"""
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    made = make_installation(tmp_path_factory.mktemp("case"))
    add_reader(made, "Sender")
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def address(installation, tmp_path_factory, browser):
    log = tmp_path_factory.mktemp("server") / "log.txt"
    storage = str(installation.settings.storage)
    address, process = serve(
        log, env={"NEUROTRIAGE_STORAGE": storage, "NEUROTRIAGE_WORKER": "external"}
    )
    # The first visitor of a server is sent to the front door, whatever they ask for.
    with browser.new_page() as page:
        page.goto(address)
        page.get_by_role("heading", name="Who is reading?").wait_for(timeout=120_000)
    yield address
    process.terminate()
    process.wait(20)
    said = log.read_text()
    assert not re.search("traceback|deprecat|warning|removed after", said, re.IGNORECASE), said


@pytest.fixture
def new_case(installation):
    def made(*pictures, score=True, **details):
        sender = readers(installation)[0]
        uploads = [Upload(f"{n}.png", one) for n, one in enumerate(pictures)]
        batch = submit(installation, sender, uploads, StudyDetails(**details))
        if score:
            score_waiting(installation, FakeEngine())
        return batch_items(installation, sender, batch.batch_id)[0].case_id

    return made


@pytest.fixture
def open_case(browser, address):
    """Open a case as a reader; the page must ask for nothing elsewhere and log no error."""
    contexts, wrong = [], []

    def opened(case, reader="Ada", width=1280, height=800, theme="light", script=None):
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            service_workers="block",
        )
        contexts.append(context)
        context.set_default_timeout(120_000)
        page = context.new_page()
        if script:
            page.add_init_script(f"({script})()")
        page.on("request", lambda one: wrong.append(one.url) if is_elsewhere(one.url) else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{address}/case?case={case}")
        choose_reader(page, reader)
        page.locator(".viewer[data-ready]").wait_for()
        return page

    def is_elsewhere(url):
        return url.startswith("http") and not url.startswith(address)

    yield opened
    for context in contexts:
        context.close()
    assert not wrong


def deep_png(seed):
    """A 16-bit scan whose values go up to some 4,000."""
    gray = np.asarray(Image.open(io.BytesIO(scan_png(120 + seed, 100)))).astype(np.uint16)
    out = io.BytesIO()
    Image.fromarray(gray * 18).save(out, "PNG")
    return out.getvalue()


def colour_png():
    """A composite: each channel has something of its own."""
    pixels = np.zeros((90, 80, 3), np.uint8)
    pixels[10:80, 10:70] = (60, 60, 60)
    pixels[20:40, 20:60, 0] = 230
    pixels[50:70, 20:60, 2] = 150
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def panes(page):
    return page.locator(".viewer canvas")


def look(page, pane=-1):
    page.evaluate(TWO_FRAMES)
    canvas = panes(page).last if pane == -1 else panes(page).nth(pane)
    return canvas.evaluate(LOOK)


def shows(page, selector):
    return page.locator(f".viewer {selector}")


def drag(page, dx, dy, button="left"):
    box = panes(page).first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down(button=button)
    page.mouse.move(x + dx / 2, y + dy / 2)
    page.mouse.move(x + dx, y + dy)
    page.mouse.up(button=button)


def test_window_and_level_act_on_the_values_of_a_16_bit_scan(open_case, new_case):
    page = open_case(new_case(deep_png(0)))
    corner = shows(page, ".pane .window").first
    width, level = (int(one) for one in re.findall(r"\d+", corner.inner_text()))
    assert width > 255, "the values of the upload were cut to 8 bits"
    before = look(page)
    drag(page, 0, 120)
    darker = look(page)
    assert darker["mean"] < before["mean"] - 3
    width_then, level_then = (int(one) for one in re.findall(r"\d+", corner.inner_text()))
    assert abs(width_then - width) <= 1
    assert level_then > level + 300
    drag(page, -100, 0)
    page.evaluate(TWO_FRAMES)
    assert int(re.findall(r"\d+", corner.inner_text())[0]) < width - 300
    shows(page, "select[data-name=preset]").select_option("Whole range")
    assert look(page)["mean"] != darker["mean"]
    shows(page, "input[data-name=level]").fill("500")
    page.evaluate(TWO_FRAMES)
    assert "L 500" in corner.inner_text()
    shows(page, "button[data-act=reset]").click()
    again = look(page)
    assert abs(again["mean"] - before["mean"]) < 0.5


def test_what_the_reader_sets_in_the_viewer_reaches_no_server(open_case, new_case):
    page = open_case(new_case(scan_png(118)))
    page.get_by_role("button", name="Save and next").wait_for()
    page.evaluate(COUNT_MESSAGES)
    for name in ("Filled", "Off", "Outline", "One", "Side by side", "Pan", "Window"):
        shows(page, "label").filter(has_text=re.compile(f"^{name}$")).click()
    shows(page, "select[data-name=heat]").select_option("glioma")
    shows(page, "input[data-name=heat-opacity]").fill("30")
    drag(page, 30, 30)
    drag(page, 30, 30, button="middle")
    panes(page).first.press("+")
    page.evaluate(TWO_FRAMES)
    # The heartbeat of the page may fall into that time, once or twice on a slow machine.
    assert page.evaluate("window.messages") <= 2


def test_overlays_are_drawn_as_chosen_and_only_where_they_belong(open_case, new_case):
    page = open_case(new_case(scan_png(119)))
    shows(page, "label").filter(has_text="Side by side").click()
    outline = look(page)
    assert outline["blue"] > 20
    assert outline["warm"] == 0
    plain = look(page, 0)
    assert (plain["blue"], plain["warm"]) == (0, 0), "the scan itself carries an overlay"
    shows(page, "label").filter(has_text="Filled").click()
    filled = look(page)
    assert filled["blue"] > 2 * outline["blue"]
    shows(page, "input[data-name=mask-opacity]").fill("0")
    assert look(page)["blue"] == 0
    shows(page, "label").filter(has_text=re.compile("^Off$")).click()
    shows(page, "select[data-name=heat]").select_option("glioma")
    heat = look(page)
    assert heat["warm"] > 50
    assert heat["blue"] == 0
    assert "no outline of a tumour" in shows(page, "[data-name=heat-meaning]").inner_text()
    shows(page, "input[data-name=heat-opacity]").fill("0")
    assert look(page)["warm"] == 0
    assert "enhancing tumour" in shows(page, "[data-name=mask-meaning]").inner_text()
    assert "Grad-CAM of Glioma" in panes(page).last.get_attribute("aria-label")


def test_the_panes_zoom_and_move_together(open_case, new_case):
    page = open_case(new_case(scan_png(121)))
    shows(page, "label").filter(has_text="Side by side").click()
    before = [look(page, n)["mean"] for n in (0, 1)]
    panes(page).first.hover()
    page.mouse.wheel(0, -400)
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]"
        ".some(one => parseInt(one.shadowRoot?.querySelector('.zoom')?.textContent) > 150)"
    )
    after = [look(page, n)["mean"] for n in (0, 1)]
    assert all(abs(x - y) > 1 for x, y in zip(before, after, strict=True))
    drag(page, 150, 0, button="middle")
    moved = [look(page, n)["mean"] for n in (0, 1)]
    assert all(abs(x - y) > 0.3 for x, y in zip(after, moved, strict=True))
    shows(page, "button[data-act=fit]").click()
    assert shows(page, ".zoom").inner_text() == "100 %"
    shows(page, "label").filter(has_text=re.compile("^One$")).click()
    assert panes(page).count() == 1


def test_the_viewer_is_worked_by_keyboard(open_case, new_case):
    page = open_case(new_case(scan_png(122)))
    canvas = panes(page).last
    shows(page, "button[data-act=full]").focus()
    page.keyboard.press("Tab")
    assert panes(page).first.evaluate("c => c.getRootNode().activeElement === c")
    assert panes(page).first.evaluate("c => getComputedStyle(c).outlineStyle") == "solid"
    with_mask = look(page)
    page.keyboard.press("m")
    assert look(page)["blue"] == 0
    page.keyboard.press("m")
    assert look(page)["blue"] == with_mask["blue"]
    page.keyboard.press("o")
    assert look(page)["blue"] > with_mask["blue"]
    page.keyboard.press("o")
    page.keyboard.press("g")
    assert look(page)["warm"] > 50
    page.keyboard.press("g")
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.evaluate(TWO_FRAMES)
    assert shows(page, ".zoom").inner_text() == "156 %"
    page.keyboard.press("0")
    brightness = look(page)["mean"]
    for _ in range(8):
        page.keyboard.press("Shift+ArrowUp")
    assert look(page)["mean"] > brightness + 1
    assert "level" in shows(page, "[data-name=said]").inner_text()
    page.keyboard.press("r")
    assert look(page)["mean"] == pytest.approx(brightness, abs=0.5)
    assert canvas.get_attribute("role") == "application"


def test_a_channel_of_a_composite_is_shown_alone(open_case, new_case):
    page = open_case(new_case(colour_png()))
    shows(page, "label").filter(has_text="Side by side").click()
    assert look(page, 0)["warm"] > 100
    shows(page, "select[data-name=channel]").select_option("2")
    alone = look(page, 0)
    assert (alone["warm"], alone["blue"]) == (0, 0), "a single channel is gray"
    # What the reader is looking at is blue's own range, not that of all three.
    assert "W 150" in shows(page, ".pane .window").first.inner_text()


def test_a_run_of_the_page_leaves_the_viewer_as_it_was(open_case, new_case):
    page = open_case(new_case(scan_png(123), scan_png(124, lesion=False), patient_reference="Run"))
    panes(page).first.focus()
    page.keyboard.press("+")
    drag(page, 0, 60)
    before = shows(page, ".pane .window").first.inner_text()
    page.get_by_role("button", name="Start review").click()
    page.get_by_role("button", name="Give it back").wait_for()
    assert shows(page, ".zoom").inner_text() == "125 %"
    assert shows(page, ".pane .window").first.inner_text() == before
    page.get_by_role("button", name="Scan 2", exact=True).click()
    shows(
        page,
        "p",
    ).filter(has_text="No region was outlined").wait_for()
    assert shows(page, ".zoom").inner_text() == "100 %"


def test_readers_see_each_other_in_a_case(open_case, new_case):
    case = new_case(scan_png(129), patient_reference="Both")
    ada, ben = open_case(case, "Ada"), open_case(case, "Ben")
    for page, other in ((ben, "Ada"), (ada, "Ben")):
        page.get_by_text(re.compile(f"{other} .unverified. has this case open since")).wait_for()


def test_two_readers_in_one_case_are_told_and_nothing_is_overwritten(
    open_case, new_case, installation
):
    case = new_case(scan_png(125), patient_reference="Two")
    ada = open_case(case, "Ada", script=NO_HEARTBEAT)
    ben = open_case(case, "Ben")
    ada.locator("label", has_text="Glioma · model").click()
    ada.get_by_text("You confirm the model").wait_for()
    ada.get_by_role("textbox", name="Note").fill("typed before the other saved")
    ben.locator("label", has_text="Meningioma · model").click()
    ben.get_by_text("You override the model").wait_for()
    ben.get_by_role("button", name="Save", exact=True).click()
    ben.get_by_text("Reported.", exact=True).wait_for()

    ada.get_by_role("button", name="Save", exact=True).click()
    ada.get_by_text("This case changed while you had it open").wait_for()
    assert ada.get_by_role("textbox", name="Note").input_value() == "typed before the other saved"
    view = look_again(installation, by_name(installation, "Ada"), case)
    assert [one.finding for one in view.readings] == [TumourClass.MENINGIOMA]
    assert view.notes == ()

    ada.get_by_text("Correct the report").click()
    assert ada.get_by_role("radio", name="Glioma").is_checked()
    ada.get_by_role("button", name="Save", exact=True).click()
    ada.get_by_text("Needs second reader").first.wait_for()
    view = look_again(installation, by_name(installation, "Ada"), case)
    assert view.summary.status is CaseStatus.NEEDS_SECOND_READER
    # The other is told without doing anything.
    ben.get_by_text("This case changed while you had it open").wait_for()


def by_name(installation, name):
    return next(one for one in readers(installation) if one.name == name)


def test_an_analysis_that_arrives_leaves_what_is_being_typed(open_case, new_case, installation):
    case = new_case(scan_png(126), score=False, patient_reference="Late")
    page = open_case(case)
    page.get_by_text("This scan waits for the model").wait_for()
    note = page.get_by_role("textbox", name="Note")
    note.click()
    page.keyboard.type("half a sent")
    score_waiting(installation, FakeEngine())
    page.get_by_role("heading", name="Glioma suspected").first.wait_for()
    page.get_by_text("This scan waits for the model").wait_for(state="detached")
    page.keyboard.type("ence")
    assert note.input_value() == "half a sentence"


def test_a_case_is_read_from_opening_to_report_and_on_to_the_next(
    open_case, new_case, installation
):
    first = new_case(scan_png(127), patient_reference="Main", study_date=date(2024, 3, 1))
    page = open_case(first, "Cleo")
    page.locator("label", has_text="Meningioma · model").click()
    page.locator("label", has_text="Mask is wrong").click()
    page.get_by_role("textbox", name="Note").fill("Dural tail")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Reported.", exact=True).wait_for()
    page.get_by_text("Dural tail", exact=True).wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Report (PDF)").click()
    assert download.value.path().read_bytes().startswith(b"%PDF")
    second = new_case(scan_png(128), patient_reference="Main", study_date=date(2024, 9, 1))
    page.get_by_role("button", name="Next case").click()
    page.wait_for_function("old => !location.search.endsWith('=' + old)", arg=str(first))
    page = open_case(second, "Cleo")
    page.get_by_role("button", name="Put beside the scan").click()
    page.get_by_text("Earlier: 1 Mar 2024").wait_for()
    assert panes(page).count() == 2
    assert shows(page, "label").filter(has_text="With earlier").locator("input").is_checked()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (768, 1024)])
def test_nothing_is_cut_off_in_any_theme_and_size(open_case, new_case, theme, width, height):
    seed = width // 8 + (theme == "dark")
    case = new_case(scan_png(seed), scan_png(seed, 90, lesion=False), patient_reference="Look")
    page = open_case(case, width=width, height=height, theme=theme)
    page.get_by_role("button", name="Save and next").wait_for()
    assert page.evaluate("document.body.scrollWidth <= innerWidth")
    viewer = page.locator(".viewer")
    assert viewer.evaluate("v => v.scrollWidth <= v.clientWidth + 1")
    box = panes(page).last.bounding_box()
    assert box["y"] + box["height"] <= height, "the scan does not fit on the screen"
    assert box["width"] >= 250
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"case-{theme}-{width}.png")
    page.get_by_role("button", name="Save and next").scroll_into_view_if_needed()
    page.screenshot(path=SCREENSHOTS / f"case-{theme}-{width}-decision.png")
