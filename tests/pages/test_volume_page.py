"""A series on the page of its case, run by Streamlit's own test harness."""

import json
import re
from dataclasses import replace
from functools import partial

import pytest

from core.errors import StoreError
from core.services.review import look_again
from core.services.scoring import score_waiting
from core.services.volumes import case_series
from core.types import ScoringState
from pages.components import volume_view
from pages.components.volume_chart import volume_chart
from tests.dicoms import CORONAL, head_volume, mr_dataset, mr_series, to_bytes
from tests.fakes import FakeEngine
from tests.pages.harness import components, press, sent_to_viewers, shown, text_of

SLICES, LESION = 14, range(8, 11)

said = partial(text_of, kinds=("markdown", "caption", "error", "warning", "info"))


def files(slices=SLICES, **options):
    return mr_series(head_volume(slices, lesion=LESION), **options)


def sent_to_viewer(app):
    [header] = sent_to_viewers(app)
    return header


def where(app):
    return app.session_state[f"case_volume_{sent_to_viewer(app)['stack']['id']}"]


def test_a_series_opens_at_its_decisive_slice_and_is_measured(open_case, new_case):
    app = open_case(new_case(*files()))
    text = said(app)
    for words in (
        f"**T1 with contrast, axial, series 1, {SLICES} slices**",
        "slices 5 mm apart",
        "cm³ in one region, outlined in 3 slices",
        "**Longest diameter.** ",
        "gaps between slices count",
        "Model fake-1",
        "not a medical device",
        "**Size of the outlined region.** Area",
    ):
        assert words in text, words
    assert re.search(r"diameter\.\*\* \d\d\.\d mm in slice (9|10|11)\.", text)
    stack = sent_to_viewer(app)["stack"]
    assert (stack["count"], stack["leading"]) == (SLICES, stack["index"])
    assert stack["index"] in LESION
    assert f"##### Slice {stack['index'] + 1} of {SLICES}" in text
    # The first look needs no second question to the server.
    assert stack["index"] in [one["index"] for one in stack["slices"]]
    shown = next(one for one in stack["slices"] if one["index"] == stack["index"])
    assert shown["letters"] == ["R", "L", "A", "P"]
    assert shown["spacing"] == [1.0, 1.0]
    assert shown["mask"] is not None


def test_a_thin_slice_that_stands_out_is_shown_first_with_a_warning(open_case, new_case):
    app = open_case(new_case(*mr_series(head_volume(SLICES, lesion=range(3, 4)), step=1.0)))
    stack = sent_to_viewer(app)["stack"]
    assert stack["index"] == 3 != stack["leading"]
    text = said(app)
    assert "Slice 4 stands out: Glioma suspected, tumour probability 97.0 %." in text
    assert "##### Slice 4 of 14" in text


def test_slices_go_to_the_browser_once_when_it_asks_for_them(open_case, new_case, monkeypatch):
    monkeypatch.setattr(volume_view, "_MOST", 4)
    app = open_case(new_case(*files()))
    first = sent_to_viewer(app)["stack"]
    asked = [one["index"] for one in first["slices"]]
    assert asked == list(range(asked[0], asked[0] + 4))
    assert asked[0] % 4 == 0
    again = sent_to_viewer(shown(app.run()))["stack"]
    assert again["slices"] == []
    assert again["versions"] == first["versions"]
    where(app).want = 3
    last = sent_to_viewer(shown(app.run()))["stack"]
    assert [one["index"] for one in last["slices"]] == [12, 13]
    # What is no chunk of the series is not believed.
    for wrong in (77, -1):
        where(app).want = wrong
        assert sent_to_viewer(shown(app.run()))["stack"]["slices"] == []


def test_the_page_can_send_the_viewer_to_a_slice(open_case, new_case, own_installation, ada):
    case = new_case(*files())
    app = open_case(case)
    before = sent_to_viewer(app)["stack"]
    where(app).go(1)
    app = shown(app.run())
    after = sent_to_viewer(app)["stack"]
    assert (after["index"], after["turn"]) == (1, before["turn"] + 1)
    assert "##### Slice 2 of 14" in said(app)
    assert "No region was outlined." in said(app)
    [longest] = [one for one in app.button if one.label.startswith("Go to slice")]
    app = press(app, longest.label)
    assert sent_to_viewer(app)["stack"]["index"] == int(longest.label.split()[-1]) - 1


def test_the_plot_shows_what_waits_failed_and_is_strange(own_installation, ada, new_case):
    view = look_again(own_installation, ada, new_case(*files()))
    [one] = case_series(own_installation, view).series
    slices = list(one.slices)
    slices[0] = replace(slices[0], analysis=None, state=ScoringState.QUEUED)
    slices[1] = replace(slices[1], analysis=None, state=ScoringState.FAILED)
    strange = replace(slices[2].analysis.finding, in_distribution=False)
    slices[2] = replace(slices[2], analysis=replace(slices[2].analysis, finding=strange))
    figure = volume_chart(replace(one, slices=tuple(slices)), 9)
    [line] = figure.data
    assert list(line.x) == list(range(1, SLICES + 1))
    assert line.y[:2] == (None, 0.0)
    assert line.y[9] == pytest.approx(0.97)
    assert line.marker.symbol[1:4] == ("x", "circle-open", "circle")
    assert max(line.marker.size) == line.marker.size[9]
    assert "Waits for the model" in line.hovertext[0]
    assert {shape.y0 for shape in figure.layout.shapes} >= {0.4}


def test_the_planes_come_when_the_browser_asks_and_all_is_analysed(
    open_case, new_case, own_installation
):
    case = new_case(*files(), score=False)
    app = open_case(case)
    [planes] = components(app, "volume_planes")
    assert "once the model has looked" in json.loads(planes.json)["problem"]
    assert "14 of 14 slices wait for the model" in said(app)
    assert "Not analysed yet: nothing to measure." in said(app)
    score_waiting(own_installation, FakeEngine())
    app = shown(app.run())
    [planes] = components(app, "volume_planes")
    data = json.loads(planes.json)
    assert (data["url"], data["problem"]) == (None, None)
    app.session_state[f"case_planes_{data['series']}"] = True
    [planes] = components(shown(app.run()), "volume_planes")
    assert json.loads(planes.json)["url"].endswith(".bin")


def test_several_series_and_pictures_are_chosen_by_name(open_case, new_case):
    axial = files(series="a", SeriesNumber=3)
    coronal = files(6, series="c", SeriesNumber=8, orientation=CORONAL)
    localiser = to_bytes(mr_dataset(series="l", SeriesNumber=1))
    case = new_case(*axial, *coronal, localiser)
    app = open_case(case)
    choice = app.selectbox(key=f"case_{case}_series")
    assert choice.options == [
        f"T1 with contrast, axial, series 3, {SLICES} slices",
        "T1 with contrast, coronal, series 8, 6 slices",
        "1 other picture",
    ]
    choice.set_value(1)
    app = shown(app.run())
    assert sent_to_viewer(app)["stack"]["count"] == 6
    choice = app.selectbox(key=f"case_{case}_series")
    choice.set_value(-1)
    header = sent_to_viewer(shown(app.run()))
    assert header["stack"] is None
    assert [one["title"] for one in header["pictures"]] == ["Scan"]


def test_notices_of_the_files_are_shown(open_case, new_case):
    app = open_case(new_case(*files(BurnedInAnnotation="YES")))
    assert any("text" in one.value.lower() for one in app.warning)


def test_a_series_whose_files_are_lost_takes_nothing_else_with_it(open_case, new_case, monkeypatch):
    case = new_case(*files())

    def lost(*_):
        raise StoreError("The file is gone.")

    monkeypatch.setattr(volume_view, "series_display", lost)
    app = open_case(case)
    assert any("The file is gone." in one.value for one in app.error)
    assert app.radio
    assert "cm³" in said(app)
