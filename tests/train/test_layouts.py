"""The publishers' layouts, made anew in the tests."""

import io
import zipfile

import cv2
import numpy as np
import pytest

from core.errors import DataError
from core.imaging import prepare
from core.reports.training_set import TrainingRow, TrainingSetWriter, picture_path
from core.types import ScanKind, TumourClass
from tests.fakes import scan_png
from train.data.layouts import read_figshare_mat, read_mask, read_scan, reader_samples
from train.data.splits import Sample

FIGSHARE = Sample("figshare", "images/7.jpg", "glioma", "train", "scan-7", "b")
LGG = Sample("lgg", "kaggle_3m/TCGA_X/TCGA_X_3.tif", "glioma", "train", "TCGA_X-3", "TCGA_X")


@pytest.fixture
def picture():
    """A head that is neither square nor symmetric, 8 bits, and a mask off its centre."""
    image = np.zeros((96, 80), np.uint8)
    cv2.ellipse(image, (38, 50), (30, 40), 0, 0, 360, 120, -1)
    cv2.circle(image, (50, 30), 9, 220, -1)
    mask = np.zeros_like(image)
    cv2.circle(mask, (50, 30), 9, 255, -1)
    return cv2.GaussianBlur(image, (0, 0), 1.5), mask


def write_mat(path, image, mask):
    h5py = pytest.importorskip("h5py")
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        record = file.create_group("cjdata")
        # MATLAB stores column by column: h5py sees the transpose.
        record["image"] = (image.astype(np.int16) * 9).T
        record["tumorMask"] = (mask > 0).astype(np.uint8).T


def write_jpeg(root, image, mask):
    for folder, name, array in (("images", "7.jpg", image), ("masks", "7.png", mask)):
        (root / "figshare" / folder).mkdir(parents=True, exist_ok=True)
        path = str(root / "figshare" / folder / name)
        assert cv2.imwrite(path, array, [cv2.IMWRITE_JPEG_QUALITY, 100])


def test_the_original_reads_like_the_picture(tmp_path, picture):
    image, mask = picture
    write_jpeg(tmp_path / "jpeg", image, mask)
    write_mat(tmp_path / "mat" / "figshare" / "7.mat", image, mask)
    one, other = (prepare(read_scan(FIGSHARE, tmp_path / kind)) for kind in ("jpeg", "mat"))
    assert one.geometry.source_size == other.geometry.source_size == (96, 80)
    difference = np.abs(one.image.astype(int) - other.image)
    assert difference.mean() < 2
    first, second = (read_mask(FIGSHARE, tmp_path / kind) for kind in ("jpeg", "mat"))
    assert np.array_equal(first, second)
    assert np.array_equal(first, (mask > 0).astype(np.float32))


def test_the_picture_is_taken_where_both_are_there(tmp_path, picture):
    write_jpeg(tmp_path, *picture)
    write_mat(tmp_path / "figshare" / "7.mat", *picture)
    assert read_scan(FIGSHARE, tmp_path).source_format == "JPEG"


def test_the_original_keeps_its_value_range(tmp_path, picture):
    write_mat(tmp_path / "7.mat", *picture)
    scan, mask = read_figshare_mat(tmp_path / "7.mat")
    assert scan.pixels.shape == (96, 80, 1)
    assert scan.pixels.max() == int(picture[0].max()) * 9
    assert mask.dtype == np.float32


def test_a_file_that_is_no_original_is_named(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "7.mat", "w") as file:
        file["something"] = 1
    with pytest.raises(DataError, match=r"7\.mat"):
        read_figshare_mat(tmp_path / "7.mat")


def test_lgg_composites_and_their_masks(tmp_path, picture):
    image, mask = picture
    folder = tmp_path / "lgg" / "kaggle_3m" / "TCGA_X"
    folder.mkdir(parents=True)
    composite = np.dstack([image, image // 2, 255 - image])
    assert cv2.imwrite(str(folder / "TCGA_X_3.tif"), composite[..., ::-1])
    assert cv2.imwrite(str(folder / "TCGA_X_3_mask.tif"), mask)
    scan = read_scan(LGG, tmp_path)
    assert scan.kind is ScanKind.COMPOSITE
    assert np.array_equal(scan.pixels, composite)
    assert np.array_equal(read_mask(LGG, tmp_path), mask > 0)


@pytest.mark.parametrize("sample", [FIGSHARE, LGG])
def test_a_missing_scan_says_what_to_do(tmp_path, sample):
    with pytest.raises(DataError, match=f"NEUROTRIAGE_DATA must name .* {sample.dataset}/"):
        read_scan(sample, tmp_path)


@pytest.mark.parametrize("sample", [FIGSHARE, LGG])
def test_a_missing_mask_is_an_error_not_an_empty_one(tmp_path, sample):
    with pytest.raises(DataError, match="is missing"):
        read_mask(sample, tmp_path)


def test_sets_without_masks_have_none(tmp_path):
    assert read_mask(Sample("br35h", "no/1.jpg", "no_tumor", "train", "a", "a"), tmp_path) is None


@pytest.fixture
def exported(tmp_path):
    """An unpacked training export: two scans of one patient, and one of a case of several."""
    out = io.BytesIO()
    writer = TrainingSetWriter(out)
    for key, label, label_of, patient in (
        ("aa", TumourClass.GLIOMA, "scan", 1),
        ("bb", TumourClass.NO_TUMOR, "scan", 1),
        ("cc", TumourClass.PITUITARY, "case", 2),
    ):
        path = picture_path(label, key, "PNG")
        row = TrainingRow(path, label, label_of, "glioma", "m", "2026-03-05T12:00:00", 2, patient)
        writer.add(row, scan_png(60 + patient, 50))
    writer.close()
    zipfile.ZipFile(out).extractall(tmp_path / "readers")
    return tmp_path


def test_an_export_of_the_application_is_read(exported):
    glioma, free = reader_samples(exported, "readers")
    assert (glioma.label, free.label) == ("glioma", "no_tumor")
    assert glioma.split == free.split == "train"
    assert glioma.group != free.group
    # Two scans of one patient stay together.
    assert glioma.block == free.block
    assert read_scan(glioma, exported).size == (61, 50)
    assert read_mask(glioma, exported) is None


def test_labels_that_hold_for_the_case_only_are_asked_for(exported):
    samples = reader_samples(exported, "readers", certain_only=False)
    assert [sample.label for sample in samples] == ["glioma", "no_tumor", "pituitary"]
    assert samples[2].block != samples[0].block


def test_what_is_no_export_is_named(tmp_path, exported):
    with pytest.raises(DataError, match=r"other.manifest\.csv"):
        reader_samples(tmp_path, "other")
    manifest = exported / "readers" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("glioma,scan", "wart,scan"))
    with pytest.raises(DataError, match="wart"):
        reader_samples(exported, "readers")
    manifest.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no list"):
        reader_samples(exported, "readers")
