"""kill -9 in the middle of a transfer: what was acknowledged is there, what comes again is once."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE
from pynetdicom.sop_class import MRImageStorage
from sqlalchemy import select

from core.node.archive import keep_answers
from core.store.tables import ImageRow, ScanRow
from tests.core.node.program import node_program
from tests.dicoms import head_volume, mr_series
from tests.installations import make_installation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KILLS, SENDERS, SLICES = 3, 2, 40


def send(port: int, files: list[Dataset], acknowledged: set[str]) -> None:
    """Send what is not acknowledged yet, as far as the node lives."""
    entity = AE(ae_title="MR1")
    entity.add_requested_context(MRImageStorage)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 60
    association = entity.associate("127.0.0.1", port, ae_title="NEUROTRIAGE")
    if not association.is_established:
        return
    keep_answers(association)
    for file in files:
        if file.SOPInstanceUID in acknowledged:
            continue
        try:
            answer = association.send_c_store(file)
        except RuntimeError:  # the association is over
            return
        if answer.get("Status") == 0x0000:
            acknowledged.add(file.SOPInstanceUID)
    association.release()


def test_a_killed_node_loses_nothing_that_it_acknowledged(back_end, tmp_path):
    place = make_installation(tmp_path, **back_end)
    series = [
        [dcmread(BytesIO(f)) for f in mr_series(head_volume(SLICES, 48, 40), study=f"study {n}")]
        for n in range(SENDERS)
    ]
    acknowledged: set[str] = set()
    log = tmp_path / "log"
    for kill in range(KILLS + 1):
        with node_program(place, log) as node, ThreadPoolExecutor(SENDERS) as senders:
            timer = threading.Timer(random.uniform(0.3, 2), node.kill)
            if kill < KILLS:
                timer.start()
            for files in series:
                senders.submit(send, node.port, files, acknowledged)
            senders.shutdown(wait=True)
            timer.cancel()
        with place.database.reading() as session:
            stored = set(session.scalars(select(ScanRow.instance_uid)))
        # What was stored but not acknowledged comes again; the other way round it would be lost.
        assert acknowledged <= stored
    wanted = [file.SOPInstanceUID for files in series for file in files]
    assert acknowledged == set(wanted), log.read_text()
    with place.database.reading() as session:
        found = session.execute(
            select(ScanRow.instance_uid, ImageRow.content_key).join(
                ImageRow, ImageRow.id == ScanRow.image_id
            )
        ).all()
    assert sorted(uid for uid, _ in found) == sorted(wanted)
    for uid, key in found:
        assert dcmread(BytesIO(place.files.get(key))).SOPInstanceUID == uid
    place.database.close()
