"""Results that are sent once more, because slices came after the first ones."""

import io

import pytest
from pydicom import Dataset, dcmread

from core.node.delivery import Deliverer
from core.services.results import series_results
from core.services.scoring import score_waiting
from core.store.sent_reports import sent_reports
from tests.core.node.test_deliveries import FakeArchive, change_row, changed, come
from tests.dicoms import head_volume, mr_series, uid
from tests.fakes import FakeEngine

FILES = mr_series(head_volume(6, lesion=range(2, 5)), SeriesNumber=3)


@pytest.fixture
def place(installation):
    return changed(installation)


@pytest.fixture
def archive():
    return FakeArchive()


@pytest.fixture
def deliver(place, archive):
    """Have slices received, scored and sent; gives what the archive got of it, by modality."""
    deliverer = Deliverer(place, archive)

    def delivered(files=()) -> dict[str, Dataset]:
        archive.got.clear()
        come(place, files)
        score_waiting(place, FakeEngine())
        deliverer.work()
        return {one.Modality: one for one in archive.got}

    return delivered


def predecessors(report: Dataset) -> list[tuple[str, str, str]]:
    return [
        (study.StudyInstanceUID, series.SeriesInstanceUID, one.ReferencedSOPInstanceUID)
        for study in report.get("PredecessorDocumentsSequence", [])
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    ]


def test_a_later_report_names_the_one_before_it(deliver):
    first, second, third = (deliver(FILES[start : start + 2])["SR"] for start in (0, 2, 4))
    assert predecessors(first) == []
    for before, after in ((first, second), (second, third)):
        [(study, series, instance)] = predecessors(after)
        assert (study, series) == (uid("study"), before.SeriesInstanceUID)
        assert instance == before.SOPInstanceUID


def test_what_was_sent_later_is_told_apart_by_number_and_description(deliver):
    sent = [deliver(FILES[:n]) for n in (2, 3, 4, 5, 6)]
    assert [int(one["SR"].SeriesNumber) for one in sent] == [392, 394, 396, 398, 398]
    assert [one["SR"].SeriesDescription for one in sent] == [
        "NeuroTriage: measurements (research)",
        *(f"NeuroTriage: measurements (research), version {n}" for n in (2, 3, 4, 5)),
    ]
    for one in sent[1:]:
        assert int(one["SEG"].SeriesNumber) == int(one["SR"].SeriesNumber) - 1
        assert one["SEG"].SeriesDescription.endswith(one["SR"].SeriesDescription[-11:])
        assert len(one["SEG"].SeriesDescription) <= 64


def test_results_sent_twice_are_no_later_ones(place, archive, deliver):
    deliver(FILES[:3])
    second = deliver(FILES[3:])
    change_row(place, state="queued", next_at=0)
    again = deliver()
    assert again["SR"].SOPInstanceUID == second["SR"].SOPInstanceUID
    assert predecessors(again["SR"]) == predecessors(second["SR"]) != []
    with place.database.reading() as session:
        assert len(sent_reports(session, 1)) == 2


def test_a_reader_takes_the_same_objects_as_the_archive(place, deliver):
    deliver(FILES[:3])
    sent = deliver(FILES[3:])
    for file in series_results(place, 1):
        taken = dcmread(io.BytesIO(file.data))
        assert taken.SOPInstanceUID == sent[taken.Modality].SOPInstanceUID
        assert taken.SeriesDescription == sent[taken.Modality].SeriesDescription


def test_what_was_not_sent_is_no_predecessor(archive, deliver, place):
    archive.knows = False
    assert deliver(FILES[:3]) == {}
    archive.knows = True
    change_row(place, next_at=0)
    assert predecessors(deliver(FILES[3:])["SR"]) == []
