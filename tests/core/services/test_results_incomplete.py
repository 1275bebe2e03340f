"""Series that have few results or none, and the reason that is given."""

import pytest
from pydicom.sr.codedict import codes

from core.errors import InputError, StoreError
from core.services.results import series_results, write_results
from tests.core.services.result_files import read_sr, sizes
from tests.core.services.stored_series import add_series, slices
from tests.dicoms import head_volume, mr_dataset, mr_series, to_bytes
from tests.installations import make_installation


@pytest.fixture
def installation(tmp_path):
    return make_installation(tmp_path)


def test_nothing_outlined_gives_a_report_and_says_why_there_is_no_more(installation):
    (series_id,) = add_series(installation, mr_series(head_volume(lesion=range(0))))
    results = write_results(installation, series_id)
    assert [file.what for file in results.files] == ["DICOM report"]
    (why,) = results.missing
    assert "Nothing is outlined" in why


def test_without_a_frame_of_reference_there_is_a_report_and_a_reason(installation):
    (series_id,) = add_series(installation, mr_series(FrameOfReferenceUID=None))
    results = write_results(installation, series_id)
    assert [file.what for file in results.files] == ["DICOM report"]
    assert "no frame of reference" in results.missing[0]
    assert codes.SCT.Volume.value in sizes(read_sr(results.files))


@pytest.mark.parametrize("lost", ["PixelSpacing", "ImagePositionPatient"])
def test_without_places_the_same_slice_speaks_in_any_order(installation, tmp_path, lost):
    files = mr_series(head_volume(12, lesion=range(5, 8)), **{lost: None})
    mixed = [files[i] for i in (0, 5, 1, 2, 6, 3, 4, 7, 8, 9, 10, 11)]
    for place, sent in ((installation, files), (make_installation(tmp_path / "other"), mixed)):
        (series_id,) = add_series(place, sent)
        assert sizes(read_sr(series_results(place, series_id)))["PROB_TUMOUR"] == (97, "%")


def test_slices_that_failed_leave_the_report_partial(installation):
    (series_id,) = add_series(installation, mr_series(), failed=[0, 11])
    report = read_sr(series_results(installation, series_id))
    assert report.CompletionFlag == "PARTIAL"
    assert sizes(report)["SLICES_ANALYSED"] == (10, "1")


def test_slices_that_share_a_uid_have_no_results_that_would_name_one_for_all(installation):
    """A report on one of twelve slices once called itself complete."""
    files = [
        to_bytes(mr_dataset(pixels, instance="1", InstanceNumber=n + 1, position=(-40, -48, 5 * n)))
        for n, pixels in enumerate(head_volume())
    ]
    (series_id,) = add_series(installation, files, keep_uids=True)
    assert len(slices(installation, series_id)) == 12
    with pytest.raises(InputError, match="Several slices of this series have one and the same"):
        series_results(installation, series_id)


def test_a_series_that_waits_has_no_results_yet(installation):
    (series_id,) = add_series(installation, mr_series(), waiting=[2, 3])
    with pytest.raises(InputError, match="2 of 12 slices still wait"):
        series_results(installation, series_id)


def test_a_series_that_failed_has_no_results(installation):
    (series_id,) = add_series(installation, mr_series(), failed=range(12))
    with pytest.raises(InputError, match="could not analyse"):
        series_results(installation, series_id)


def test_an_unknown_series_is_said(installation):
    with pytest.raises(InputError, match="no series with the number 77"):
        series_results(installation, 77)


def test_a_lost_file_is_a_matter_of_the_store(installation):
    (series_id,) = add_series(installation, mr_series())
    key = slices(installation, series_id)[3].content_key
    (path,) = installation.settings.storage.rglob(key)
    path.unlink()
    with pytest.raises(StoreError):
        series_results(installation, series_id)


def test_a_slice_that_stands_out_from_a_calm_series_is_said(installation):
    (series_id,) = add_series(installation, mr_series(head_volume(lesion=range(5, 6)), step=1.0))
    report = read_sr(series_results(installation, series_id))
    assert sizes(report)["PROB_TUMOUR"] == (6, "%")
    text = report.to_json()
    assert "Slice 6 stands out: Glioma suspected, tumour probability 97.0 %." in text
    assert (
        slices(installation, series_id)[5].instance_uid in text.split("Its SOP Instance UID is")[1]
    )


def test_a_single_thick_slice_decides_a_report(installation):
    (series_id,) = add_series(installation, mr_series(head_volume(lesion=range(5, 6)), step=6.0))
    report = read_sr(series_results(installation, series_id))
    assert sizes(report)["PROB_TUMOUR"] == (97, "%")
    assert "stands out" not in report.to_json()
