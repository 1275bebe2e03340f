"""C-STORE and C-ECHO: who is let in, what is answered, what is handed over."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless, RLELossless
from pynetdicom import AE, build_context
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import CTImageStorage, MRImageStorage, Verification

from core.config import NodeSettings
from core.errors import InputError, StoreError
from core.node.storage import StorageNode
from tests.core.node.conftest import SENDER, associate, dcmtk
from tests.dicoms import head_volume, mr_dataset, mr_series, multi_frame_dataset, to_bytes

SECRET = "SECRET^NAME"


def read(data: bytes):
    return dcmread(BytesIO(data))


def test_an_object_is_handed_over_as_it_was_sent(start, sink):
    node = start()
    association = associate(node)
    sent = mr_dataset(PatientName=SECRET)
    assert association.send_c_store(sent).Status == 0x0000
    association.release()
    [data] = sink.objects
    received = read(data)
    assert received == sent
    assert received.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID


def test_echo_is_answered(start):
    node = start()
    entity = AE(ae_title=SENDER)
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", node.port, ae_title="NEUROTRIAGE")
    assert association.send_c_echo().Status == 0x0000
    association.release()


@pytest.mark.parametrize(
    ("title", "called"), [("STRANGER", "NEUROTRIAGE"), (SENDER, "OTHER"), ("mr1", "NEUROTRIAGE")]
)
def test_a_wrong_ae_title_is_refused(start, title, called):
    association = associate(start(), title, called)
    assert association.is_rejected


def test_without_allowed_senders_it_does_not_start(sink):
    node = StorageNode(NodeSettings(bind="127.0.0.1", port=0), sink, None)
    with pytest.raises(ValueError, match="sender"):
        node.start()


@pytest.mark.parametrize(
    ("networks", "let_in"), [("10.0.0.0/8", False), ("10.0.0.0/8, 127.0.0.1", True)]
)
def test_only_permitted_addresses_may_connect(start, networks, let_in):
    association = associate(start(networks=networks))
    assert association.is_established is let_in
    association.abort()


def test_other_kinds_of_objects_are_not_negotiated(start):
    node = start()
    entity = AE(ae_title=SENDER)
    entity.requested_contexts = [build_context(CTImageStorage), build_context(MRImageStorage)]
    association = entity.associate("127.0.0.1", node.port, ae_title="NEUROTRIAGE")
    accepted = [context.abstract_syntax for context in association.accepted_contexts]
    assert accepted == [MRImageStorage]
    association.release()


@pytest.mark.parametrize(
    ("error", "status", "comment"),
    [
        (InputError("A knee, “not a head”. " + "x" * 80), 0xC000, "A knee, ?not a head?. x"),
        (StoreError("the disk /srv/x is full"), 0xA700, "send it again"),
        (RuntimeError(SECRET), 0x0110, "An error in the receiving program"),
    ],
)
def test_what_cannot_be_taken_is_answered_with_the_reason(
    start, sink, caplog, error, status, comment
):
    def refuse() -> None:
        raise error

    sink.before = refuse
    association = associate(start())
    answer = association.send_c_store(mr_dataset(PatientName=SECRET))
    assert answer.Status == status
    assert comment in answer.ErrorComment and len(answer.ErrorComment) <= 64
    sink.before = lambda: None
    assert association.send_c_store(mr_dataset(PatientName=SECRET)).Status == 0x0000
    association.release()
    assert "SECRET" not in caplog.text


def test_an_object_above_the_limit_is_refused_and_the_next_one_taken(start, sink):
    association = associate(start(object_bytes=1_000_000))
    large = mr_dataset(np.zeros((1024, 1024), np.uint16), instance="2")
    answer = association.send_c_store(large)
    assert (answer.Status, answer.ErrorComment) == (0xC000, "The object has more than 1 MB")
    assert association.send_c_store(mr_dataset()).Status == 0x0000
    association.release()
    assert sink.uids == [mr_dataset().SOPInstanceUID]


def test_an_object_that_is_not_what_was_announced_is_refused(start, sink):
    association = associate(start())
    [context] = [c for c in association.accepted_contexts if c.abstract_syntax == MRImageStorage]
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = MRImageStorage, "1.2.3"
    syntax = context.transfer_syntax[0]
    request.DataSet = BytesIO(encode(mr_dataset(), syntax.is_implicit_VR, True))
    association._reactor_checkpoint.clear()  # the answer is taken here, not by its own thread
    association.dimse.send_msg(request, context.context_id)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    assert answer.Status == 0xA900
    association.abort()
    assert sink.objects == []


def test_a_multi_frame_object_and_compressed_ones_come_through(start, sink):
    node = start()
    entity = AE(ae_title=SENDER)
    objects = [
        (multi_frame_dataset(), None),
        (mr_dataset(instance="1"), RLELossless),
        (mr_dataset(instance="2"), JPEG2000Lossless),
    ]
    files = [read(to_bytes(dataset, syntax)) for dataset, syntax in objects]
    for file in files:
        entity.add_requested_context(file.SOPClassUID, file.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", node.port, ae_title="NEUROTRIAGE")
    assert [association.send_c_store(file).Status for file in files] == [0, 0, 0]
    association.release()
    assert [read(data) for data in sink.objects] == files
    assert [read(data).file_meta.TransferSyntaxUID for data in sink.objects] == [
        file.file_meta.TransferSyntaxUID for file in files
    ]


def test_several_senders_at_a_time(start, sink):
    node = start()
    series = [
        [read(file) for file in mr_series(head_volume(25), series=f"series {n}")] for n in range(4)
    ]

    def send(files):
        association = associate(node)
        answers = [association.send_c_store(file).Status for file in files]
        association.release()
        return answers

    with ThreadPoolExecutor(4) as senders:
        assert [*senders.map(send, series)] == [[0] * 25] * 4
    assert sorted(sink.uids) == sorted(file.SOPInstanceUID for files in series for file in files)


def test_associations_beyond_the_limit_are_told_so(start):
    node = start(associations=2)
    kept = [associate(node) for _ in range(2)]
    third = associate(node)
    assert third.is_rejected
    # Transient, of the presentation provider, local limit exceeded: the sender may come again.
    reason = third.acceptor.primitive
    assert (reason.result, reason.result_source, reason.diagnostic) == (2, 3, 2)
    for association in kept:
        association.release()
    give_up = time.monotonic() + 10
    while not (again := associate(node)).is_established:
        assert time.monotonic() < give_up
        time.sleep(0.1)
    again.release()


def test_too_many_objects_are_put_off(start, sink, monkeypatch):
    monkeypatch.setattr("core.node.storage._LONGEST_DELAY_SECONDS", 0.5)
    association = associate(start(objects_per_minute=60))
    answers = [association.send_c_store(mr_dataset()) for _ in range(60)]
    assert {answer.Status for answer in answers} == {0x0000}
    for _ in range(20):  # on a slow machine some of the next ones are in time
        last = association.send_c_store(mr_dataset())
        if last.Status != 0x0000:
            break
        answers.append(last)
    assert last.Status == 0xA700
    assert "again later" in last.ErrorComment
    association.release()
    assert len(sink.objects) == len(answers)


def test_a_stop_waits_for_the_object_in_hand(start, sink):
    node = start()
    begun, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        go_on.wait(10)

    sink.before = wait
    association = associate(node)
    answers = []
    sender = threading.Thread(
        target=lambda: answers.append(association.send_c_store(mr_dataset()).get("Status"))
    )
    sender.start()
    assert begun.wait(10)
    stopper = threading.Thread(target=node.stop, args=(10,))
    stopper.start()
    time.sleep(0.3)
    assert stopper.is_alive()
    go_on.set()
    stopper.join(10)
    sender.join(10)
    assert answers == [0x0000] and len(sink.objects) == 1
    assert not associate(node).is_established


@pytest.mark.server
def test_dcmtks_senders_get_through(start, sink, tmp_path):
    node = start()
    for number, file in enumerate(mr_series()):
        (tmp_path / f"{number}.dcm").write_bytes(file)
    where = ["127.0.0.1", node.port]
    echo = dcmtk("echoscu", "-aet", SENDER, "-aec", "NEUROTRIAGE", *where)
    assert echo.returncode == 0, echo.stdout
    stranger = dcmtk("echoscu", "-aet", "STRANGER", "-aec", "NEUROTRIAGE", *where)
    assert stranger.returncode != 0
    assert "Calling AE Title Not Recognized" in stranger.stdout
    sent = dcmtk("storescu", "-aet", SENDER, "-aec", "NEUROTRIAGE", "+sd", *where, tmp_path)
    assert sent.returncode == 0, sent.stdout
    assert sorted(sink.uids) == sorted(read(file).SOPInstanceUID for file in mr_series())
