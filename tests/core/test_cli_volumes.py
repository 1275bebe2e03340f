"""`python -m core analyse` of DICOM and NIfTI files: a line a slice, a line a volume."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core import cli
from tests import dicoms
from tests.fakes import FakeEngine, scan_png

SLICES = 6


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(cli, "load_engine", FakeEngine)

    def called(*words):
        result = CliRunner().invoke(cli.app, ["analyse", *map(str, words)])
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        slices = [line for line in lines if line["status"] != "volume"]
        return slices, lines[len(slices) :], result

    return called


def write_series(folder: Path, suffix: str = ".dcm", **options) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = dicoms.mr_series(dicoms.head_volume(SLICES, 48, 40, range(2, 5)), **options)
    paths = [folder / f"DOE_{n}{suffix}" for n in range(len(files))]
    for path, data in zip(paths, reversed(files), strict=True):
        path.write_bytes(data)
    return paths


def test_a_series_gives_a_line_a_slice_and_one_of_the_volume(run, tmp_path):
    paths = write_series(tmp_path)
    slices, [volume], result = run(tmp_path)
    assert result.exit_code == 0
    assert [line["input"] for line in slices] == list(map(str, paths))
    assert [line["suspected"] for line in slices] == [False, True, True, True, False, False]
    assert [line["position_mm"] for line in slices] == [-5, -10, -15, -20, -25, -30]
    assert {(line["frame"], line["volume"]) for line in slices} == {(1, 1)}
    assert volume["series"] == "T1 with contrast, axial, series 1"
    assert (volume["slices"], volume["analysed"], volume["masked_slices"]) == (SLICES, SLICES, 3)
    assert (volume["predicted"], volume["leading_frame"]) == ("glioma", 1)
    assert volume["leading_input"] in [str(paths[n]) for n in (1, 2, 3)]
    pixels = sum(sum(line["mask_rle"][1::2]) for line in slices)
    assert volume["mask_volume_cm3"] == pytest.approx(pixels * 5 / 1000)
    assert volume["longest_diameter_mm"] > 0


@pytest.mark.parametrize("lost", ["PixelSpacing", "ImagePositionPatient"])
def test_without_places_the_names_of_the_files_do_not_decide(run, tmp_path, lost):
    files = dicoms.mr_series(dicoms.head_volume(12, 48, 40, range(5, 8)), **{lost: None})
    for name, n in enumerate((0, 5, 1, 2, 6, 3, 4, 7, 8, 9, 10, 11)):
        (tmp_path / f"{name:02}.dcm").write_bytes(files[n])
    _, [volume], _ = run(tmp_path)
    assert (volume["slices"], volume["predicted"]) == (12, "glioma")


def test_dicom_files_of_a_folder_need_no_suffix_and_its_directory_is_passed_over(run, tmp_path):
    paths = write_series(tmp_path, suffix="")
    (tmp_path / "DICOMDIR").write_bytes(dicoms.dicomdir([path.read_bytes() for path in paths]))
    (tmp_path / "readme").write_text("no picture")
    bare = dicoms.to_bytes(dicoms.mr_dataset(instance="alone"), preamble=False)
    (tmp_path / "bare").write_bytes(bare)
    (tmp_path / "backup.tar.gz").write_bytes(b"\x1f\x8b")
    slices, volumes, result = run(tmp_path)
    assert (len(slices), len(volumes), result.exit_code) == (SLICES + 1, 1, 0)


def test_a_file_of_many_slices_is_opened_once_and_its_frames_are_numbered(run, tmp_path):
    (tmp_path / "head.nii.gz").write_bytes(dicoms.nifti())
    data = dicoms.to_bytes(dicoms.multi_frame_dataset(dicoms.head_volume(SLICES, 48, 40)))
    (tmp_path / "many.dcm").write_bytes(data)
    slices, volumes, result = run(tmp_path / "head.nii.gz", tmp_path / "many.dcm")
    assert [line["frame"] for line in slices] == [*range(1, 13), *range(1, SLICES + 1)]
    assert [line["slices"] for line in volumes] == [12, SLICES]
    assert (volumes[0]["predicted"], volumes[0]["leading_frame"] in (6, 7, 8)) == ("glioma", True)
    assert result.exit_code == 0


def test_what_cannot_be_used_gives_one_line_and_the_rest_goes_on(run, tmp_path):
    (tmp_path / "ct.dcm").write_bytes(dicoms.to_bytes(dicoms.ct_dataset()))
    (tmp_path / "cut.nii.gz").write_bytes(dicoms.nifti()[:200])
    write_series(tmp_path / "mr")
    slices, [volume], result = run(tmp_path)
    errors = {Path(line["input"]).name: line["error"] for line in slices if line["error"]}
    assert set(errors) == {"ct.dcm", "cut.nii.gz"}
    assert "CT" in errors["ct.dcm"]
    assert (volume["slices"], result.exit_code) == (SLICES, 1)


def test_pictures_beside_volumes_have_lines_as_ever(run, tmp_path):
    (tmp_path / "a.png").write_bytes(scan_png())
    write_series(tmp_path)
    slices, volumes, _ = run(tmp_path)
    assert "frame" in slices[0]
    assert "frame" not in slices[-1]
    assert len(volumes) == 1


def test_results_of_slices_are_saved_without_the_names_of_their_files(run, tmp_path):
    write_series(tmp_path / "in")
    saved = tmp_path / "out"
    slices, _, _ = run(tmp_path / "in", "--save-dir", saved)
    names = sorted(path.name for path in saved.iterdir())
    assert names[:2] == ["00001_volume1_gradcam.png", "00001_volume1_mask.png"]
    assert len(names) == 2 * SLICES
    assert Path(slices[0]["mask_file"]).name in names
