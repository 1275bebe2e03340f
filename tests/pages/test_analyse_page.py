"""The page, run by Streamlit's own test harness."""

from functools import partial

import pytest
import streamlit as st

from core.config import Settings
from core.errors import WeightsError
from core.services import analyse
from core.types import Reader
from pages.components import upload_files, uploads
from tests.dicoms import head_slice, head_volume, mr_dataset, nifti, to_bytes
from tests.fakes import FakeEngine, scan_png
from tests.pages.harness import ROOT, new_app, shown, text_of

KINDS = ("title", "subheader", "markdown", "caption", "error", "warning", "info")

texts = partial(text_of, kinds=KINDS)


@pytest.fixture
def engine(monkeypatch):
    """The fake engine in place of the real one, wherever the page gets it from."""
    made = FakeEngine()
    monkeypatch.setattr(analyse.Engine, "load", lambda *_, **__: made)
    st.cache_resource.clear()
    yield made
    st.cache_resource.clear()


@pytest.fixture
def app(engine):
    return opened()


def opened():
    reader = Reader(1, "Dr Adams", verified=False)
    return new_app(reader, ROOT / "pages" / "analyse.py").run()


def upload(app, *files):
    for name, data in files:
        app.file_uploader[0].upload(name, data, "image/png")
    return shown(app.run())


def test_without_weights_the_page_says_so_and_how_to_cure_it(engine, monkeypatch):
    def missing(*_, **__):
        raise WeightsError("manifest.json is missing: git checkout -- weights")

    monkeypatch.setattr(analyse.Engine, "load", missing)
    app = opened()
    assert not app.exception
    assert "git checkout -- weights" in app.error[0].value
    assert not app.file_uploader


def test_every_upload_is_answered_bad_files_in_their_place(app):
    upload(app, ("one.png", scan_png()), ("two.png", b"a text"), ("three.png", scan_png(lesion=0)))
    assert [heading.value for heading in app.subheader] == ["one.png", "two.png", "three.png"]
    assert len(app.error) == 1
    assert "not a picture" in app.error[0].value
    said = texts(app)
    assert "#### Glioma suspected" in said
    assert "#### None of the three suspected" in said
    assert "Model fake-1" in said
    assert "enhancing tumour" in said
    assert "% of the head" in said
    assert "normal" not in said.lower()


def test_a_slider_does_not_analyse_again(app, engine):
    upload(app, ("one.png", scan_png()), ("two.png", scan_png(lesion=False)))
    assert engine.batches == [2]
    for slider in app.slider:
        slider.set_value(35)
    app.run()
    assert not app.exception
    assert engine.batches == [2]


def test_a_further_file_is_analysed_alone_and_a_removed_one_is_forgotten(app, engine):
    upload(app, ("one.png", scan_png()))
    app.file_uploader[0].set_value(
        [("one.png", scan_png(), "image/png"), ("two.png", scan_png(90), "image/png")]
    ).run()
    assert engine.batches == [1, 1]
    app.file_uploader[0].set_value([("two.png", scan_png(90), "image/png")]).run()
    assert engine.batches == [1, 1]
    assert len(app.session_state["results"]) == 1


def test_the_same_file_twice_is_shown_twice_and_analysed_once(app, engine):
    upload(app, ("one.png", scan_png()), ("one.png", scan_png()))
    assert [heading.value for heading in app.subheader] == ["one.png", "one.png"]
    assert engine.batches == [1]


def test_a_picture_unlike_the_training_is_flagged(app):
    upload(app, ("blank.png", scan_png(blank=True)))
    assert any("unlike the scans" in warning.value for warning in app.warning)


@pytest.mark.parametrize("kind", ["DICOM", "NIfTI"])
def test_the_uploader_takes_what_its_label_says(app, kind):
    """DICOM files of archives have no suffix; of a NIfTI volume one slice can be looked at."""
    [uploader] = app.file_uploader
    assert kind in uploader.label
    assert not uploader.proto.type
    slices = head_volume(1, lesion=range(1)).transpose(2, 1, 0)
    dicom = to_bytes(mr_dataset(head_slice(lesion=True)))
    name, data = ("IM_0001", dicom) if kind == "DICOM" else ("one.nii.gz", nifti(slices))
    upload(app, (name, data))
    assert [heading.value for heading in app.subheader] == [name]
    assert not app.error
    assert "suspected" in texts(app)


def test_the_demonstration_takes_few_and_small_files(engine, monkeypatch):
    shown = []
    monkeypatch.setattr(uploads.config, "settings", lambda: Settings(demo={"mode": "on"}))
    monkeypatch.setattr(
        uploads.st, "file_uploader", lambda *_, **given: shown.append(given) or list("abcdef")
    )
    assert len(uploads.upload_scans()) == uploads.MOST_IN_DEMO
    assert shown[0]["max_upload_size"] == 25
    upload_files.chosen_files(1, most=25)
    assert shown[1]["max_upload_size"] == 25
