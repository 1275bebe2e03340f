"""What archives may answer, by DICOM with and without TLS, and by DICOMweb."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from threading import Thread

import pytest
import requests
from pydicom import Dataset, dcmread
from pynetdicom import AE, evt, sop_class

from core.config import NodeSettings
from core.node.archive import Archive, ArchiveError, open_archive
from tests.core.node.certificates import Authority
from tests.dicoms import mr_dataset, to_bytes, uid

STUDY = uid("study")


class Scp:
    """An archive of the test: what it answers, and what it got."""

    def __init__(self) -> None:
        self.studies: list[str] = [STUDY]
        self.find_status = 0x0000
        self.store_status = 0x0000
        self.got: list[str] = []

    def find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        assert event.identifier.QueryRetrieveLevel == "STUDY"
        for study in self.studies:
            answer = Dataset()
            answer.StudyInstanceUID = study
            answer.PatientName = "Doe^Jane"
            yield 0xFF00, answer
        yield self.find_status, None

    def store(self, event: evt.Event) -> int:
        self.got.append(event.request.AffectedSOPInstanceUID)
        return self.store_status


@pytest.fixture
def scp() -> Scp:
    return Scp()


@pytest.fixture
def serve(scp: Scp) -> Iterator[Callable[..., int]]:
    """Starts it; gives the port."""
    entities = []

    def run(tls: ssl.SSLContext | None = None) -> int:
        entity = AE(ae_title="PACS")
        entity.add_supported_context(sop_class.StudyRootQueryRetrieveInformationModelFind)
        entity.add_supported_context(sop_class.MRImageStorage)
        entities.append(entity)
        handlers = [(evt.EVT_C_FIND, scp.find), (evt.EVT_C_STORE, scp.store)]
        server = entity.start_server(
            ("127.0.0.1", 0), block=False, ssl_context=tls, evt_handlers=handlers
        )
        return server.server_address[1]

    yield run
    for entity in entities:
        entity.shutdown()


def by_dimse(port: int, **changes: object) -> Archive:
    return open_archive(
        NodeSettings(
            **{"archive_host": "127.0.0.1", "archive_port": port, "archive_ae_title": "PACS"},
            **changes,
        )
    )


def file(instance: str = "1") -> Dataset:
    return dcmread(BytesIO(to_bytes(mr_dataset(instance=instance))))


def test_a_study_is_found_and_objects_are_stored(scp, serve):
    archive = by_dimse(serve())
    assert archive.study(STUDY).PatientName == "Doe^Jane"
    objects = [file("1"), file("2")]
    archive.store(objects)
    assert scp.got == [dataset.SOPInstanceUID for dataset in objects]


def test_a_study_that_is_unknown_is_none(scp, serve):
    scp.studies = []
    assert by_dimse(serve()).study(STUDY) is None


@pytest.mark.parametrize("studies", [["1.2.3"], [STUDY, STUDY], [STUDY, "1.2.3"]])
def test_other_studies_than_the_one_are_not_taken_for_it(scp, serve, studies):
    scp.studies = studies
    with pytest.raises(ArchiveError, match="instead of one"):
        by_dimse(serve()).study(STUDY)


def test_what_the_archive_refuses_is_told_with_its_status(scp, serve):
    archive = by_dimse(serve())
    scp.find_status = 0xA700
    with pytest.raises(ArchiveError, match="0xA700"):
        archive.study(STUDY)
    scp.store_status = 0xA700
    with pytest.raises(ArchiveError, match="0xA700"):
        archive.store([file()])
    scp.store_status = 0xB000  # stored with changes
    archive.store([file()])
    capture = file()
    capture.SOPClassUID = sop_class.SecondaryCaptureImageStorage
    with pytest.raises(ArchiveError, match="takes nothing of this kind"):
        archive.store([capture])


def test_an_archive_that_is_away_is_told():
    with pytest.raises(ArchiveError, match=r"PACS at 127.0.0.1:1 cannot be reached"):
        by_dimse(1).study(STUDY)


def test_by_tls_the_archive_has_to_be_vouched_for(scp, serve, tmp_path):
    authority = Authority(tmp_path)
    own = authority.identity("archive")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    port = serve(context)
    trusting = by_dimse(port, archive_tls=True, archive_ca=authority.certificate)
    assert trusting.study(STUDY) is not None
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "other")
    for other in (
        by_dimse(port, archive_tls=True, archive_ca=stranger.certificate),
        by_dimse(port),
    ):
        with pytest.raises(ArchiveError, match="cannot be reached"):
            other.study(STUDY)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [(404, b"", r"error \(404\)"), (500, b"Doe", r"error \(500\)"), (200, b"<html>", "is none")],
)
def test_answers_of_a_web_service_that_are_none(monkeypatch, status, body, reason):
    def answer(*_: object, **__: object) -> requests.Response:
        found = requests.Response()
        found.status_code, found._content = status, body
        found.url = f"http://archive.example.org/studies/{STUDY}"
        return found

    monkeypatch.setattr(requests.Session, "get", answer)
    archive = open_archive(NodeSettings(archive_url="http://archive.example.org"))
    with pytest.raises(ArchiveError, match=reason) as caught:
        archive.study(STUDY)
    assert STUDY not in str(caught.value) and "Doe" not in str(caught.value)


class Empty(BaseHTTPRequestHandler):
    """A web service that knows no study."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class QuietServer(HTTPServer):
    def handle_error(self, *_: object) -> None:
        pass  # a handshake that is refused


@contextmanager
def web_service(context: ssl.SSLContext) -> Iterator[str]:
    """Starts one; gives its address."""
    server = QuietServer(("127.0.0.1", 0), Empty)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/dicom-web"
    finally:
        server.shutdown()
        server.server_close()


def test_by_https_the_archive_has_to_be_vouched_for_by_its_own_authority(tmp_path):
    authority = Authority(tmp_path)
    own = authority.identity("archive")
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    with web_service(context) as url:
        trusting = open_archive(NodeSettings(archive_url=url, archive_ca=authority.certificate))
        assert trusting.study(STUDY) is None
        # Who vouches for senders does not for the archive.
        senders = {"tls_certificate": own.certificate, "tls_key": own.key}
        for other in (
            {"archive_ca": stranger.certificate},
            {"tls_ca": authority.certificate, **senders},
        ):
            with pytest.raises(ArchiveError, match="cannot be reached"):
                open_archive(NodeSettings(archive_url=url, **other)).study(STUDY)


@pytest.mark.parametrize("together", [False, True])
def test_by_https_the_node_shows_its_own_certificate(tmp_path, together):
    authority = Authority(tmp_path)
    own, node = authority.identity("archive"), authority.identity("node")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    shown = {"tls_certificate": node.certificate, "tls_key": node.key}
    if together:  # the key in the certificate's own file
        node.certificate.write_bytes(node.certificate.read_bytes() + node.key.read_bytes())
        del shown["tls_key"]
    with web_service(context) as url:
        settings = {"archive_url": url, "archive_ca": authority.certificate}
        assert open_archive(NodeSettings(**settings, **shown)).study(STUDY) is None
        with pytest.raises(ArchiveError, match="cannot be reached"):
            open_archive(NodeSettings(**settings)).study(STUDY)


@pytest.mark.parametrize("way", [{"archive_url": "https://b"}, {"archive_host": "b"}])
def test_an_authority_that_cannot_be_read_is_told_at_once(tmp_path, way):
    settings = NodeSettings(archive_ca=tmp_path / "none.pem", archive_tls=True, **way)
    with pytest.raises(OSError, match="No such file"):
        open_archive(settings)


def test_a_web_service_that_is_away_is_told():
    archive = open_archive(NodeSettings(archive_url="http://127.0.0.1:1"))
    with pytest.raises(ArchiveError, match="cannot be reached"):
        archive.study(STUDY)
