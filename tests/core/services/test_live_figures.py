"""What the model page says of this installation: volume, scores and agreement."""

from datetime import UTC, datetime, timedelta

import pytest

from core.services import model_card as service
from core.services.model_card import live_figures
from core.services.readers import add_reader
from core.services.scoring import score_waiting
from core.services.submit import Upload, batch_items, submit
from core.types import StudyDetails, TumourClass
from tests.core.services.read_cases import read_as
from tests.fakes import FakeEngine, scan_png

GLIOMA, MENINGIOMA, NO_TUMOR, PITUITARY = TumourClass


@pytest.fixture
def anna(installation):
    return add_reader(installation, "Anna")


@pytest.fixture
def sent(installation, anna):
    """Upload and score some scans, each as its own case; gives their numbers."""

    def send(count, **options):
        uploads = [Upload(f"{i}.png", scan_png(60 + i, 50, **options)) for i in range(count)]
        batch = submit(installation, anna, uploads, StudyDetails())
        score_waiting(installation, FakeEngine())
        return [item.case_id for item in batch_items(installation, anna, batch.batch_id)]

    return send


def test_an_installation_in_which_nothing_happened(installation):
    live = live_figures(installation, 7)
    assert (live.until - live.since).days == 6
    assert len(live.volume) == len(live.scores) == 7
    assert not any(one.received or one.scored or one.decided for one in live.volume)
    assert live.readings == {} and live.agreement == () and live.model_versions == ()


def test_volume_and_scores_of_today(installation, sent):
    sent(3)
    sent(2, lesion=False)
    live = live_figures(installation, 7)
    today = live.volume[-1]
    assert today.day == datetime.now(UTC).date()
    assert (today.received, today.scored, today.decided) == (5, 5, 0)
    assert live.scores[-1].bins == (2, 0, 0, 0, 0, 0, 0, 0, 0, 3)


def test_agreement_by_the_class_the_model_gave(installation, anna, sent):
    cases = sent(4)
    for case_id, said in zip(cases, (MENINGIOMA, MENINGIOMA, GLIOMA, PITUITARY), strict=True):
        read_as(installation, anna, case_id, said)
    live = live_figures(installation, 1)
    assert live.readings == {
        (GLIOMA, MENINGIOMA): 2, (GLIOMA, GLIOMA): 1, (GLIOMA, PITUITARY): 1,
    }  # fmt: skip
    (row,) = live.agreement
    assert (row.model_finding, row.readings, row.agreed) == (GLIOMA, 4, 1)
    # Wilson's interval of 1 in 4, from his formula by hand.
    assert (row.low, row.high) == (pytest.approx(0.0456, abs=1e-4), pytest.approx(0.6994, abs=1e-4))
    assert live.model_versions == ("fake-1",)


def test_full_agreement_is_not_called_certain(installation, anna, sent):
    for case_id in sent(3, lesion=False):
        read_as(installation, anna, case_id, NO_TUMOR)
    (row,) = live_figures(installation, 1).agreement
    assert row.agreed == row.readings == 3
    assert row.high == 1 and 0.4 < row.low < 0.5


def test_what_happened_before_the_period_is_not_counted(installation, anna, sent, monkeypatch):
    (case_id,) = sent(1)
    read_as(installation, anna, case_id, MENINGIOMA)
    later = datetime.now(UTC) + timedelta(days=40)
    monkeypatch.setattr(service, "now", later.timestamp)
    live = live_figures(installation, 30)
    assert live.until == later.date()
    assert live.readings == {}
    assert sum(one.received for one in live.volume) == 0
    assert sum(one.received for one in live_figures(installation, 60).volume) == 1
