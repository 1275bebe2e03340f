"""The command: what it says where it cannot start, and how it ends."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.config import NodeSettings
from core.node.tls import server_context
from tests.core.node.program import ROOT, environment, node_program
from tests.installations import make_installation

pytestmark = pytest.mark.slow


def run(installation, variables=None, **node: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "core", "dicom-node"],
        cwd=ROOT, env=environment(installation, **node) | (variables or {}), capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip


def test_it_says_what_it_does_and_ends_when_told(tmp_path):
    place = make_installation(tmp_path)
    settings = {"archive_host": "archive.example.org", "archive_ae_title": "PACS"}
    with node_program(place, tmp_path / "log", **settings) as node:
        socket.create_connection(("127.0.0.1", node.port)).close()
        assert node.stop() == 0
        said = node.log
    assert "NEUROTRIAGE listens at 127.0.0.1:" in said
    assert "without TLS. Allowed to send: MR1, ORTHANC." in said
    assert "Results go to PACS at archive.example.org:104." in said
    assert said.strip().endswith("Stopped.")


def test_without_senders_it_does_not_start(tmp_path):
    done = run(make_installation(tmp_path), senders="")
    assert done.returncode == 2
    assert "NEUROTRIAGE_NODE__SENDERS" in done.stderr


def test_a_port_in_use_and_a_bad_certificate_are_told(tmp_path):
    place = make_installation(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run(place, senders="MR1", bind="127.0.0.1", port=port)
    assert done.returncode == 2
    assert f"cannot listen at 127.0.0.1:{port}" in done.stderr
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    done = run(place, senders="MR1", bind="127.0.0.1", port=0, tls_certificate=bad)
    assert done.returncode == 2
    assert "NEUROTRIAGE_NODE__TLS_CERTIFICATE" in done.stderr


def test_a_storage_that_cannot_be_used_is_told(tmp_path):
    place = make_installation(tmp_path)
    (tmp_path / "file").touch()
    storage = {"NEUROTRIAGE_STORAGE": str(tmp_path / "file" / "storage")}
    done = run(place, senders="MR1", bind="127.0.0.1", port=0, variables=storage)
    assert done.returncode == 4
    assert "NEUROTRIAGE_STORAGE" in done.stderr


@pytest.mark.parametrize(
    "settings",
    [
        {"ae_title": ""},
        {"ae_title": "MUCH TOO LONG FOR ONE"},
        {"senders": "MR1, BACK\\SLASH"},
        {"networks": "10.0.0.0/99"},
        {"archive_host": "a", "archive_url": "https://b"},
        {"tls_key": "node.key"},
        {"tls_ca": "ca.pem"},
        {"tls_ca": "ca.pem", "archive_host": "a", "archive_tls": True},
        {"archive_ca": "ca.pem"},
        {"archive_ca": "ca.pem", "archive_host": "a"},
        {"archive_ca": "ca.pem", "archive_url": "http://b"},
        {"object_bytes": 10},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValidationError):
        NodeSettings(**settings)


@pytest.mark.parametrize(
    "archive",
    [{"archive_url": "https://pacs/dicom-web"}, {"archive_host": "pacs", "archive_tls": True}],
)
def test_an_archive_may_be_vouched_for_without_tls_of_the_node(archive):
    settings = NodeSettings(archive_ca="hospital-ca.pem", **archive)
    assert settings.archive_ca == Path("hospital-ca.pem")
    assert server_context(settings) is None


def test_lists_are_written_as_people_write_them():
    settings = NodeSettings(senders=" MR1 ,PACS,, ", networks="10.1.2.3/8, 192.168.0.7")
    assert settings.senders == ("MR1", "PACS")
    assert settings.networks == ("10.0.0.0/8", "192.168.0.7/32")
