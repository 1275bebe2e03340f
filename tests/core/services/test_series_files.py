"""Multi-frame objects, NIfTI, directories, what is refused, and the names of files."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom import Dataset

from core.services.readers import add_reader
from core.services.scoring import score_waiting
from core.services.stored_pixels import PixelReader
from core.services.submit import Upload, batch_items, batch_progress, submit
from core.types import Plane, StudyDetails
from tests import dicoms
from tests.core.services.sent_series import (
    CORONAL,
    LINKED,
    RECEIVED,
    REJECTED,
    SLICES,
    archive,
    counts,
    scans_of,
    series,
    volumes_of,
)
from tests.fakes import FakeEngine, scan_png
from tests.installations import make_installation


def test_what_differs_within_a_series_is_stacks_of_their_own(installation, send):
    """Localisers hold all three planes under one UID."""
    told = send(*series(), *series(orientation=CORONAL, origin=(0, -20, 0)))
    assert len({item.case_id for item in told}) == 1
    assert [v.plane for v in volumes_of(installation, told[0].case_id)] == [
        Plane.AXIAL,
        Plane.CORONAL,
    ]


def test_a_multi_frame_object_is_one_file_with_a_scan_a_frame(installation, send):
    data = dicoms.to_bytes(dicoms.multi_frame_dataset(dicoms.head_volume(SLICES, 48, 40)))
    [item] = send(data)
    scans = scans_of(installation, item.case_id)
    assert [scan.frame for scan in scans] == list(range(SLICES))
    assert len({scan.content_key for scan in scans}) == 1
    assert (send.batch.files, send.batch.waiting) == (1, SLICES)
    engine = FakeEngine()
    assert score_waiting(installation, engine) == SLICES
    assert batch_progress(installation, send.batch.batch_id).scored == SLICES
    [again] = send(data)
    assert (again.outcome, again.case_id) == (LINKED, item.case_id)


def test_frames_keep_their_own_spacing(installation, send):
    dataset = dicoms.multi_frame_dataset(dicoms.head_volume(4, 48, 40, range(4)))
    del dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    for n, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        measures = Dataset()
        measures.PixelSpacing, measures.SliceThickness = [1 + n // 2, 1], 5
        frame.PixelMeasuresSequence = [measures]
    [item] = send(dicoms.to_bytes(dataset))
    scans = scans_of(installation, item.case_id)
    assert [scan.spacing_mm for scan in scans] == [(1, 1), (1, 1), (2, 1), (2, 1)]
    score_waiting(installation, FakeEngine())
    lesions = [s.analysis.finding.lesion for s in scans_of(installation, item.case_id)]
    assert [one.area_mm2 / one.area_px for one in lesions] == pytest.approx([1, 1, 2, 2])


def test_a_nifti_file_is_a_case_or_part_of_the_one_that_is_named(installation, send):
    one, other = dicoms.nifti(), dicoms.nifti(spacing=(1, 1, 6))
    first, second = send(("a.nii.gz", one), ("b.nii.gz", other))
    assert first.case_id != second.case_id
    scans = scans_of(installation, first.case_id)
    assert len(scans) == 12
    steps = np.diff([scan.place.position_mm for scan in scans])
    assert steps == pytest.approx(5)
    assert score_waiting(installation, FakeEngine()) == 24
    assert [s.analysis.finding.suspected for s in scans_of(installation, first.case_id)] == [
        5 <= n < 8 for n in range(12)
    ]
    named = send(("a.nii.gz", one), ("c.png", scan_png()), details=StudyDetails("P-1"))
    assert len({item.case_id for item in named}) == 1
    assert named[0].outcome is LINKED


def test_slices_of_a_volume_stay_those_that_were_stored(installation, send):
    data = dicoms.nifti(spacing=(1, 1, 1), dim_info=0x10)  # slices along x
    [item] = send(("a.nii.gz", data))
    [volume] = volumes_of(installation, item.case_id)
    scans = scans_of(installation, item.case_id)
    assert (volume.plane, len(scans)) == (Plane.SAGITTAL, 80)
    assert score_waiting(installation, FakeEngine()) == 80
    reader = PixelReader(installation.files)
    assert {reader.scan(scan).size for scan in scans} == {(12, 96)}
    # As files were stored before the named axis was heeded.
    before = replace(scans[0], content_key=installation.files.put(data), frame=11)
    assert reader.scan(before).size == (96, 80)


def test_what_cannot_be_used_is_refused_and_the_rest_goes_on(installation, send):
    [good, *others] = series()
    cut = others[0][:-500]
    ct = dicoms.to_bytes(dicoms.ct_dataset())
    knee = dicoms.to_bytes(dicoms.mr_dataset(series="knee", BodyPartExamined="KNEE"))
    told = send(good, ct, cut, knee, *others[1:])
    assert [item.outcome for item in told] == [RECEIVED, *[REJECTED] * 3, *[RECEIVED] * 4]
    assert "CT" in told[1].reason
    assert "KNEE" in told[3].reason
    assert len({item.case_id for item in told if item.case_id}) == 1


def test_a_directory_beside_its_files_is_passed_over(installation, send):
    files = series()
    listing = dicoms.dicomdir(files)
    told = send(("CD.zip", archive(("DICOMDIR", listing), ("IM1", files[0]), ("IM2", files[1]))))
    assert [item.outcome for item in told] == [RECEIVED] * 2
    assert send.batch.files == 2


def test_a_directory_alone_is_refused_with_the_reason(send):
    [item] = send(("DICOMDIR", dicoms.dicomdir(series())))
    assert item.outcome is REJECTED
    assert "other files" in item.reason
    assert send.batch.rejected == 1


def test_a_file_of_too_many_slices_is_refused(tmp_path):
    installation = make_installation(tmp_path, upload={"frames": 5})
    reader = add_reader(installation, "Dr Adams")
    batch = submit(installation, reader, [Upload("a.nii", dicoms.nifti())], StudyDetails())
    [item] = batch_items(installation, reader, batch.batch_id)
    assert "12 slices; at most 5" in item.reason
    assert counts(installation) == (0, 0)


def test_names_of_files_are_told_and_not_stored(installation, send):
    files = series()
    packed = archive(
        ("DOE_JOHN/report.png", scan_png(60)), ("DOE_JOHN/IM1", files[0]), ("notes.txt", b"text")
    )
    told = send(
        ("DOE.zip", packed),
        ("plain.zip", archive(("a.png", scan_png(61)), ("b.txt", b"text"))),
        ("DOE.dcm", files[1]),
        ("DOE.nii", b"damaged"),
        ("DOE_JOHN", b"damaged too"),
        ("wrong.png", dicoms.nifti()),
        ("c.png", scan_png(62)),
    )
    assert [item.name for item in told] == [
        "DOE.zip/DOE_JOHN/report.png",
        "DOE.zip/DOE_JOHN/IM1",
        "DOE.zip/notes.txt",
        "plain.zip/a.png",
        "plain.zip/b.txt",
        "DOE.dcm",
        "DOE.nii",
        "DOE_JOHN",
        "wrong.png",
        "c.png",
    ]
    assert [item.name for item in send.stored] == [f"File {n} of the upload" for n in range(1, 11)]


@pytest.mark.parametrize(
    "name",
    ["DOE.zip", "DOE.rar", "DOE.7z", "DOE.dcm.bak", "DOE^J.MR", "DOE.mha", "DOE.nrrd", "DOE.png",
     "DOE.dcm (1)", "DOE.MR.1.2.840.IMA", "DOE.v2", "DOE.pdf"],
)  # fmt: skip
@pytest.mark.parametrize("data", [b"PK\3\4" + b"x" * 500, b"junk" * 200])
def test_the_name_of_what_is_refused_is_told_and_not_stored(send, name, data):
    [item] = send((name, data))
    assert (item.name, item.outcome) == (name, REJECTED)
    assert [item.name for item in send.stored] == ["File 1 of the upload"]
