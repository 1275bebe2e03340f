"""A study on its way: from an archive to the node, through the model, back as SEG and SR."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from sqlalchemy import func, select

from core.services.installation import Installation
from core.services.scoring import score_waiting
from core.store import audit
from core.store.tables import DeliveryRow, ImageRow, ScanRow, StudyRow
from tests import servers
from tests.core.node.conftest import dcmtk
from tests.core.node.program import node_program
from tests.dicoms import head_volume, mr_dataset, mr_series, multi_frame_dataset, to_bytes
from tests.fakes import FakeEngine
from tests.installations import make_installation

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(600)]

NODE = "NEUROTRIAGE"
# Unlike anything that could stand in a file by chance.
PATIENT = {
    "SpecificCharacterSet": "ISO_IR 100",
    "PatientName": "ZQXJÖRG^WILHELMÍNA",
    "PatientID": "ZQX-4711-77",
    "PatientBirthDate": "19031117",
    "AccessionNumber": "ZQXACC99",
    "ReferringPhysicianName": "ZQXPHYSICIAN^DR",
    "StudyID": "ZQXSTUDY7",
    "InstitutionName": "ZQXHOSPITAL",
    "PatientComments": "ZQXCOMMENT",
}
_TRACES = ("ZQX", "WILHELM", "19031117")


@pytest.fixture(scope="module")
def archive() -> Iterator[servers.Orthanc]:
    with servers.orthanc(dicomweb=True) as server:
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Installation]:
    installation = make_installation(tmp_path)
    yield installation
    installation.database.close()


@contextmanager
def scoring(installation: Installation) -> Iterator[None]:
    """The model at work beside the node."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.2):
            score_waiting(installation, FakeEngine(), stop)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


def keep(archive: servers.Orthanc, files: list[bytes]) -> str:
    """Have the archive keep a study; gives its number of it."""
    [study] = {archive.keep(file) for file in files}
    return study


def results_in(archive: servers.Orthanc, study: str, seconds: float = 90) -> list[Dataset]:
    """The SEG and the SR of a study, once they have come."""
    give_up = time.monotonic() + seconds
    while True:
        found = [dcmread(BytesIO(file)) for file in archive.instances(study)]
        results = [dataset for dataset in found if dataset.Modality in {"SEG", "SR"}]
        if len(results) == 2 or time.monotonic() > give_up:
            return sorted(results, key=lambda dataset: dataset.Modality)
        time.sleep(0.5)


def by_dimse(archive: servers.Orthanc) -> dict[str, object]:
    return {
        "archive_host": "127.0.0.1",
        "archive_port": archive.dicom_port,
        "archive_ae_title": archive.ae_title,
    }


def by_web(archive: servers.Orthanc) -> dict[str, object]:
    return {"archive_url": archive.dicomweb_url}


def traces(root: Path) -> list[str]:
    """Files below a folder in which something of the patient stands."""
    wanted = [trace.encode() for trace in _TRACES]
    files = [path for path in root.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(trace in path.read_bytes() for trace in wanted)]


@pytest.mark.parametrize("way", [by_dimse, by_web], ids=["C-STORE", "STOW-RS"])
def test_a_study_goes_out_and_its_results_come_back(archive, place, tmp_path, way):
    name = way.__name__
    files = mr_series(head_volume(10, lesion=range(4, 7)), study=name, **PATIENT)
    study = keep(archive, files)
    source = dcmread(BytesIO(files[0]))
    settings = {**way(archive), "quiet_seconds": 1}
    with node_program(place, tmp_path / "log", **settings) as node, scoring(place):
        answer = archive.send(study, NODE, node.port)
        assert (answer["InstancesCount"], answer["FailedInstancesCount"]) == (10, 0)
        results = results_in(archive, study)
        assert [result.Modality for result in results] == ["SEG", "SR"], node.log
        give_up = time.monotonic() + 10
        while "Results of series 1 sent" not in node.log:
            assert time.monotonic() < give_up, node.log
            time.sleep(0.1)
        assert node.stop() == 0
    for result in results:
        for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate",
                        "AccessionNumber", "StudyID", "StudyInstanceUID"):  # fmt: skip
            assert result[keyword].value == source[keyword].value, keyword
    segmentation = results[0]
    referenced = {
        item.ReferencedSOPInstanceUID
        for series in segmentation.ReferencedSeriesSequence
        for item in series.ReferencedInstanceSequence
    }
    assert referenced <= {dcmread(BytesIO(file)).SOPInstanceUID for file in files}
    with place.database.reading() as session:
        [case] = session.scalars(select(StudyRow.id))
        history = [entry for entry in audit.history(session, case)]
    assert [e.text for e in history if e.action == "results_sent"] == [
        "Results of series 1 (DICOM SEG and DICOM SR) sent to the archive"
    ]
    place.database.close()
    assert traces(tmp_path) == []


def test_results_of_an_unknown_study_wait_and_are_then_given_up(archive, place, tmp_path):
    folder = tmp_path / "sent"
    folder.mkdir()
    for number, file in enumerate(mr_series(head_volume(2), study="nowhere")):
        (folder / f"{number}.dcm").write_bytes(file)
    settings = {
        **by_dimse(archive), "quiet_seconds": 0, "retry_seconds": 1, "give_up_hours": 6 / 3600,
    }  # fmt: skip
    with node_program(place, tmp_path / "log", **settings) as node, scoring(place):
        sent = dcmtk("storescu", "-aet", "MR1", "-aec", NODE, "+sd", "127.0.0.1", node.port, folder)
        assert sent.returncode == 0, sent.stdout
        give_up = time.monotonic() + 90
        while "given up" not in node.log:
            assert time.monotonic() < give_up, node.log
            time.sleep(0.2)
        assert "to be tried again: The archive does not know the study." in node.log
    with place.database.reading() as session:
        [row] = session.scalars(select(DeliveryRow))
        [case] = session.scalars(select(StudyRow.id))
        told = [e.text for e in audit.history(session, case) if e.action == "results_failed"]
    assert (row.state, row.error) == ("failed", "The archive does not know the study.")
    assert told == [
        "Results of series 1 could not be sent to the archive. The archive does not know the study."
    ]


def test_what_the_archive_keeps_compressed_or_in_one_object_comes_too(archive, place, tmp_path):
    files = [
        to_bytes(mr_dataset(study="mixed", series=syntax.name), syntax)
        for syntax in (RLELossless, JPEG2000Lossless, JPEGLSLossless)
    ]
    enhanced = multi_frame_dataset(head_volume(5), study="mixed", series="enhanced")
    study = keep(archive, [*files, to_bytes(enhanced)])
    with node_program(place, tmp_path / "log") as node:
        answer = archive.send(study, NODE, node.port)
        assert (answer["InstancesCount"], answer["FailedInstancesCount"]) == (4, 0), node.log
    with place.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(StudyRow)) == 1
        assert session.scalar(select(func.count()).select_from(ScanRow)) == 8


def test_a_large_study_in_one_association_while_others_send(archive, place, tmp_path):
    large = keep(archive, mr_series(head_volume(300, 48, 40), study="large"))
    small = tmp_path / "small"
    small.mkdir()
    for number, file in enumerate(mr_series(head_volume(20, 48, 40), study="small")):
        (small / f"{number}.dcm").write_bytes(file)
    with node_program(place, tmp_path / "log") as node:
        answers = []
        sender = threading.Thread(
            target=lambda: answers.append(archive.send(large, NODE, node.port))
        )
        sender.start()
        sent = dcmtk("storescu", "-aet", "MR1", "-aec", NODE, "+sd", "127.0.0.1", node.port, small)
        assert sent.returncode == 0, sent.stdout
        sender.join()
        assert answers[0]["FailedInstancesCount"] == 0, node.log
    with place.database.reading() as session:
        per_case = session.execute(
            select(func.count()).select_from(ScanRow).group_by(ScanRow.study_id)
        )
        assert sorted(count for (count,) in per_case) == [20, 300]
        assert session.scalar(select(func.count()).select_from(ImageRow)) == 320


def test_a_knee_is_refused_with_the_reason(place, tmp_path):
    (tmp_path / "1.dcm").write_bytes(to_bytes(mr_dataset(BodyPartExamined="KNEE")))
    with node_program(place, tmp_path / "log") as node:
        sent = dcmtk(
            "storescu", "-v", "-aet", "MR1", "-aec", NODE, "127.0.0.1", node.port,
            tmp_path / "1.dcm",
        )  # fmt: skip
        assert "CannotUnderstand" in sent.stdout
        assert node.stop() == 0
        assert "1 refused (0xC000)" in node.log and "KNEE" not in node.log
    with place.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(StudyRow)) == 0
