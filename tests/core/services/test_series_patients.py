"""Files of one study that name two patients, or of one object that show two pictures."""

from concurrent.futures import ThreadPoolExecutor

from core.imaging import Privacy, without_identity
from core.services.scoring import score_waiting
from core.services.submit import receive
from core.store import studies
from core.store.study_keys import patients_share_study
from core.store.tables import StudyRow
from tests import dicoms
from tests.core.services.sent_series import (
    LINKED,
    OTHER_PATIENT,
    RECEIVED,
    SLICES,
    counts,
    history_of,
    renamed,
    scans_of,
    series,
    volumes_of,
)
from tests.fakes import FakeEngine


def test_two_patients_under_one_study_are_two_cases_and_both_are_told(installation, send):
    mine, others = series(), series(**OTHER_PATIENT)
    told = send(*mine[:4], *others, *mine[4:])
    first, second = told[0].case_id, told[4].case_id
    assert [item.case_id for item in told] == [first] * 4 + [second] * SLICES + [first] * 2
    assert {item.outcome for item in told} == {RECEIVED}
    assert f"name another patient: see case #{first}" in told[4].reason
    assert [item.reason for item in told[5:]] == [None] * 7
    assert [len(scans_of(installation, case)) for case in (first, second)] == [SLICES] * 2
    assert any("another patient" in note for note in volumes_of(installation, second)[0].notices)
    assert any(f"see case #{second}" in text for text in history_of(installation, first))
    with installation.database.reading() as session:
        named = [studies.case_details(session, c).patient_reference for c in (first, second)]
    assert named == [installation.pseudonyms.patient(name) for name in ("SYN-1", "SYN-2")]
    again = send(*others, *mine)
    assert {item.outcome for item in again} == {LINKED}
    assert [item.case_id for item in again] == [second] * SLICES + [first] * SLICES


def test_files_that_name_no_patient_join_the_only_one_there_is(installation, send):
    mine, others = series(), series(**OTHER_PATIENT)
    nameless = series(PatientID=None, PatientName=None)
    [first, same, other] = send(nameless[0], mine[1], others[2])
    assert first.case_id == same.case_id != other.case_id
    assert first.reason is None and same.reason is None
    # Whose they are is not to be known any more.
    [late] = send(nameless[3])
    assert late.case_id not in (first.case_id, other.case_id)
    assert f"see case #{first.case_id}, #{other.case_id}" in late.reason
    [joins] = send(series(study="second")[0], series(study="second", PatientID=None)[1])[1:]
    assert joins.reason is None
    assert counts(installation)[0] == 4


def test_a_missing_issuer_of_the_number_makes_no_other_patient(installation, send):
    plain, issued = series(), series(IssuerOfPatientID="North")
    told = send(plain[0], issued[1], plain[2], issued[0])
    assert {item.case_id for item in told} == {told[0].case_id}
    assert [item.reason for item in told[:3]] == [None] * 3
    assert told[3].outcome is LINKED
    assert len(scans_of(installation, told[0].case_id)) == 3
    with installation.database.reading() as session:
        assert not patients_share_study(session, told[0].case_id)
    [other] = send(series(IssuerOfPatientID="South")[4])
    assert other.case_id != told[0].case_id
    assert f"name another patient: see case #{told[0].case_id}" in other.reason


def test_files_without_identity_belong_to_the_case_that_they_came_from(installation, send):
    issued = series(IssuerOfPatientID="North")
    [first] = send(issued[0])
    privacy = Privacy(installation.pseudonyms)
    [again] = send(without_identity(issued[1], privacy))
    assert (again.case_id, again.reason) == (first.case_id, None)


def test_patients_of_one_study_that_come_at_once_are_kept_apart(installation, reader):
    mine, others = series(), series(**OTHER_PATIENT)
    receive(installation, reader, series(PatientID=None)[0], keep_uids=True)
    files = [data for pair in zip(mine[1:], others[1:], strict=True) for data in pair]
    with ThreadPoolExecutor(4) as pool:
        told = list(
            pool.map(lambda data: receive(installation, reader, data, keep_uids=True), files)
        )
    cases = [{item.case_id for item in told[start::2]} for start in (0, 1)]
    assert [len(some) for some in cases] == [1, 1] and cases[0] != cases[1]
    assert counts(installation)[0] == 2


def test_another_picture_under_the_uid_of_one_that_is_there_is_kept(installation, send):
    files = series()
    [first, *_] = send(*files)
    changed = dicoms.mr_series(dicoms.head_volume(SLICES, 48, 40, range(0, 3)))
    told = send(*changed)
    kept = [n for n, item in enumerate(told) if item.outcome is RECEIVED]
    assert kept == [0, 1, 3, 4]  # the lesion came, or went
    assert {item.case_id for item in told} == {first.case_id}
    assert all(("same SOP Instance UID" in (told[n].reason or "")) == (n in kept) for n in range(6))
    assert len(scans_of(installation, first.case_id)) == SLICES + len(kept)
    assert {item.outcome for item in send(*changed)} == {LINKED}
    assert len(scans_of(installation, first.case_id)) == SLICES + len(kept)


def test_a_slice_whose_stored_file_is_gone_takes_no_other_with_it(installation, send):
    """What cannot be compared is kept: it may be another picture."""
    files = series()
    [first, *_] = send(*files)
    for file in sorted((installation.settings.storage / "files").rglob("*")):
        if file.is_file():
            file.unlink()
    changed = dicoms.mr_series(dicoms.head_volume(SLICES, 48, 40, range(0, 3)))
    [told] = send(changed[0])
    assert (told.case_id, told.outcome) == (first.case_id, RECEIVED)
    assert len(scans_of(installation, first.case_id)) == SLICES + 1


def test_one_uid_for_all_slices_without_places_loses_none(installation, send):
    volume = dicoms.head_volume(3, 48, 40, range(1, 2))
    lost = {"ImagePositionPatient": None, "SOPInstanceUID": "1.2.3"}
    files = [renamed(data, InstanceNumber=1) for data in dicoms.mr_series(volume, **lost)]
    told = send(*files[:2])
    assert {item.outcome for item in told} == {RECEIVED}
    score_waiting(installation, FakeEngine())
    with installation.database.reading() as session:
        study = session.get_one(StudyRow, told[0].case_id)
        assert (study.predicted, study.scan_count) == ("glioma", 2)
