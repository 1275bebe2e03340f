"""The viewer of a case in a real browser: window, overlays, zoom, keys, channels."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from tests.fakes import scan_png
from tests.pages.serving import in_browser
from tests.pages.viewer import TWO_FRAMES, panes, viewer

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
# Streamlit's socket is open already: what it sends is counted where it is sent.
COUNT_MESSAGES = """() => {
  window.messages = 0
  const send = WebSocket.prototype.send
  WebSocket.prototype.send = function (...given) {
    window.messages++
    return send.apply(this, given)
  }
}"""


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


def look(page, pane=-1):
    page.evaluate(TWO_FRAMES)
    canvas = panes(page).last if pane == -1 else panes(page).nth(pane)
    return canvas.evaluate(LOOK)


def drag(page, dx, dy, button="left"):
    box = panes(page).first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down(button=button)
    page.mouse.move(x + dx / 2, y + dy / 2)
    page.mouse.move(x + dx, y + dy)
    page.mouse.up(button=button)


def test_window_and_level_act_on_the_values_of_a_16_bit_scan(view_case, served_case):
    page = view_case(served_case(deep_png(0)))
    corner = viewer(page, ".pane .window").first
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
    viewer(page, "select[data-name=preset]").select_option("Whole range")
    assert look(page)["mean"] != darker["mean"]
    viewer(page, "input[data-name=level]").fill("500")
    page.evaluate(TWO_FRAMES)
    assert "L 500" in corner.inner_text()
    viewer(page, "button[data-act=reset]").click()
    again = look(page)
    assert abs(again["mean"] - before["mean"]) < 0.5


def test_what_the_reader_sets_in_the_viewer_reaches_no_server(view_case, served_case):
    page = view_case(served_case(scan_png(118)))
    page.get_by_role("button", name="Save and next").wait_for()
    page.evaluate(COUNT_MESSAGES)
    for name in ("Filled", "Off", "Outline", "One", "Side by side", "Pan", "Window"):
        viewer(page, "label").filter(has_text=re.compile(f"^{name}$")).click()
    viewer(page, "select[data-name=heat]").select_option("glioma")
    viewer(page, "input[data-name=heat-opacity]").fill("30")
    drag(page, 30, 30)
    drag(page, 30, 30, button="middle")
    panes(page).first.press("+")
    page.evaluate(TWO_FRAMES)
    # The heartbeat of the page may fall into that time, once or twice on a slow machine.
    assert page.evaluate("window.messages") <= 2


def test_overlays_are_drawn_as_chosen_and_only_where_they_belong(view_case, served_case):
    page = view_case(served_case(scan_png(119)))
    viewer(page, "label").filter(has_text="Side by side").click()
    outline = look(page)
    assert outline["blue"] > 20
    assert outline["warm"] == 0
    plain = look(page, 0)
    assert (plain["blue"], plain["warm"]) == (0, 0), "the scan itself carries an overlay"
    viewer(page, "label").filter(has_text="Filled").click()
    filled = look(page)
    assert filled["blue"] > 2 * outline["blue"]
    viewer(page, "input[data-name=mask-opacity]").fill("0")
    assert look(page)["blue"] == 0
    viewer(page, "label").filter(has_text=re.compile("^Off$")).click()
    viewer(page, "select[data-name=heat]").select_option("glioma")
    heat = look(page)
    assert heat["warm"] > 50
    assert heat["blue"] == 0
    assert "no outline of a tumour" in viewer(page, "[data-name=heat-meaning]").inner_text()
    viewer(page, "input[data-name=heat-opacity]").fill("0")
    assert look(page)["warm"] == 0
    assert "enhancing tumour" in viewer(page, "[data-name=mask-meaning]").inner_text()
    assert "Grad-CAM of Glioma" in panes(page).last.get_attribute("aria-label")


def test_the_panes_zoom_and_move_together(view_case, served_case):
    page = view_case(served_case(scan_png(121)))
    viewer(page, "label").filter(has_text="Side by side").click()
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
    viewer(page, "button[data-act=fit]").click()
    viewer(page, ".zoom").filter(has_text="100 %").wait_for()
    viewer(page, "label").filter(has_text=re.compile("^One$")).click()
    assert panes(page).count() == 1


def test_the_viewer_is_worked_by_keyboard(view_case, served_case):
    page = view_case(served_case(scan_png(122)))
    canvas = panes(page).last
    viewer(page, "button[data-act=full]").focus()
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
    assert viewer(page, ".zoom").inner_text() == "156 %"
    page.keyboard.press("0")
    brightness = look(page)["mean"]
    for _ in range(8):
        page.keyboard.press("Shift+ArrowUp")
    assert look(page)["mean"] > brightness + 1
    assert "level" in viewer(page, "[data-name=said]").inner_text()
    page.keyboard.press("r")
    assert look(page)["mean"] == pytest.approx(brightness, abs=0.5)
    assert canvas.get_attribute("role") == "application"


def test_a_channel_of_a_composite_is_shown_alone(view_case, served_case):
    page = view_case(served_case(colour_png()))
    viewer(page, "label").filter(has_text="Side by side").click()
    assert look(page, 0)["warm"] > 100
    viewer(page, "select[data-name=channel]").select_option("2")
    alone = look(page, 0)
    assert (alone["warm"], alone["blue"]) == (0, 0), "a single channel is gray"
    # What the reader is looking at is blue's own range, not that of all three.
    assert "W 150" in viewer(page, ".pane .window").first.inner_text()


def test_a_run_of_the_page_leaves_the_viewer_as_it_was(view_case, served_case):
    page = view_case(
        served_case(scan_png(123), scan_png(124, lesion=False), patient_reference="Run")
    )
    panes(page).first.focus()
    page.keyboard.press("+")
    drag(page, 0, 60)
    before = viewer(page, ".pane .window").first.inner_text()
    page.get_by_role("button", name="Start review").click()
    page.get_by_role("button", name="Give it back").wait_for()
    assert viewer(page, ".zoom").inner_text() == "125 %"
    assert viewer(page, ".pane .window").first.inner_text() == before
    page.get_by_role("button", name="Scan 2", exact=True).click()
    viewer(page, "p").filter(has_text="No region was outlined").wait_for()
    viewer(page, ".zoom").filter(has_text="100 %").wait_for()
