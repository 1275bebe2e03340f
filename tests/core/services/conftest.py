"""Fixtures of the tests of the services."""

import pytest

from core.services.readers import add_reader
from core.services.submit import Upload, batch_items, submit
from core.types import BatchItem, StudyDetails


@pytest.fixture
def reader(installation):
    return add_reader(installation, "Dr Adams")


@pytest.fixture
def send(installation, reader):
    """Submit files, given as bytes or as (name, bytes); what the page is told of them."""

    def sent(*files, details=None) -> list[BatchItem]:
        named = [f if isinstance(f, tuple) else (f"{n}.dcm", f) for n, f in enumerate(files)]
        told: list[BatchItem] = []
        uploads = [Upload(name, data) for name, data in named]
        sent.batch = submit(installation, reader, uploads, details or StudyDetails(), told.append)
        sent.stored = batch_items(installation, reader, sent.batch.batch_id)
        return told

    return sent
