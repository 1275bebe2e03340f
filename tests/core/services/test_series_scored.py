"""A series after its receipt: its history, who speaks for it, late slices, text in the pixels."""

import cv2
import numpy as np
import pytest

from core.errors import InputError, StoreError
from core.imaging import open_image
from core.services import stored_pixels
from core.services.installation import now
from core.services.readers import add_reader
from core.services.scoring import score_waiting
from core.services.submit import Upload, receive, retry_failed, submit
from core.store import studies
from core.store.tables import StudyRow
from core.types import CLASSES, CaseStatus, StudyDetails
from tests import dicoms
from tests.core.services.sent_series import (
    LINKED,
    RECEIVED,
    SLICES,
    counts,
    history_of,
    scans_of,
    series,
    volumes_of,
)
from tests.fakes import FakeEngine, scan_png
from tests.installations import make_installation


def test_the_history_has_one_line_a_series(installation, send):
    files = series() + series(series="second", SeriesNumber=2)
    [item, *_] = send(*files)
    score_waiting(installation, FakeEngine())
    texts = history_of(installation, item.case_id)
    assert len(texts) == 4
    assert texts[0].startswith("Slices received: T1 with contrast, axial, series 1, DICOM, 40 × 48")
    assert texts[-1].startswith("Slices analysed by model fake-1: T1 with contrast")
    send(*files)
    assert sum(text.startswith("Known slices") for text in history_of(installation, 1)) == 2


@pytest.mark.parametrize(
    ("lesion", "step", "predicted", "flagged"),
    [
        (range(3, 4), 2.0, "no_tumor", True),
        (range(2, 4), 2.0, "glioma", False),
        (range(3, 4), 6.0, "glioma", False),
        (range(0), 2.0, "no_tumor", False),
    ],
    ids=["one thin slice", "two thin slices", "one thick slice", "none"],
)
def test_a_volume_stands_where_slices_over_a_small_tumour_agree(
    installation, send, lesion, step, predicted, flagged
):
    """One odd thin slice does not decide, and empty slices at the ends do not flag the case."""
    volume = dicoms.head_volume(SLICES, 48, 40, lesion)
    volume[[0, -1]] = 7
    [item, *_] = send(*dicoms.mr_series(volume, step=step))
    score_waiting(installation, FakeEngine())
    with installation.database.reading() as session:
        study = session.get_one(StudyRow, item.case_id)
        assert (study.predicted, study.flagged, study.scored_count) == (predicted, flagged, SLICES)
        assert (study.band == "routine") == (len(lesion) == 0)
    leading = next(s for s in scans_of(installation, item.case_id) if s.id == study.leading_scan_id)
    assert leading.analysis.finding.predicted == predicted
    assert leading.analysis.thumbnail_key == study.thumbnail_key


MIXED = (0, 5, 1, 2, 6, 3, 4, 7, 8, 9, 10, 11)


@pytest.mark.parametrize(
    ("lost", "lesion", "predicted"),
    [
        ({"PixelSpacing": None}, range(5, 8), "glioma"),
        ({"PixelSpacing": None, "step": 2.0}, range(5, 6), "no_tumor"),
        ({"ImagePositionPatient": None}, range(5, 8), "glioma"),
        ({"ImagePositionPatient": None}, range(5, 6), "glioma"),
        ({"ImagePositionPatient": None, "InstanceNumber": None}, range(5, 6), "glioma"),
    ],
    ids=["no spacing", "no spacing, one slice", "no position", "no position, one slice", "none"],
)
def test_the_order_of_receipt_does_not_decide(tmp_path, lost, lesion, predicted):
    """By the numbers where positions are lost; by the worst slice where those are, too."""
    files = dicoms.mr_series(dicoms.head_volume(12, 48, 40, lesion), **lost)
    found = []
    for name, order in (("straight", range(12)), ("mixed", MIXED)):
        place = make_installation(tmp_path / name)
        reader = add_reader(place, "Dr Adams")
        submit(place, reader, [Upload(f"{n}.dcm", files[n]) for n in order], StudyDetails())
        score_waiting(place, FakeEngine())
        with place.database.reading() as session:
            study = session.get_one(StudyRow, 1)
            found.append((study.predicted, study.score, study.band))
        place.database.close()
    assert found[0] == found[1]
    assert found[0][0] == predicted


def test_the_frames_of_a_file_are_scored_with_one_opening(installation, send, monkeypatch):
    send(("a.nii", dicoms.nifti()))
    opened = []

    def counted(*data, **how):
        opened.append(1)
        return open_image(*data, **how)

    monkeypatch.setattr(stored_pixels, "open_image", counted)
    engine = FakeEngine()
    assert score_waiting(installation, engine) == 12
    assert (engine.batches, len(opened)) == ([8, 4], 1)


def test_slices_that_fail_are_one_line_of_the_history_and_can_be_tried_again(tmp_path):
    installation = make_installation(tmp_path, scoring_attempts=1)
    reader = add_reader(installation, "Dr Adams")
    submit(installation, reader, [Upload("a.nii", dicoms.nifti())], StudyDetails())
    key = scans_of(installation, 1)[0].content_key
    [file] = (tmp_path / "storage" / "files").rglob(key)
    data = file.read_bytes()
    file.unlink()
    assert score_waiting(installation, FakeEngine()) == 12
    with installation.database.reading() as session:
        study = session.get_one(StudyRow, 1)
        assert (study.status, study.failed_count, study.flagged) == ("failed", 12, True)
    told = [text for text in history_of(installation, 1) if text.startswith("Slices not analysed")]
    assert len(told) == 1
    assert "missing or damaged" in told[0]
    file.write_bytes(data)
    assert retry_failed(installation, reader, 1) == 12
    assert score_waiting(installation, FakeEngine()) == 12
    with installation.database.reading() as session:
        study = session.get_one(StudyRow, 1)
        assert (study.status, study.scored_count) == ("new", 12)


def test_a_slice_keeps_heat_maps_of_what_is_probable(installation, send):
    # Asked by what was told: slices that arrive together may use up a number of PostgreSQL's.
    cases = dict.fromkeys(item.case_id for item in send(*series(), ("a.png", scan_png())))
    score_waiting(installation, FakeEngine())
    kept = [set(s.analysis.heat_map_keys) for case in cases for s in scans_of(installation, case)]
    assert kept == [{"no_tumor"}] * 2 + [{"glioma"}] * 3 + [{"no_tumor"}] + [set(CLASSES)]


def test_a_late_slice_reopens_a_reported_case_and_joins_an_open_one(installation, send):
    *early, late = series()
    [item, *_] = send(*early)
    with installation.database.transaction() as session:
        studies.set_status(session, item.case_id, CaseStatus.REPORTED, now=now())
    [again] = send(late)
    assert again.case_id == item.case_id
    assert "reopened" in again.reason
    with installation.database.reading() as session:
        study = session.get_one(StudyRow, item.case_id)
        assert (study.status, study.round, study.scan_count) == ("new", 2, SLICES)
    assert len(volumes_of(installation, item.case_id)) == 1


def test_what_comes_over_the_network_keeps_its_uids_and_joins_its_study(installation, reader, send):
    [item, *_] = send(*series(series="by hand"))
    pushed = [receive(installation, reader, data, keep_uids=True) for data in series()]
    assert {one.case_id for one in pushed} == {item.case_id}
    assert {(one.name, one.outcome) for one in pushed} == {("", RECEIVED)}
    volume = volumes_of(installation, item.case_id)[-1]
    assert (volume.origin, volume.series_uid) == ("node", dicoms.uid("study/series"))
    assert volume.study_uid == dicoms.uid("study")
    scan = scans_of(installation, item.case_id)[-1]
    assert scan.instance_uid == dicoms.uid(f"study/series/{SLICES}")
    assert b"Synthetic^Patient" not in installation.files.get(scan.content_key)
    assert sum("from the network" in t for t in history_of(installation, item.case_id)) == 1
    assert receive(installation, reader, series()[0], keep_uids=True).outcome is LINKED


def test_an_object_that_cannot_be_used_or_stored_is_said_to_the_network(
    installation, reader, monkeypatch
):
    with pytest.raises(InputError, match="CT"):
        receive(installation, reader, dicoms.to_bytes(dicoms.ct_dataset()), keep_uids=True)

    def full(_self, _data):
        raise StoreError("Make room on the disk.")

    monkeypatch.setattr(type(installation.files), "put", full)
    with pytest.raises(StoreError, match="Make room"):
        receive(installation, reader, series()[0], keep_uids=True)
    assert counts(installation) == (0, 0)


def with_text(pixels: np.ndarray) -> np.ndarray:
    out = np.ascontiguousarray(cv2.resize(pixels, (240, 240))).astype(np.uint8)
    cv2.putText(out, "DOE JOHN 1970", (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 255, 1)
    return out


def test_text_in_the_pixels_is_raised_and_left_as_it_is(installation, send):
    burnt = with_text(dicoms.head_slice())
    _, png = cv2.imencode(".png", burnt)
    series_item, picture = send(dicoms.to_bytes(dicoms.mr_dataset(burnt)), ("a.png", png.tobytes()))
    [volume] = volumes_of(installation, series_item.case_id)
    assert "seems to be text" in volume.notices[0]
    assert "seems to be text" in picture.reason
    assert picture.outcome is RECEIVED
    for item in (series_item, picture):
        assert "seems to be text" in history_of(installation, item.case_id)[0]
    [scan] = scans_of(installation, series_item.case_id)
    kept = open_image(installation.files.get(scan.content_key)).scan(0).pixels
    assert (kept[..., 0] == burnt).all()


@pytest.mark.parametrize("keep", [False, True])
def test_originals_are_kept_only_where_the_installation_says_so(tmp_path, keep):
    installation = make_installation(tmp_path, keep_originals=keep)
    reader = add_reader(installation, "Dr Adams")
    data = series()[0]
    submit(
        installation, reader, [Upload("a.dcm", data), Upload("b.png", scan_png())], StudyDetails()
    )
    kept = [path for path in (tmp_path / "storage").rglob("*.original") if path.is_file()]
    assert [path.read_bytes() for path in kept] == [data] * keep
    key = scans_of(installation, 1)[0].content_key
    assert [path.stem for path in kept] == [key] * keep
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
    stored = installation.files.get(key)
    assert (open_image(stored).scan(0).pixels == open_image(data).scan(0).pixels).all()
