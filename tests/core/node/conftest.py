"""A node within the test, that hands what it receives to the test."""

import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from io import BytesIO

import pytest

pytest.importorskip("pynetdicom", reason="pynetdicom is absent: requirements-server.txt")

from pydicom import dcmread
from pynetdicom import AE, build_context
from pynetdicom.association import Association

from core.config import NodeSettings
from core.node.archive import keep_answers
from core.node.quiet import log_quietly
from core.node.storage import STORAGE_CLASSES, StorageNode

SENDER = "MR1"


class Sink:
    """What a node hands over; may be told to refuse or to take its time."""

    def __init__(self) -> None:
        self.objects: list[bytes] = []
        self.before: Callable[[], None] = lambda: None

    def __call__(self, data: bytes) -> None:
        self.before()
        self.objects.append(data)

    @property
    def uids(self) -> list[str]:
        return [dcmread(BytesIO(data)).SOPInstanceUID for data in self.objects]


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def start(sink: Sink) -> Iterator[Callable[..., StorageNode]]:
    """Starts a node that lets SENDER in; settings and a TLS context may be given."""
    log_quietly()
    nodes = []

    def run(tls: ssl.SSLContext | None = None, **settings: object) -> StorageNode:
        given = {"senders": (SENDER,), "bind": "127.0.0.1", "port": 0, **settings}
        node = StorageNode(NodeSettings(**given), sink, tls)
        node.start()
        nodes.append(node)
        return node

    yield run
    for node in nodes:
        node.stop(5)


def associate(node: StorageNode, title: str = SENDER, called: str = "NEUROTRIAGE") -> Association:
    """An association for all storage classes, in the uncompressed transfer syntaxes."""
    entity = AE(ae_title=title)
    entity.requested_contexts = [build_context(uid) for uid in STORAGE_CLASSES]
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 30
    association = entity.associate("127.0.0.1", node.port, ae_title=called)
    keep_answers(association)
    return association


def dcmtk(program: str, *arguments: object) -> subprocess.CompletedProcess:
    """Run one of dcmtk's programs; standard output and error come together."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is absent: apt install dcmtk")
    return subprocess.run(
        [program, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
    )  # fmt: skip
