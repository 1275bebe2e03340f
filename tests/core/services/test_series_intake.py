"""DICOM and NIfTI files on their way to cases: one case a study, each slice once, in its series."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import numpy as np
from sqlalchemy import func, select

from core.services.readers import add_reader
from core.services.scoring import score_waiting
from core.services.submit import Upload, receive, submit
from core.store import studies
from core.store.tables import ScanRow, StudyRow
from core.types import Plane, StudyDetails
from tests import dicoms
from tests.core.services.sent_series import (
    CORONAL,
    LINKED,
    RECEIVED,
    SLICES,
    counts,
    scans_of,
    series,
    volumes_of,
)
from tests.fakes import FakeEngine
from tests.installations import make_installation


def test_a_series_becomes_one_case_with_its_slices_in_their_places(installation, send):
    told = send(*series())
    assert {item.outcome for item in told} == {RECEIVED}
    [case_id] = {item.case_id for item in told}
    [volume] = volumes_of(installation, case_id)
    assert (volume.sequence, volume.plane, volume.origin) == (
        "T1 with contrast",
        Plane.AXIAL,
        "upload",
    )
    scans = scans_of(installation, case_id)
    assert [scan.series_id for scan in scans] == [volume.id] * SLICES
    assert [scan.place.position_mm for scan in scans] == [-30 + 5 * n for n in range(SLICES)]
    assert len({scan.instance_uid for scan in scans}) == SLICES
    assert {scan.spacing_mm for scan in scans} == {(1.0, 1.0)}
    assert score_waiting(installation, FakeEngine()) == SLICES
    scored = scans_of(installation, case_id)
    assert [s.analysis.finding.suspected for s in scored] == [2 <= n < 5 for n in range(SLICES)]
    assert scored[3].analysis.finding.lesion.area_mm2 > 0


def test_the_case_is_known_by_the_pseudonym_unless_the_sender_names_it(installation, send):
    [first, *_] = send(*series())
    named = StudyDetails(patient_reference="Study 7", study_date=date(2026, 3, 4))
    [other, *_] = send(*series(study="other"), details=named)
    with installation.database.reading() as session:
        assert studies.case_details(session, first.case_id).patient_reference == (
            installation.pseudonyms.patient("SYN-1")
        )
        assert studies.case_details(session, other.case_id) == named
    [again, *_] = send(*series(), details=named)
    assert again.case_id == first.case_id
    assert "patient reference sent now differs" in again.reason


def test_the_same_study_in_any_order_and_in_halves_is_one_case(installation, send):
    files = series()
    send(*files[::-2])
    told = send(*reversed(files))
    assert sorted(item.outcome for item in told) == [LINKED] * 3 + [RECEIVED] * 3
    assert {item.outcome for item in send(*files)} == {LINKED}
    assert counts(installation) == (1, SLICES)


def test_halves_that_come_at_once_are_one_case(installation, reader):
    files = series() + series(series="second", orientation=CORONAL)
    parts = [files[start::3] + files[:2] for start in range(3)]

    def upload(part):
        uploads = [Upload("x.dcm", data) for data in part]
        return submit(installation, reader, uploads, StudyDetails())

    def push(part):
        return [receive(installation, reader, data, keep_uids=False) for data in part]

    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(act, part) for part in parts for act in (upload, push)]
        assert all(one.result(120) for one in done)
    assert counts(installation) == (1, 2 * SLICES)
    assert len(volumes_of(installation, 1)) == 2
    with installation.database.reading() as session:
        assert session.get_one(StudyRow, 1).scan_count == 2 * SLICES


def rows_of_scans(installation) -> int:
    with installation.database.reading() as session:
        return session.scalar(select(func.count()).select_from(ScanRow))


def test_the_same_objects_with_other_bytes_are_received_already(installation, send):
    [first, *_] = send(*series())
    told = send(*series(WindowCenter=100, WindowWidth=300))
    assert {(item.outcome, item.case_id) for item in told} == {(LINKED, first.case_id)}
    assert "Already received" in told[0].reason
    # Nothing else waits to be scored, and what was there is whole.
    assert counts(installation) == (1, SLICES) and rows_of_scans(installation) == SLICES
    assert score_waiting(installation, FakeEngine()) == SLICES
    assert (send.batch.files, send.batch.received) == (SLICES, 0)


def test_the_same_volume_packed_and_not_is_received_already(installation, send):
    named = StudyDetails("P-1")
    send(("a.nii.gz", dicoms.nifti()), details=named)
    [item] = send(("a.nii", dicoms.nifti(packed=False)), details=named)
    assert item.outcome is LINKED
    assert counts(installation) == (1, 12)


def test_a_lone_odd_thin_slice_that_comes_twice_does_not_decide(installation, send):
    volume = dicoms.head_volume(SLICES, 48, 40, range(3, 4))
    [item, *_] = send(*dicoms.mr_series(volume, step=2.0))
    send(*dicoms.mr_series(volume, step=2.0, WindowCenter=100, WindowWidth=300))
    score_waiting(installation, FakeEngine())
    with installation.database.reading() as session:
        study = session.get_one(StudyRow, item.case_id)
        assert (study.predicted, study.scan_count) == ("no_tumor", SLICES)


def test_what_is_sent_in_place_of_a_slice_that_failed_is_taken(tmp_path):
    installation = make_installation(tmp_path, scoring_attempts=1)
    reader = add_reader(installation, "Dr Adams")
    receive(installation, reader, series()[2], keep_uids=True)
    key = scans_of(installation, 1)[0].content_key
    next((tmp_path / "storage" / "files").rglob(key)).unlink()
    score_waiting(installation, FakeEngine())
    again = series(WindowCenter=100, WindowWidth=300)[2]
    assert receive(installation, reader, again, keep_uids=True).outcome is RECEIVED
    score_waiting(installation, FakeEngine())
    [scan] = scans_of(installation, 1)
    assert scan.analysis is not None and scan.content_key != key
    with installation.database.reading() as session:
        study = session.get_one(StudyRow, 1)
        assert (study.status, study.scan_count, study.failed_count) == ("new", 1, 0)


def test_one_object_that_comes_at_once_with_other_bytes_is_one_slice(installation, reader):
    versions = [series(WindowCenter=100 + n, WindowWidth=300)[0] for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        told = list(
            pool.map(lambda data: receive(installation, reader, data, keep_uids=True), versions)
        )
    assert sorted(item.outcome for item in told) == [LINKED] * 5 + [RECEIVED]
    assert counts(installation) == (1, 1) and rows_of_scans(installation) == 1


def test_several_pictures_of_each_place_are_volumes_of_their_own(installation, send):
    """Diffusion weights that only the maker's own tags tell apart; the files come in any order."""
    places = [(-40.0, -48.0, 5.0 * (n % SLICES)) for n in range(3 * SLICES)]
    files = [
        dicoms.to_bytes(
            dicoms.mr_dataset(
                dicoms.head_slice(48, 40, lesion=n >= 2 * SLICES), instance=str(n + 1), position=at
            )
        )
        for n, at in enumerate(places)
    ]
    order = np.random.default_rng(3).permutation(len(files))
    told = send(*[files[n] for n in order])
    case_id = told[0].case_id
    score_waiting(installation, FakeEngine())
    volumes = volumes_of(installation, case_id)
    scans = scans_of(installation, case_id)
    held = [[s for s in scans if s.series_id == volume.id] for volume in volumes]
    assert [sorted({s.analysis.finding.suspected for s in some}) for some in held] == [
        [False],
        [False],
        [True],
    ]
    for some in held:
        assert sorted(s.place.position_mm for s in some) == [5.0 * n for n in range(SLICES)]
    assert [volume.notices for volume in volumes] == [
        (f"The series shows the same places several times. Part {n} of them, by their numbers.",)
        for n in (1, 2, 3)
    ]


def test_figures_that_differ_in_their_last_digits_do_not_part_a_series(installation, send):
    files = [
        dicoms.to_bytes(
            dicoms.mr_dataset(
                instance=str(n),
                position=(-40, -48, 5 * n),
                orientation=((1 - s * s) ** 0.5, s, 0, -s, (1 - s * s) ** 0.5, 0),
                EchoTime=te,
            )
        )
        for n, (s, te) in enumerate([(0.0344996, "12.349"), (0.0345004, "12.351")])
    ]
    [item, _] = send(*files)
    assert len(volumes_of(installation, item.case_id)) == 1
