"""The results of a case's series as files, on its page; run by Streamlit's own test harness."""

import gzip
import io
from functools import partial

import highdicom
import nibabel
import numpy as np
import pytest
from pydicom import dcmread

from pages.components import case_results
from tests.dicoms import head_volume, mr_series, nifti
from tests.fakes import scan_png
from tests.pages.harness import shown, text_of

said = partial(text_of, kinds=("info", "error", "caption"))


def volume(lesion=range(2, 4)) -> np.ndarray:
    return head_volume(5, 48, 40, lesion)


@pytest.fixture
def open_results(open_case):
    """A case with the menu of results open."""
    return partial(open_case, session={"case_results": True})


def offers_results(app) -> bool:
    return any(one.key == "case_results_make" for one in app.button)


def prepared(app):
    return shown(app.button(key="case_results_make").click().run())


def offered(app) -> list[str]:
    """What the buttons that download results are called."""
    return [
        one.label for one in app.download_button if one.key and one.key.startswith("case_results_")
    ]


def files(app) -> dict[str, bytes]:
    """The files that the session holds."""
    _, _, results = app.session_state["case_results_made"]
    return {file.name: file.data for file in results.files}


def test_a_closed_menu_does_nothing(open_case, new_case, monkeypatch):
    monkeypatch.setattr(case_results, "case_choices", lambda *_: pytest.fail("it was asked"))
    assert not offers_results(open_case(new_case(*mr_series(volume()))))


def test_the_files_of_one_case_are_kept_at_most(open_results, new_case):
    cases = [new_case(nifti(volume(range(first, 4)))) for first in (1, 2)]
    app = prepared(open_results(cases[0]))
    assert offered(app)
    app.query_params["case"] = str(cases[1])
    assert offered(shown(app.run())) == []
    prepared(app)
    assert offered(app)
    app.query_params["case"] = str(cases[0])
    assert offered(shown(app.run())) == [], "the files of the first case are still there"


def test_a_case_of_pictures_offers_none(open_results, new_case):
    assert not offers_results(open_results(new_case(scan_png())))


def test_a_dicom_series_gives_segmentation_and_report(open_results, new_case):
    case = new_case(*mr_series(volume()))
    app = open_results(case)
    assert offered(app) == [], "files were made without being asked for"
    prepared(app)
    assert set(offered(app)) == {"DICOM segmentation", "DICOM report"}
    kinds = {dcmread(io.BytesIO(data)).Modality for data in files(app).values()}
    assert kinds == {"SEG", "SR"}
    assert "not verified by a reader" in said(app)


def test_the_masks_are_those_that_the_model_drew(open_results, new_case):
    case = new_case(*mr_series(volume()))
    data = next(d for n, d in files(prepared(open_results(case))).items() if "seg" in n)
    seg = highdicom.seg.segread(io.BytesIO(data))
    drawn = {tuple(map(tuple, np.argwhere(frame))) for frame in seg.pixel_array}
    assert drawn == {tuple(map(tuple, np.argwhere(one == 220))) for one in volume()[2:4]}


def test_a_nifti_volume_gives_its_mask(open_results, new_case):
    turned = volume()[:, ::-1, ::-1].transpose(2, 1, 0)
    case = new_case(nifti(turned))
    app = prepared(open_results(case))
    assert set(offered(app)) == {"NIfTI mask"}
    (data,) = files(app).values()
    made = nibabel.Nifti1Image.from_bytes(gzip.decompress(data))
    np.testing.assert_array_equal(np.asanyarray(made.dataobj), turned == 220)


def test_what_cannot_be_made_is_said(open_results, new_case):
    case = new_case(*mr_series(volume(), FrameOfReferenceUID=None))
    app = prepared(open_results(case))
    assert set(offered(app)) == {"DICOM report"}
    assert "no frame of reference" in said(app)


def test_a_series_that_waits_is_said(open_results, new_case):
    app = prepared(open_results(new_case(*mr_series(volume()), score=False)))
    assert offered(app) == []
    assert "5 of 5 slices still wait for the model" in said(app)


def test_of_several_series_all_or_one_are_taken(open_results, new_case, monkeypatch):
    packings = []
    monkeypatch.setattr(case_results, "packed", packings.append)
    unplaced = mr_series(volume(), series="second", SeriesNumber=2, FrameOfReferenceUID=None)
    case = new_case(*mr_series(volume()), *unplaced)
    app = prepared(open_results(case))
    assert "series 2, 5 slices: There is no DICOM segmentation" in said(app).replace("\\:", ":")
    assert offered(app) == ["Files of all series (ZIP)"]
    assert packings == [], "the archive is made before it is asked for"
    [button] = [one for one in app.download_button if one.label.startswith("Files of all")]
    assert button.proto.deferred_file_id
    assert len(files(app)) == 3
    choice = app.selectbox(key=f"case_{case}_results_of")
    shown(choice.select_index(2).run())
    assert offered(app) == [], "files of another choice are offered"
    prepared(app)
    assert set(offered(app)) == {"DICOM report"}
    (data,) = files(app).values()
    # That of the source is 2.
    assert dcmread(io.BytesIO(data)).SeriesNumber == 292


def test_a_file_that_is_lost_is_said(open_results, new_case, own_installation):
    app = open_results(new_case(*mr_series(volume())))
    for path in own_installation.settings.storage.joinpath("files").rglob("*"):
        if path.is_file():
            path.unlink()
    prepared(app)
    assert offered(app) == []
    assert "The files were not made." in said(app)


def test_files_of_an_older_analysis_are_not_offered_any_more(
    open_results, new_case, own_installation
):
    case = new_case(*mr_series(volume()))
    app = prepared(open_results(case))
    assert offered(app)
    new_case(*mr_series(volume(), series="later", SeriesNumber=3))
    shown(app.run())
    assert offered(app) == []


def test_it_is_told_to_which_images_the_results_refer(open_results, new_case):
    app = prepared(open_results(new_case(*mr_series(volume()))))
    told = {one.label: one.proto.help for one in app.download_button}
    for what in ("DICOM segmentation", "DICOM report"):
        assert "came over the network" in told[what]
        assert "Uploaded images are kept here under other UIDs" in told[what]
