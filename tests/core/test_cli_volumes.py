"""`python -m core analyse` of DICOM and NIfTI files: a line a slice, a line a volume."""

import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core import cli
from core.config import UploadLimits, settings
from core.services import analyse_files
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


def test_pictures_of_the_same_places_are_volumes_of_their_own_as_in_the_application(run, tmp_path):
    """Only the numbers of the objects tell which of two pictures of a place was taken first."""
    tumour = dicoms.head_volume(SLICES, 48, 40, range(2, 5))
    calm = dicoms.head_volume(SLICES, 48, 40, range(0))
    taken = [(at, pixels, at) for at, pixels in enumerate(tumour)]
    taken += [(100 + at, pixels, at) for at, pixels in enumerate(calm)]
    for name, (number, pixels, at) in enumerate(sorted(taken, key=lambda one: one[2])):
        dataset = dicoms.mr_dataset(pixels, instance=str(number), position=(-40, -48, 5 * at))
        (tmp_path / f"{name:02}.dcm").write_bytes(dicoms.to_bytes(dataset))
    slices, [first, second], _ = run(tmp_path)
    assert [(one["volume"], one["part"], one["slices"]) for one in (first, second)] == [
        (1, 1, SLICES),
        (1, 2, SLICES),
    ]
    assert (first["predicted"], first["masked_slices"]) == ("glioma", 3)
    assert (second["predicted"], second["masked_slices"]) == ("no_tumor", 0)
    assert [one["notices"] for one in (first, second)] == [
        [f"The series shows the same places several times. Part {n} of them, by their numbers."]
        for n in (1, 2)
    ]
    assert first["lines"] == [2 * at + 1 for at in range(SLICES)]
    assert second["lines"] == [2 * at + 2 for at in range(SLICES)]
    assert all(slices[line - 1]["volume"] == 1 for line in (*first["lines"], *second["lines"]))


def test_a_volume_that_shows_each_place_once_has_no_parts(run, tmp_path):
    write_series(tmp_path)
    _, [volume], _ = run(tmp_path)
    assert (volume["part"], volume["notices"]) == (None, [])
    assert volume["lines"] == list(range(SLICES, 0, -1))


def test_a_thin_slice_that_stands_out_is_named(run, tmp_path):
    for n, data in enumerate(
        dicoms.mr_series(dicoms.head_volume(SLICES, 48, 40, range(2, 3)), step=1)
    ):
        (tmp_path / f"{n}.dcm").write_bytes(data)
    _, [volume], _ = run(tmp_path)
    assert (volume["predicted"], volume["suspected"]) == ("no_tumor", False)
    assert volume["stands_out_input"] == str(tmp_path / "2.dcm") != volume["leading_input"]
    assert volume["stands_out_frame"] == 1
    write_series(tmp_path / "thick")
    _, [volume], _ = run(tmp_path / "thick")
    assert (volume["stands_out_input"], volume["stands_out_frame"]) == (None, None)


def archive(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return path


def series_files() -> dict[str, bytes]:
    files = dicoms.mr_series(dicoms.head_volume(SLICES, 48, 40, range(2, 5)))
    return {f"a/{n}": data for n, data in enumerate(files)}


def test_an_archive_is_read_as_its_files_are(run, tmp_path):
    files = series_files()
    listing = {"DICOMDIR": dicoms.dicomdir(list(files.values()))}
    inner = archive(tmp_path / "inner.zip", **{"b.nii.gz": dicoms.nifti()}).read_bytes()
    path = archive(tmp_path / "s.zip", **listing, **files, **{"p.png": scan_png(), "i.zip": inner})
    slices, [series, nifti], result = run(path)
    assert result.exit_code == 0
    names = [
        *(f"{path}/{name}" for name in files),
        f"{path}/p.png",
        *[f"{path}/i.zip/b.nii.gz"] * 12,
    ]
    assert [line["input"] for line in slices] == names
    assert (series["slices"], series["predicted"], series["masked_slices"]) == (SLICES, "glioma", 3)
    assert (nifti["slices"], nifti["predicted"]) == (12, "glioma")


def test_what_cannot_be_used_in_an_archive_gives_one_line_and_the_rest_goes_on(run, tmp_path):
    other = {"ct": dicoms.to_bytes(dicoms.ct_dataset()), "notes.txt": b"no picture"}
    path = archive(tmp_path / "s.zip", **other, **series_files())
    slices, [volume], result = run(path)
    errors = {line["input"]: line["error"] for line in slices if line["error"]}
    assert set(errors) == {f"{path}/ct", f"{path}/notes.txt"}
    assert "CT" in errors[f"{path}/ct"]
    assert (volume["slices"], result.exit_code) == (SLICES, 1)


def test_an_archive_keeps_to_the_limits_of_an_upload(run, tmp_path, monkeypatch):
    limits = UploadLimits(archive_members=3, frames=11)
    chosen = settings().model_copy(update={"upload": limits})
    monkeypatch.setattr(analyse_files, "settings", lambda: chosen)
    path = archive(tmp_path / "s.zip", **{"b.nii": dicoms.nifti()}, **series_files())
    slices, [volume], result = run(path)
    assert [line["status"] for line in slices] == ["error", "ok", "ok", "error"]
    assert "12 slices" in slices[0]["error"]
    assert "more than 3 files" in slices[-1]["error"]
    assert (volume["slices"], result.exit_code) == (2, 1)


def test_an_archive_of_nothing_or_a_damaged_one_gives_a_line(run, tmp_path):
    whole = archive(tmp_path / "whole.zip", **series_files()).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    listing = dicoms.dicomdir(list(series_files().values()))
    paths = [archive(tmp_path / "empty.zip"), tmp_path / "cut.zip"]
    paths.append(archive(tmp_path / "listing.zip", DICOMDIR=listing))
    slices, volumes, result = run(*paths)
    assert [line["input"] for line in slices] == list(map(str, paths))
    assert "holds no files" in slices[0]["error"]
    assert "damaged or incomplete" in slices[1]["error"]
    assert "DICOMDIR" in slices[2]["error"]
    assert (volumes, result.exit_code) == ([], 1)
