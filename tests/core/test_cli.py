"""`python -m core analyse`."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from core import cli
from core.errors import WeightsError
from core.services.rle import decode_rle
from tests.fakes import FakeEngine, scan_png

ROOT = Path(__file__).resolve().parents[2]
KEYS = [
    "input", "status", "error", "probabilities", "predicted", "tumour_probability", "suspected",
    "ood_score", "in_distribution", "mask_area_fraction", "mask_size", "mask_rle", "mask_file",
    "gradcam_file", "model_version", "elapsed_ms",
]  # fmt: skip


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(cli, "load_engine", FakeEngine)
    return lambda *words: CliRunner().invoke(cli.app, ["analyse", *map(str, words)])


def lines(text: str) -> list[dict]:
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def folder(tmp_path):
    """Two scans of one name in two folders, a text beside them, and a picture that is none."""
    scans = tmp_path / "scans"
    for name in ("b/slice.png", "a/slice.PNG"):
        (scans / name).parent.mkdir(parents=True)
        (scans / name).write_bytes(scan_png(50, 40, lesion=name.startswith("b")))
    (scans / "readme.txt").write_text("no picture")
    (scans / "._slice.png").write_text("left by another system")
    (scans / "z.jpg").write_text("not a picture either")
    return scans


def test_a_folder_gives_one_line_a_picture_in_sorted_order(run, folder):
    result = run(folder)
    found = lines(result.stdout)
    assert [Path(one["input"]).relative_to(folder).as_posix() for one in found] == [
        "a/slice.PNG",
        "b/slice.png",
        "z.jpg",
    ]
    assert [one["status"] for one in found] == ["ok", "ok", "error"]
    assert all(list(one) == KEYS for one in found)
    assert [one["predicted"] for one in found] == ["no_tumor", "glioma", None]
    assert result.exit_code == 1


def test_an_error_line_says_why_and_has_null_elsewhere(run, folder):
    (found,) = lines(run(folder / "z.jpg").stdout)
    assert "not a picture" in found.pop("error")
    assert found.pop("status") == "error"
    assert found.pop("input").endswith("z.jpg")
    assert set(found.values()) == {None}


def test_masks_and_heat_maps_are_saved_under_names_of_their_own(run, folder, tmp_path):
    out, saved = tmp_path / "results.jsonl", tmp_path / "saved" / "here"
    result = run(folder / "b", folder / "a", "--out", out, "--save-dir", saved)
    assert (result.exit_code, result.stdout) == (0, "")
    found = lines(out.read_text())
    files = [one[key] for one in found for key in ("mask_file", "gradcam_file")]
    assert len(set(files)) == len(list(saved.iterdir())) == 4
    mask = cv2.imread(found[0]["mask_file"], cv2.IMREAD_UNCHANGED)
    assert mask.shape == tuple(found[0]["mask_size"]) == (50, 40)
    assert (mask.dtype, set(np.unique(mask))) == (np.uint8, {0, 255})
    assert (decode_rle(found[0]["mask_rle"], (50, 40)) == mask).all()
    heat = cv2.imread(found[0]["gradcam_file"], cv2.IMREAD_UNCHANGED)
    assert (heat.shape, heat.dtype, heat.max()) == ((50, 40), np.uint8, 255)


def test_what_an_earlier_run_saved_in_the_folder_is_no_scan(run, folder):
    (folder / "z.jpg").unlink()
    saved = folder / "saved"
    first = run(folder, "--save-dir", saved)
    second = run(folder, "--save-dir", saved)
    assert len(lines(first.stdout)) == len(lines(second.stdout)) == 2


def test_a_named_file_is_tried_whatever_its_suffix(run, tmp_path):
    (tmp_path / "scan.dat").write_bytes(scan_png())
    result = run(tmp_path / "scan.dat")
    assert lines(result.stdout)[0]["status"] == "ok"
    assert result.exit_code == 0


def test_an_absent_path_is_a_failed_input_and_the_others_go_on(run, folder, tmp_path):
    result = run(tmp_path / "absent", folder / "a")
    assert [one["status"] for one in lines(result.stdout)] == ["error", "ok"]
    assert result.exit_code == 1


def test_only_an_empty_folder_is_wrong_usage(run, folder, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    result = run(empty)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No pictures found" in result.stderr
    beside = run(empty, folder / "a")
    assert [one["status"] for one in lines(beside.stdout)] == ["error", "ok"]
    assert beside.exit_code == 1


def test_without_weights_the_status_is_3_and_an_old_result_stays(
    run, folder, tmp_path, monkeypatch
):
    def missing():
        raise WeightsError("manifest.json is missing")

    monkeypatch.setattr(cli, "load_engine", missing)
    out = tmp_path / "old.jsonl"
    out.write_text("old\n")
    result = run(folder, "--out", out)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "manifest.json is missing" in result.stderr
    assert out.read_text() == "old\n"


def test_results_that_cannot_be_written_are_wrong_usage(run, folder, tmp_path):
    result = run(folder, "--out", tmp_path / "absent" / "out.jsonl")
    assert result.exit_code == 2
    assert "Cannot write" in result.stderr


def test_lines_are_on_disk_whole_as_they_come(run, folder, tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"
    seen = []

    class Watching(FakeEngine):
        def analyse(self, scans, heat_map_class=None):
            seen.append(len(lines(out.read_text())) if out.read_bytes() else 0)
            if len(seen) == 3:
                raise KeyboardInterrupt
            return super().analyse(scans, heat_map_class)

    monkeypatch.setattr(cli, "load_engine", Watching)
    scan = folder / "b" / "slice.png"
    run(*[scan] * 30, "--out", out)
    assert seen == [0, 8, 16]
    assert len(lines(out.read_text())) == 16


def test_no_input_in_a_real_process_is_wrong_usage():
    words = [sys.executable, "-m", "core", "analyse"]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout) == (2, "")
    assert "INPUT" in result.stderr


def test_a_real_process_without_weights_says_what_is_missing(tmp_path):
    (tmp_path / "scan.png").write_bytes(scan_png())
    words = [sys.executable, "-m", "core", "analyse", str(tmp_path / "scan.png")]
    env = {"NEUROTRIAGE_WEIGHTS": str(tmp_path), "PATH": ""}
    result = subprocess.run(
        words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert (result.returncode, result.stdout) == (3, "")
    assert "manifest.json is missing" in result.stderr
    assert "Traceback" not in result.stderr
