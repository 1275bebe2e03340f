"""The sample files of the repository: all there, small, readable, and of nobody."""

import json
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

from samples.plan import CASES, SEED
from samples.simulate import HERE, MANIFEST

FOLDER = HERE / "cases"
ENTRIES = json.loads((HERE / MANIFEST).read_text(encoding="utf-8"))
OF_KIND = {
    kind: [FOLDER / name for entry in ENTRIES["cases"] if entry["kind"] == kind
           for name in entry["files"]]
    for kind in ("PNG", "DICOM", "NIfTI")
}  # fmt: skip


def test_the_manifest_names_every_file_once_and_no_other():
    named = [FOLDER / name for entry in ENTRIES["cases"] for name in entry["files"]]
    present = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sorted(named) == sorted(present)


def test_the_manifest_says_what_the_plan_says():
    assert ENTRIES["seed"] == SEED
    for entry, case in zip(ENTRIES["cases"], CASES, strict=True):
        assert entry["reference"] == case.reference
        assert (entry["meant"], entry["kind"]) == (case.meant, case.kind)
        assert entry["words"] == case.words
        assert entry["scans"] == len(case.protocol.positions)
        assert all(name.startswith(case.stem) for name in entry["files"])


def test_all_classes_and_kinds_are_there():
    assert set(Counter(case.meant for case in CASES).values()) == {3}
    assert Counter(case.kind for case in CASES) == {"PNG": 10, "DICOM": 1, "NIfTI": 1}
    assert len(OF_KIND["DICOM"]) == 24


def test_the_files_are_small():
    sizes = {path: path.stat().st_size for paths in OF_KIND.values() for path in paths}
    assert sum(sizes.values()) < 4_000_000
    assert all(size < 1_000_000 for size in sizes.values())


@pytest.mark.parametrize("path", OF_KIND["PNG"], ids=lambda path: path.stem)
def test_a_picture_is_gray_filled_and_says_that_it_is_simulated(path: Path):
    with Image.open(path) as picture:
        assert (picture.format, picture.mode) == ("PNG", "L")
        assert "Simulated" in picture.text["Description"]
        assert "Louis Collins" in picture.text["Description"]
        values = np.asarray(picture)
    assert values.max() == 255
    assert 0.3 < (values > 30).mean() < 0.9
    # The word in the corner.
    mark = values[:14, :70]
    assert (mark > 60).sum() > 50
    assert mark.max() <= 130


def test_the_series_is_one_stack_of_mr_slices_of_nobody():
    objects = [pydicom.dcmread(path) for path in OF_KIND["DICOM"]]
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert len({one[name].value for one in objects}) == 1
    assert len({one.SOPInstanceUID for one in objects}) == 24
    assert {one.Modality for one in objects} == {"MR"}
    assert {one.PatientID for one in objects} == {"SIMULATED-03"}
    assert {str(one.PatientName) for one in objects} == {"SIMULATED^03"}
    assert not any(one.get("PatientBirthDate") or one.get("StudyDate") for one in objects)
    assert {one.SyntheticData for one in objects} == {"YES"}
    assert all("Louis Collins" in one.ImageComments for one in objects)
    heights = [float(one.ImagePositionPatient[2]) for one in objects]
    assert np.diff(heights) == pytest.approx([5.4] * 23)
    for one in objects:
        assert one.pixel_array.shape == (256, 256)
        assert one.pixel_array.dtype == np.uint16
        assert 400 < one.pixel_array.max() < 4096


def test_the_volume_is_in_millimetres_and_says_that_it_is_simulated():
    (path,) = OF_KIND["NIfTI"]
    image = nibabel.load(path)
    assert image.shape == (128, 128, 40)
    assert image.header.get_zooms() == pytest.approx((1.8, 1.8, 3.4))
    assert image.get_data_dtype() == np.int16
    assert image.header["descrip"].item().startswith(b"SIMULATED")
    assert nibabel.aff2axcodes(image.affine) == ("R", "A", "S")


def test_the_notice_of_the_template_goes_with_the_files():
    notice = " ".join((HERE / "NOTICE").read_text(encoding="utf-8").split())
    assert "Copyright (C) 1993-2009 Louis Collins, McConnell Brain Imaging Centre" in notice
    assert "provided that the above copyright notice appear in all copies" in notice
