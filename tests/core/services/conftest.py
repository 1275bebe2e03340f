"""Fixtures of the tests of the services."""

import time

import pytest

from core.services import scoring
from core.services.readers import add_reader
from core.services.submit import Upload, batch_items, submit
from core.types import BatchItem, StudyDetails
from tests.core.services.scored_cases import Cases


@pytest.fixture
def reader(installation):
    return add_reader(installation, "Dr Adams")


@pytest.fixture
def ada(installation):
    return add_reader(installation, "Dr Ada")


@pytest.fixture
def ben(installation):
    return add_reader(installation, "Dr Ben")


@pytest.fixture
def send(installation, reader):
    """Submit files, given as bytes or as (name, bytes); what the page is told of them."""

    def sent(*files, details=None) -> list[BatchItem]:
        told: list[BatchItem] = []
        uploads = _uploads(files, "dcm")
        sent.batch = submit(installation, reader, uploads, details or StudyDetails(), told.append)
        sent.stored = batch_items(installation, reader, sent.batch.batch_id)
        return told

    return sent


@pytest.fixture
def send_pictures(installation, reader):
    """Submit files, given as bytes or as (name, bytes); the items of their batch."""

    def sent(*files, details=None) -> list[BatchItem]:
        batch = submit(installation, reader, _uploads(files, "png"), details or StudyDetails())
        return batch_items(installation, reader, batch.batch_id)

    return sent


@pytest.fixture
def cases(installation) -> Cases:
    return Cases(installation)


@pytest.fixture
def case(cases):
    """A case as the worklist shows it."""
    return cases.case


@pytest.fixture
def scoring_clock(monkeypatch):
    """The scoring's clock, that tests can put forward: ``scoring_clock(60)``."""
    ahead = [0.0]
    monkeypatch.setattr(scoring, "now", lambda: time.time() + ahead[0])

    def put_forward(seconds: float) -> None:
        ahead[0] += seconds

    return put_forward


def _uploads(files, ending: str) -> list[Upload]:
    named = [f if isinstance(f, tuple) else (f"{n}.{ending}", f) for n, f in enumerate(files)]
    return [Upload(name, data) for name, data in named]
