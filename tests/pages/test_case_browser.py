"""A case in a real browser: two readers at once, a late analysis, the way to a report."""

import re
from datetime import date

import pytest

from core.services.readers import readers
from core.services.review import look_again
from core.services.scoring import score_waiting
from core.types import CaseStatus, TumourClass
from tests.fakes import FakeEngine, scan_png
from tests.pages.serving import SCREENSHOTS, in_browser
from tests.pages.viewer import panes, viewer

pytestmark = in_browser

# A page whose reader is not told of changes by itself: they find out when they save.
NO_HEARTBEAT = """() => {
  const real = window.setInterval
  window.setInterval = (step, every, ...more) => every >= 10000 ? 0 : real(step, every, ...more)
}"""


def test_readers_see_each_other_in_a_case(view_case, served_case):
    case = served_case(scan_png(129), patient_reference="Both")
    ada, ben = view_case(case, "Ada"), view_case(case, "Ben")
    for page, other in ((ben, "Ada"), (ada, "Ben")):
        page.get_by_text(re.compile(f"{other} .unverified. has this case open since")).wait_for()


def test_two_readers_in_one_case_are_told_and_nothing_is_overwritten(
    view_case, served_case, served_installation
):
    case = served_case(scan_png(125), patient_reference="Two")
    ada = view_case(case, "Ada", script=NO_HEARTBEAT)
    ben = view_case(case, "Ben")
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
    view = look_again(served_installation, by_name(served_installation, "Ada"), case)
    assert [one.finding for one in view.readings] == [TumourClass.MENINGIOMA]
    assert view.notes == ()

    ada.get_by_text("Correct the report").click()
    assert ada.get_by_role("radio", name="Glioma").is_checked()
    ada.get_by_role("button", name="Save", exact=True).click()
    ada.get_by_text("Needs second reader").first.wait_for()
    view = look_again(served_installation, by_name(served_installation, "Ada"), case)
    assert view.summary.status is CaseStatus.NEEDS_SECOND_READER
    # The other is told without doing anything.
    ben.get_by_text("This case changed while you had it open").wait_for()


def by_name(served_installation, name):
    return next(one for one in readers(served_installation) if one.name == name)


def test_an_analysis_that_arrives_leaves_what_is_being_typed(
    view_case, served_case, served_installation
):
    case = served_case(scan_png(126), score=False, patient_reference="Late")
    page = view_case(case)
    page.get_by_text("This scan waits for the model").wait_for()
    note = page.get_by_role("textbox", name="Note")
    note.click()
    page.keyboard.type("half a sent")
    score_waiting(served_installation, FakeEngine())
    page.get_by_role("heading", name="Glioma suspected").first.wait_for()
    page.get_by_text("This scan waits for the model").wait_for(state="detached")
    page.keyboard.type("ence")
    assert note.input_value() == "half a sentence"


def test_a_report_that_another_saves_leaves_what_is_being_typed(view_case, served_case):
    case = served_case(scan_png(132), patient_reference="Same time")
    ada, ben = view_case(case, "Ada"), view_case(case, "Ben")
    note = ada.get_by_role("textbox", name="Note")
    note.click()
    ada.keyboard.type("half a sent")
    ben.locator("label", has_text="Meningioma · model").click()
    ben.get_by_text("You override the model").wait_for()
    ben.get_by_role("button", name="Save", exact=True).click()
    ada.get_by_text("Correct the report").wait_for()
    ada.keyboard.type("ence")
    assert note.input_value() == "half a sentence"


def test_a_case_is_read_from_opening_to_report_and_on_to_the_next(
    view_case, served_case, served_installation
):
    first = served_case(scan_png(127), patient_reference="Main", study_date=date(2024, 3, 1))
    page = view_case(first, "Cleo")
    page.locator("label", has_text="Meningioma · model").click()
    page.locator("label", has_text="Mask is wrong").click()
    page.get_by_role("textbox", name="Note").fill("Dural tail")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Reported.", exact=True).wait_for()
    page.get_by_text("Dural tail", exact=True).wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Report (PDF)").click()
    assert download.value.path().read_bytes().startswith(b"%PDF")
    second = served_case(scan_png(128), patient_reference="Main", study_date=date(2024, 9, 1))
    page.get_by_role("button", name="Next case").click()
    page.wait_for_function("old => !location.search.endsWith('=' + old)", arg=str(first))
    page = view_case(second, "Cleo")
    page.get_by_role("button", name="Put beside the scan").click()
    page.get_by_text("Earlier: 1 Mar 2024").wait_for()
    assert panes(page).count() == 2
    assert viewer(page, "label").filter(has_text="With earlier").locator("input").is_checked()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (768, 1024)])
def test_nothing_is_cut_off_in_any_theme_and_size(view_case, served_case, theme, width, height):
    seed = width // 8 + (theme == "dark")
    case = served_case(scan_png(seed), scan_png(seed, 90, lesion=False), patient_reference="Look")
    page = view_case(case, width=width, height=height, theme=theme)
    page.get_by_role("button", name="Save and next").wait_for()
    assert page.evaluate("document.body.scrollWidth <= innerWidth")
    assert viewer(page).evaluate("v => v.scrollWidth <= v.clientWidth + 1")
    box = panes(page).last.bounding_box()
    assert box["y"] + box["height"] <= height, "the scan does not fit on the screen"
    assert box["width"] >= 250
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"case-{theme}-{width}.png")
    page.get_by_role("button", name="Save and next").scroll_into_view_if_needed()
    page.screenshot(path=SCREENSHOTS / f"case-{theme}-{width}-decision.png")
