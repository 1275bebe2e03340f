"""Connections that mean harm, or break: they end, and others are served meanwhile."""

import socket
import ssl
import struct
import time
from collections.abc import Iterator
from io import BytesIO

import pytest
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import MRImageStorage, Verification

from core.config import NodeSettings
from core.node.storage import StorageNode
from core.node.tls import server_context
from core.node.transport import bare_address
from tests.core.node.certificates import Authority, Identity
from tests.core.node.conftest import SENDER, associate, dcmtk
from tests.dicoms import mr_dataset, to_bytes


def connect(node: StorageNode) -> socket.socket:
    return socket.create_connection(("127.0.0.1", node.port), timeout=15)


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has ended it, perhaps after a word of its own."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def echo(node: StorageNode, context: ssl.SSLContext | None = None) -> bool:
    entity = AE(ae_title=SENDER)
    entity.add_requested_context(Verification)
    association = entity.associate(
        "127.0.0.1",
        node.port,
        ae_title="NEUROTRIAGE",
        tls_args=None if context is None else (context, "localhost"),
    )
    if not association.is_established:
        return False
    answer = association.send_c_echo()
    association.release()
    return answer.get("Status") == 0x0000


@pytest.mark.parametrize(
    "start_of_packet",
    [
        struct.pack(">BBL", 1, 0, 2**32 - 1),  # a packet of 4 GB
        struct.pack(">BBL", 9, 0, 10) + b"x" * 10,  # of no known kind
        struct.pack(">BBL", 4, 0, 6) + b"\0\0\0\2\1\3",  # data before an association
        struct.pack(">BBL", 1, 0, 100) + b"\xff" * 100,  # a request that is none
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_nonsense_ends_its_connection_only(start, monkeypatch, start_of_packet):
    monkeypatch.setattr("core.node.storage._NEGOTIATION_SECONDS", 0.5)
    node = start(idle_seconds=0.5)
    with connect(node) as connection:
        connection.sendall(start_of_packet)
        assert is_closed(connection)
    assert echo(node)


@pytest.mark.parametrize("begun", [b"", struct.pack(">BBL", 1, 0, 100) + b"x" * 50])
def test_a_silent_connection_is_closed(start, monkeypatch, begun):
    monkeypatch.setattr("core.node.storage._NEGOTIATION_SECONDS", 0.5)
    node = start(idle_seconds=0.5)
    with connect(node) as connection:
        connection.sendall(begun)
        began = time.monotonic()
        assert is_closed(connection)
        assert time.monotonic() - began < 10
    assert echo(node)


def test_requests_far_ahead_of_the_answers_end_the_association(start, sink):
    sink.before = lambda: time.sleep(0.3)
    node = start()
    association = associate(node)
    [context] = [c for c in association.accepted_contexts if c.abstract_syntax == MRImageStorage]
    syntax = context.transfer_syntax[0]
    for number in range(50):
        dataset = mr_dataset(instance=str(number))
        request = C_STORE()
        request.MessageID, request.Priority = number + 1, 2
        request.AffectedSOPClassUID = MRImageStorage
        request.AffectedSOPInstanceUID = dataset.SOPInstanceUID
        request.DataSet = BytesIO(encode(dataset, syntax.is_implicit_VR, True))
        association.dimse.send_msg(request, context.context_id)
    give_up = time.monotonic() + 15
    while association.is_alive():
        assert time.monotonic() < give_up, "the association goes on"
        time.sleep(0.05)
    assert association.is_aborted
    assert len(sink.objects) < 5
    assert echo(node)


def test_more_connections_than_there_is_room_for_are_closed(start, monkeypatch):
    monkeypatch.setattr("core.node.storage._NEGOTIATION_SECONDS", 2)
    node = start(associations=1)
    idle = [connect(node) for _ in range(9)]
    time.sleep(0.3)
    with connect(node) as one_more:
        assert is_closed(one_more)
    for connection in idle:
        connection.close()
    give_up = time.monotonic() + 20
    while not echo(node):
        assert time.monotonic() < give_up
        time.sleep(0.2)


def test_addresses_are_compared_without_their_wrapping():
    assert bare_address("::ffff:10.1.2.3") == "10.1.2.3"
    assert bare_address("fe80::1%eth0") == "fe80::1"
    assert bare_address("10.1.2.3") == "10.1.2.3"


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Iterator[Authority]:
    yield Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> Identity:
    """Somebody whom another authority vouches for."""
    return Authority(tmp_path_factory.mktemp("other"), "other").identity("stranger")


def tls_settings(authority: Authority, **changes: object) -> NodeSettings:
    own = authority.identity("node")
    return NodeSettings(tls_certificate=own.certificate, tls_key=own.key, **changes)


def sender_context(authority: Authority, identity: Identity | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.certificate)
    if identity is not None:
        context.load_cert_chain(identity.certificate, identity.key)
    return context


def test_objects_come_by_tls(start, sink, authority):
    node = start(tls=server_context(tls_settings(authority)))
    context = sender_context(authority)
    assert echo(node, context)
    assert not echo(node)
    entity = AE(ae_title=SENDER)
    entity.add_requested_context(MRImageStorage)
    association = entity.associate(
        "127.0.0.1", node.port, ae_title="NEUROTRIAGE", tls_args=(context, "localhost")
    )
    assert association.send_c_store(mr_dataset()).Status == 0x0000
    association.release()
    assert sink.uids == [mr_dataset().SOPInstanceUID]


def test_with_an_authority_senders_need_its_word(start, authority, stranger):
    node = start(tls=server_context(tls_settings(authority, tls_ca=authority.certificate)))
    assert echo(node, sender_context(authority, authority.identity("sender")))
    assert not echo(node, sender_context(authority))
    assert not echo(node, sender_context(authority, stranger))


def test_the_archives_authority_is_not_asked_about_senders(start, authority):
    settings = tls_settings(
        authority, archive_ca=authority.certificate, archive_url="https://archive.example.org"
    )
    assert echo(start(tls=server_context(settings)), sender_context(authority))


def test_a_client_that_hesitates_in_the_handshake_holds_up_nobody(start, authority):
    node = start(tls=server_context(tls_settings(authority)))
    with connect(node):
        began = time.monotonic()
        assert echo(node, sender_context(authority))
        assert time.monotonic() - began < 5


@pytest.mark.server
def test_dcmtk_sends_by_tls(start, sink, authority, tmp_path):
    node = start(tls=server_context(tls_settings(authority, tls_ca=authority.certificate)))
    identity = authority.identity("dcmtk")
    (tmp_path / "1.dcm").write_bytes(to_bytes(mr_dataset()))
    sent = dcmtk(
        "storescu", "-aet", SENDER, "-aec", "NEUROTRIAGE",
        "+tls", identity.key, identity.certificate, "+cf", authority.certificate,
        "127.0.0.1", node.port, tmp_path / "1.dcm",
    )  # fmt: skip
    assert sent.returncode == 0, sent.stdout
    assert len(sink.objects) == 1
