"""The outbox: what is complete, who sends it, what is tried again, what is given up."""

from dataclasses import replace

import pytest
from pydicom import Dataset
from sqlalchemy import select, update

from core.config import NodeSettings
from core.node.archive import ArchiveError
from core.node.delivery import Deliverer
from core.services import deliveries
from core.services.installation import Installation, now
from core.services.readers import sign_in
from core.services.scoring import score_waiting
from core.services.submit import receive, retry_failed
from core.store import audit, statements
from core.store.tables import DeliveryRow, ImageRow, SeriesRow, StudyRow
from tests.dicoms import head_volume, mr_dataset, mr_series, to_bytes, uid
from tests.fakes import FakeEngine

SETTINGS = NodeSettings(quiet_seconds=0, archive_host="archive.example.org", give_up_hours=1)


class FakeArchive:
    """Knows the study, and takes what it gets, unless told otherwise."""

    def __init__(self) -> None:
        self.knows = True
        self.problem: Exception | None = None
        self.got: list[Dataset] = []

    def study(self, study_uid: str) -> Dataset | None:
        if not self.knows:
            return None
        found = Dataset()
        found.StudyInstanceUID = study_uid
        found.PatientName = "Doe^Jane"
        found.PatientID = "4711"
        return found

    def store(self, datasets):
        if self.problem is not None:
            raise self.problem
        self.got += datasets


def changed(installation: Installation, **settings: object) -> Installation:
    """The same installation with other settings of the node."""
    node = SETTINGS.model_copy(update=settings)
    return replace(installation, settings=installation.settings.model_copy(update={"node": node}))


@pytest.fixture
def place(installation: Installation) -> Installation:
    return changed(installation)


@pytest.fixture
def archive() -> FakeArchive:
    return FakeArchive()


@pytest.fixture
def deliverer(place, archive) -> Deliverer:
    return Deliverer(place, archive)


def come(place: Installation, files: list[bytes]) -> None:
    account = sign_in(place, "node:TEST", "DICOM node TEST", True)
    for file in files:
        receive(place, account, file, keep_uids=True)


def rows(place: Installation) -> list[DeliveryRow]:
    with place.database.reading() as session:
        return list(session.scalars(select(DeliveryRow).order_by(DeliveryRow.id)))


def told(place: Installation) -> list[str]:
    with place.database.reading() as session:
        return [
            entry.text
            for case in session.scalars(select(StudyRow.id))
            for entry in audit.history(session, case)
            if entry.action.startswith("results")
        ]


def change_row(place: Installation, **values: object) -> None:
    with place.database.transaction() as session:
        session.execute(update(DeliveryRow).values(**values))


def test_results_are_sent_once_with_the_patient_of_the_archive(place, archive, deliverer):
    come(place, mr_series(head_volume(4, lesion=range(1, 3))))
    assert deliverer.work() == 0  # not scored yet
    score_waiting(place, FakeEngine())
    assert deliverer.work() == 1
    assert deliverer.work() == 0
    assert sorted(result.Modality for result in archive.got) == ["SEG", "SR"]
    for result in archive.got:
        assert (result.PatientName, result.PatientID) == ("Doe^Jane", "4711")
        assert result.StudyInstanceUID == uid("study")
        assert result.PatientBirthDate == "" and "PatientIdentityRemoved" not in result
    assert [row.state for row in rows(place)] == ["sent"]
    assert told(place) == ["Results of series 1 (DICOM SEG and DICOM SR) sent to the archive"]


def test_a_series_that_is_not_quiet_yet_waits(place, archive):
    come(place, mr_series(head_volume(2)))
    score_waiting(place, FakeEngine())
    assert Deliverer(changed(place, quiet_seconds=3600), archive).work() == 0
    assert Deliverer(place, archive).work() == 1


def test_slices_that_come_later_are_sent_too(place, archive, deliverer):
    files = mr_series(head_volume(3, lesion=range(1, 2)))
    come(place, files[:2])
    score_waiting(place, FakeEngine())
    deliverer.work()
    first = {result.SOPInstanceUID for result in archive.got}
    archive.got.clear()
    come(place, files[2:])
    deliverer.work()
    assert archive.got == []  # the new one is not scored yet
    score_waiting(place, FakeEngine())
    assert deliverer.work() == 1
    assert first.isdisjoint(result.SOPInstanceUID for result in archive.got)
    assert len(rows(place)) == 1


def test_a_series_whose_last_slice_failed_late_is_sent_again(place, archive, deliverer):
    files = mr_series(head_volume(3, lesion=range(1, 2)))
    come(place, files[:2])
    score_waiting(place, FakeEngine())
    deliverer.work()
    archive.got.clear()
    come(place, files[2:])
    with place.database.transaction() as session:
        waits = update(ImageRow).where(ImageRow.state == "queued")
        session.execute(waits.values(state="failed", failure="why"))
    deliverer._since = now() + 1  # as if what was analysed had been looked at long ago
    assert deliverer.work() == 1
    assert sorted(result.Modality for result in archive.got) == ["SEG", "SR"]
    assert deliverer.work() == 0


def test_results_sent_twice_have_the_same_uids(place, archive, deliverer):
    come(place, mr_series(head_volume(3, lesion=range(1, 2))))
    score_waiting(place, FakeEngine())
    deliverer.work()
    change_row(place, state="queued", next_at=0)
    deliverer.work()
    uids = [result.SOPInstanceUID for result in archive.got]
    assert len(uids) == 4 and len(set(uids)) == 2


def test_uploads_are_not_sent(place, archive, deliverer):
    account = sign_in(place, "local:x", "X", False)
    for file in mr_series(head_volume(2)):
        receive(place, account, file, keep_uids=False)
    with place.database.transaction() as session:
        session.execute(update(SeriesRow).values(origin="upload"))
    score_waiting(place, FakeEngine())
    assert deliverer.work() == 0
    assert rows(place) == []


@pytest.mark.parametrize(
    ("knows", "problem", "reason"),
    [
        (False, None, "The archive does not know the study."),
        (True, ArchiveError("The archive is away."), "The archive is away."),
        (True, RuntimeError("Doe^Jane"), "An error in the program, which its log describes."),
    ],
)
def test_what_cannot_be_sent_is_tried_later_and_then_given_up(
    place, archive, deliverer, caplog, knows, problem, reason
):
    come(place, mr_series(head_volume(2)))
    score_waiting(place, FakeEngine())
    archive.knows, archive.problem = knows, problem
    began = now()
    assert deliverer.work() == 1
    [row] = rows(place)
    assert (row.state, row.error, row.attempts, row.lease_owner) == ("queued", reason, 1, None)
    assert began + 29 < row.next_at < now() + 31
    assert told(place) == []
    assert deliverer.work() == 0  # not before its time
    change_row(place, next_at=0, attempts=3)
    began = now()
    deliverer.work()
    assert began + 239 < rows(place)[0].next_at < now() + 241  # the pause doubles
    change_row(place, next_at=0)
    Deliverer(changed(place, give_up_hours=1e-6), archive).work()
    [row] = rows(place)
    assert (row.state, row.error) == ("failed", reason)
    assert told(place) == [f"Results of series 1 could not be sent to the archive. {reason}"]
    assert deliverer.work() == 0
    assert "Doe" not in caplog.text
    archive.knows, archive.problem = True, None
    assert deliveries.retry_failed(place) == 1
    deliverer.work()
    assert [row.state for row in rows(place)] == ["sent"]


def test_one_that_cannot_be_sent_does_not_hold_up_the_others(place, archive, deliverer):
    for name in ("a", "b"):
        come(place, mr_series(head_volume(2), study=name))
    score_waiting(place, FakeEngine())
    known = archive.study
    archive.study = lambda study: known(study) if study == uid("b") else None
    assert deliverer.work() == 2
    assert sorted(row.state for row in rows(place)) == ["queued", "sent"]


def test_more_series_than_one_question_takes(place, deliverer, monkeypatch):
    monkeypatch.setattr(statements, "_AT_ONCE", 2)
    for name in "abc":
        come(place, mr_series(head_volume(2), study=name))
    score_waiting(place, FakeEngine())
    assert deliverer.work() == 3
    assert [row.state for row in rows(place)] == ["sent"] * 3


def test_of_two_nodes_one_sends(place, archive):
    come(place, mr_series(head_volume(2)))
    score_waiting(place, FakeEngine())
    deliveries.queue_finished(place, 0)
    held = deliveries.take(place, "first")
    assert held is not None
    assert deliveries.take(place, "second") is None
    assert Deliverer(place, archive).work() == 0
    # The first one was killed: its lease runs out.
    change_row(place, lease_until=now() - 1)
    taken = deliveries.take(place, "second")
    assert taken is not None and taken.attempts == 2
    deliveries.sent(place, held, "first", "DICOM SEG")
    assert [row.state for row in rows(place)] == ["queued"]
    deliveries.sent(place, taken, "second", "DICOM SEG")
    assert [row.state for row in rows(place)] == ["sent"]
    assert len(told(place)) == 1


def test_results_of_patients_who_share_a_study_number_are_kept_back(place, archive, deliverer):
    for patient in ("A-1", "B-2"):
        files = mr_series(series=patient, PatientID=patient)
        come(place, files)
    score_waiting(place, FakeEngine())
    assert deliverer.work() == 0
    assert not archive.got
    assert [row.state for row in rows(place)] == ["failed", "failed"]
    deliverer.work()
    assert len(told(place)) == 2 and all("kept back" in text for text in told(place))
    deliveries.retry_failed(place)
    assert deliverer.work() == 0


def test_a_series_of_which_nothing_could_be_analysed_is_told_and_may_come_round(
    place, archive, deliverer
):
    come(place, [to_bytes(mr_dataset())])
    with place.database.transaction() as session:
        session.execute(update(ImageRow).values(state="failed", failure="why"))
    assert deliverer.work() == 0
    assert [row.state for row in rows(place)] == ["failed"]
    deliverer.work()
    assert len(told(place)) == 1 and "nothing to send" in told(place)[0]
    account = sign_in(place, "local:x", "X", False)
    with place.database.reading() as session:
        [case] = session.scalars(select(StudyRow.id))
    retry_failed(place, account, case)
    score_waiting(place, FakeEngine())
    assert deliverer.work() == 1
    assert archive.got
