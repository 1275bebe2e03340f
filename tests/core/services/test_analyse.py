"""The door: outcomes in input order, one an input, bad files in words."""

import os

import pytest

from core.config import UploadLimits
from core.errors import InputError
from core.services.analyse import (
    Failure,
    Source,
    Success,
    analyse_all,
    model_facts,
    single_slice,
)
from tests import dicoms
from tests.fakes import FakeEngine, scan_png


def run(sources, **options):
    return list(analyse_all(FakeEngine(), sources, **options))


def test_outcomes_come_in_input_order_one_an_input(tmp_path):
    on_disk = tmp_path / "disk.png"
    on_disk.write_bytes(scan_png(lesion=False))
    sources = [
        Source("a", scan_png()),
        Source("b", b"not a picture"),
        Source("c", on_disk),
        Source("d", b""),
        Source("e", scan_png(60, 80)),
    ]
    outcomes = run(sources, batch_size=2)
    assert [one.name for one in outcomes] == list("abcde")
    assert [type(one) for one in outcomes] == [Success, Failure, Success, Failure, Success]
    assert [outcomes[i].analysis.suspected for i in (0, 2, 4)] == [True, False, True]
    assert outcomes[4].analysis.mask.shape == outcomes[4].scan.size == (60, 80)
    assert "empty" in outcomes[3].error


def test_inputs_are_read_a_batch_at_a_time():
    read = []

    def endless():
        while True:
            read.append(1)
            yield Source("scan", scan_png(32, 32))

    engine = FakeEngine()
    outcomes = analyse_all(engine, endless(), batch_size=4)
    for _ in range(5):
        next(outcomes)
    assert engine.batches == [4, 4]
    assert len(read) == 8


def test_large_pictures_do_not_share_a_batch(monkeypatch):
    monkeypatch.setattr("core.services.analyse._BATCH_PIXELS", 120 * 100 + 1)
    engine = FakeEngine()
    outcomes = list(analyse_all(engine, [Source(str(i), scan_png()) for i in range(3)]))
    assert engine.batches == [1, 1, 1]
    assert [one.name for one in outcomes] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "absent.png", "no such file"),
        (lambda folder: folder, "folder without pictures"),
        (lambda folder: os.mkfifo(folder / "pipe") or folder / "pipe", "device or a pipe"),
        (lambda folder: folder / "nul\0.png", "character"),
    ],
)
def test_a_path_that_cannot_be_read_says_why(tmp_path, make, said):
    (outcome,) = run([Source("x", make(tmp_path))])
    assert isinstance(outcome, Failure)
    assert said in outcome.error


def test_a_file_far_too_large_is_not_read(tmp_path):
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(2_000_000_000)  # sparse: takes no room on the disk
    (outcome,) = run([Source("x", huge)])
    assert "2.0 GB" in outcome.error


def test_a_programming_error_is_raised():
    class Broken(FakeEngine):
        def analyse(self, scans, heat_map_class=None):
            raise KeyError("a mistake")

    with pytest.raises(KeyError):
        list(analyse_all(Broken(), [Source("a", scan_png())]))


def test_model_facts_name_version_and_threshold():
    facts = model_facts(FakeEngine())
    assert (facts.model_version, facts.decision_threshold) == ("fake-1", 0.4)


def test_a_file_of_one_slice_is_taken_for_a_quick_look():
    assert single_slice(scan_png(), UploadLimits()).size == (120, 100)
    slice_of_a_series = dicoms.to_bytes(dicoms.mr_dataset())
    assert single_slice(slice_of_a_series, UploadLimits()).source_format == "DICOM"


def test_a_volume_is_no_quick_look():
    with pytest.raises(InputError, match=r"holds \d+ slices\. Please send it on the Upload page"):
        single_slice(dicoms.nifti(), UploadLimits())


def test_a_scan_of_something_else_is_no_quick_look():
    with pytest.raises(InputError, match="modality is CT"):
        single_slice(dicoms.to_bytes(dicoms.ct_dataset()), UploadLimits())
