"""The files of a case's results, taken in a real browser."""

import zipfile

from tests.dicoms import head_volume, mr_series
from tests.pages.serving import choose_reader, in_browser, watched_pages

pytestmark = in_browser


def series(lesion, **options):
    return mr_series(head_volume(5, 48, 40, lesion), **options)


def test_the_archive_of_results_can_be_taken_more_than_once(
    browser, case_address, served_case, tmp_path
):
    both = [*series(range(2, 4)), *series(range(1, 3), series="second", SeriesNumber=2)]
    case = served_case(*both, patient_reference="P-1")
    with watched_pages(browser, case_address) as new_page:
        page = new_page()
        page.goto(f"{case_address}/case?case={case}")
        choose_reader(page, "Ada")
        page.locator(".viewer[data-ready]").wait_for()
        menu = page.get_by_role("button", name="Results")
        menu.click()
        make = page.get_by_role("button", name="Prepare the files")
        make.click()
        archive = page.get_by_role("button", name="Files of all series (ZIP)")
        for number in range(2):
            with page.expect_download() as download:
                archive.click()
            path = tmp_path / f"{number}.zip"
            download.value.save_as(path)
            assert download.value.suggested_filename == f"neurotriage-case-{case}-results.zip"
            names = zipfile.ZipFile(path).namelist()
            assert sum(name.endswith(".dcm") for name in names) == 4, names
        page.keyboard.press("Escape")
        make.wait_for(state="detached")
