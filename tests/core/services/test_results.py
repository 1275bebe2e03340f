"""Results of stored series as files."""

import gzip
import io
import logging
import zipfile

import nibabel
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes

from core.imaging import open_image
from core.inference.volume_measure import MaskedSlice, measure_volume
from core.reports.dicom_objects import source_header
from core.services.readers import add_reader
from core.services.results import case_choices, download, packed, series_results, write_results
from core.services.review import look_again
from core.store import audit
from tests.core.reports.dicom_tools import complaints
from tests.core.services.result_files import object_uids, outlined, read_seg, read_sr, sizes
from tests.core.services.stored_series import add_series, masks_of, slices
from tests.dicoms import (
    CORONAL,
    head_volume,
    mr_dataset,
    mr_series,
    multi_frame_dataset,
    nifti,
    secondary_capture_dataset,
    to_bytes,
    uid,
)
from tests.installations import make_installation


@pytest.fixture
def installation(tmp_path):
    return make_installation(tmp_path)


@pytest.mark.parametrize("keep_uids", [False, True], ids=["upload", "node"])
def test_a_series_gives_its_masks_and_measures_in_dicom(installation, keep_uids):
    files = mr_series()
    # Slices come in any order.
    mixed = [files[i] for i in (7, 2, 11, 5, 0, 6, 1, 3, 10, 4, 8, 9)]
    (series_id,) = add_series(installation, mixed, keep_uids=keep_uids)
    results = series_results(installation, series_id)
    assert [file.what for file in results] == ["DICOM segmentation", "DICOM report"]
    truth = outlined(files)
    seg = read_seg(results)
    by_position = sorted(slices(installation, series_id), key=lambda one: one.place.position_mm)
    back = seg.get_pixels_by_source_instance([one.instance_uid for one in by_position])
    np.testing.assert_array_equal(back[..., 0], truth)
    measures = measure_volume(
        MaskedSlice(mask.astype(np.uint8), (1.0, 1.0), i * 5.0) for i, mask in enumerate(truth)
    )
    found = sizes(read_sr(results))
    assert found[codes.SCT.Volume.value] == (pytest.approx(measures.volume_mm3 / 1000, 1e-3), "cm3")
    assert found[codes.SCT.Diameter.value] == (pytest.approx(measures.diameter_mm, abs=0.01), "mm")
    assert found["PROB_TUMOUR"] == (97, "%")
    assert found["SLICES_MASKED"] == (3, "1")


def test_results_name_the_archives_own_objects_where_uids_are_kept(installation):
    files = mr_series()
    (series_id,) = add_series(installation, files, keep_uids=True)
    results = series_results(installation, series_id)
    seg, report = read_seg(results), read_sr(results)
    assert seg.StudyInstanceUID == report.StudyInstanceUID == uid("study")
    named = {str(instance) for _, _, instance, _ in report.get_evidence()}
    assert {uid(f"study/series/{i}") for i in range(1, 13)} <= named
    assert seg.SOPInstanceUID in named


def test_results_of_an_upload_say_nothing_of_the_patient(installation):
    files = mr_series(PatientName="SENTINEL^ONE", PatientID="SENTINEL-2", AccessionNumber="SENT3",
                      StudyDescription="SENTINEL", PatientBirthDate="19451231")  # fmt: skip
    (series_id,) = add_series(installation, files)
    for file in series_results(installation, series_id):
        for secret in (b"SENTINEL", b"SENT3", b"19451231", uid("study").encode()):
            assert secret not in file.data
        assert dcmread(io.BytesIO(file.data)).PatientIdentityRemoved == "YES"


def test_made_again_they_are_the_same_files(installation, tmp_path):
    (series_id,) = add_series(installation, mr_series())
    first = series_results(installation, series_id)
    again = series_results(installation, series_id)
    assert [one.data for one in first] == [one.data for one in again]


def test_other_results_are_other_objects(installation, tmp_path):
    (series_id,) = add_series(installation, mr_series())
    other = make_installation(tmp_path / "other")
    (other_id,) = add_series(other, mr_series(), failed=[3])
    ours, theirs = (
        object_uids(series_results(*where))
        for where in ((installation, series_id), (other, other_id))
    )
    assert not ours & theirs


def test_a_multi_frame_object_gives_its_results(installation):
    data = to_bytes(multi_frame_dataset())
    (series_id,) = add_series(installation, [data], keep_uids=True)
    results = series_results(installation, series_id)
    file = open_image(data)
    truth = masks_of([file.scan(i) for i in range(file.frame_count)])
    back = read_seg(results).get_pixels_by_source_frame(uid("study/series/1"), [6, 7, 8])
    np.testing.assert_array_equal(back[..., 0], truth[5:8])


def test_one_slice_gives_its_results(installation):
    data = mr_series()[6]
    (series_id,) = add_series(installation, [data])
    results = series_results(installation, series_id)
    assert read_seg(results).NumberOfFrames == 1
    found = sizes(read_sr(results))
    assert found[codes.SCT.Area.value] == (outlined([data]).sum(), "mm2")
    assert codes.SCT.Volume.value not in found


def test_two_stacks_of_a_series_have_results_of_their_own(installation):
    files = [
        *mr_series(),
        *(
            to_bytes(
                mr_dataset(pixels, instance=str(100 + i), orientation=CORONAL,
                           position=(-40.0, -30.0 + 5 * i, 40.0))
            )
            for i, pixels in enumerate(head_volume())
        ),
    ]  # fmt: skip
    first, second = add_series(installation, files)
    one, other = series_results(installation, first), series_results(installation, second)
    assert not object_uids(one) & object_uids(other)
    assert not {file.name for file in one} & {file.name for file in other}
    orientation = read_seg(other).SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    assert list(orientation.ImageOrientationPatient) == list(CORONAL)


def test_a_number_of_frames_in_a_single_frame_object_does_no_harm(installation):
    files = mr_series(NumberOfFrames=1)
    (series_id,) = add_series(installation, files)
    results = write_results(installation, series_id)
    assert results.missing == ()
    by_position = sorted(slices(installation, series_id), key=lambda one: one.position_mm)
    back = read_seg(results.files).get_pixels_by_source_instance(
        [one.instance_uid for one in by_position]
    )
    np.testing.assert_array_equal(back[..., 0], outlined(files))
    frame_number = b"\x08\x00\x60\x11"
    (report,) = [file.data for file in results.files if file.name.endswith("-sr.dcm")]
    assert frame_number not in report


def test_a_picture_of_a_screen_gives_its_results(installation):
    data = to_bytes(secondary_capture_dataset(head_volume()[6].astype(np.uint8)))
    (series_id,) = add_series(installation, [data])
    seg = read_seg(series_results(installation, series_id))
    np.testing.assert_array_equal(seg.pixel_array.reshape(96, 80) > 0, outlined([data])[0])


def test_an_object_sent_twice_counts_once(installation):
    files = mr_series()
    other_bytes = mr_series(SoftwareVersions="2")[6]
    (series_id,) = add_series(installation, [*files, other_bytes], keep_uids=True)
    assert sizes(read_sr(series_results(installation, series_id)))["SLICES"] == (12, "1")


def test_a_nifti_volume_gets_its_mask_voxel_by_voxel(installation):
    source = nifti()
    (series_id,) = add_series(installation, [source])
    (result,) = series_results(installation, series_id)
    assert result.name.endswith("-mask.nii.gz")
    made = nibabel.Nifti1Image.from_bytes(gzip.decompress(result.data))
    original = nibabel.Nifti1Image.from_bytes(gzip.decompress(source))
    spot = np.asanyarray(original.dataobj) == 220
    np.testing.assert_array_equal(np.asanyarray(made.dataobj), spot)
    np.testing.assert_array_equal(made.affine, original.affine)


def test_each_volume_of_a_nifti_file_has_its_mask(installation):
    volume = head_volume()[:, ::-1, ::-1].transpose(2, 1, 0)
    plain = head_volume(lesion=range(0))[:, ::-1, ::-1].transpose(2, 1, 0)
    ids = add_series(installation, [nifti(np.stack([plain, volume], axis=3))])
    first, second = (write_results(installation, one) for one in ids)
    assert first.files == () and "Nothing is outlined" in first.missing[0]
    made = nibabel.Nifti1Image.from_bytes(gzip.decompress(second.files[0].data))
    np.testing.assert_array_equal(np.asanyarray(made.dataobj), volume == 220)


def test_a_reader_takes_several_series_and_the_history_says_so(installation):
    anna = add_reader(installation, "Anna")
    files = [*mr_series(), *mr_series(series="other"), *mr_series(series="waits")]
    ids = add_series(installation, files, waiting=[30])
    case_id = slices(installation, ids[0])[0].study_id
    choices = case_choices(installation, look_again(installation, anna, case_id))
    assert [one.id for one in choices] == ids
    results = download(installation, anna, case_id, choices)
    assert len(results.files) == 4
    assert results.missing == (
        f"{choices[2].name}: 1 of 12 slices still wait for the model. "
        "Please ask for the results when the series is analysed.",
    )
    with installation.database.reading() as session:
        last = audit.history(session, case_id)[-1]
    assert (last.who, last.action) == ("Anna (unverified)", "results")
    assert "4 files" in last.text
    archive = packed(results.files)
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == {
            file.name: file.data for file in results.files
        }
    assert archive == packed(results.files)


def test_nothing_of_the_scan_is_logged(installation, caplog, recwarn):
    caplog.set_level(logging.DEBUG)
    (series_id,) = add_series(installation, mr_series(PatientID="SENTINEL"), keep_uids=True)
    pseudonym = source_header(
        installation.files.get(slices(installation, series_id)[0].content_key)
    )
    caplog.clear()
    recwarn.clear()
    series_results(installation, series_id)
    said = caplog.text + " ".join(str(one.message) for one in recwarn)
    for secret in ("SENTINEL", str(pseudonym.PatientName), "2.25."):
        assert secret not in said


@pytest.mark.server
@pytest.mark.parametrize("keep_uids", [False, True], ids=["upload", "node"])
@pytest.mark.parametrize(
    "files",
    [mr_series, lambda: [to_bytes(multi_frame_dataset())], lambda: mr_series()[6:7]],
    ids=["series", "multi-frame", "one slice"],
)
def test_validators_find_no_error(installation, files, keep_uids, tmp_path):
    (series_id,) = add_series(installation, files(), keep_uids=keep_uids)
    seg, report = series_results(installation, series_id)
    assert complaints("dciodvfy", seg.data, tmp_path) == []
    assert complaints("dciodvfy", report.data, tmp_path) == []
    assert complaints("dsrdump", report.data, tmp_path) == []
