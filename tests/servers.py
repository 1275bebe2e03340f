"""PostgreSQL, Redis and Orthanc for tests: Debian's packages, free ports, temporary folders.

They listen to this machine only, keep nothing and end with the block that started them.
"""

import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_SECONDS_TO_START = 30


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL server; gives its address, to which a database's name is to be added.

    It refuses to run as root, so it runs as Debian's user ``postgres`` there.
    """
    pytest.importorskip("psycopg", reason="psycopg is absent: requirements-server.txt")
    programs = _postgresql_programs()
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    who = {"user": user, "group": user, "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="neurotriage-postgresql-"))
    try:
        if who:
            shutil.chown(folder, user, user)
        data, port = folder / "data", free_port()
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8",
             "--locale=C.UTF-8", "--no-sync"],
            cwd="/", check=True, capture_output=True, timeout=120, **who,
        )  # fmt: skip
        command = [programs / "postgres", "-D", data, "-p", port, "-h", "127.0.0.1", "-k", folder,
                   "-c", "fsync=off", "-c", "max_connections=200"]  # fmt: skip
        # SIGINT is its "fast" shutdown: it does not wait for connections that are left open.
        with _running(command, signal.SIGINT, folder / "log", **who) as process:
            address = f"postgresql+psycopg://tests@127.0.0.1:{port}/"
            _wait_for(lambda: _answers(address), process, folder / "log")
            yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_database(server: str) -> str:
    """Make an empty database on a server that ``postgresql`` gave; gives its address."""
    name = f"test_{uuid.uuid4().hex}"
    with _connection(server) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return server + name


@contextmanager
def redis() -> Iterator[str]:
    """A Redis server; gives its address."""
    client = pytest.importorskip("redis", reason="redis is absent: requirements-server.txt")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is absent: apt install redis-server")
    folder = Path(tempfile.mkdtemp(prefix="neurotriage-redis-"))
    try:
        port = free_port()
        command = [program, "--port", port, "--bind", "127.0.0.1", "--dir", folder, "--save", "",
                   "--appendonly", "no"]  # fmt: skip
        with _running(command, signal.SIGTERM, folder / "log") as process:
            address = f"redis://127.0.0.1:{port}/0"

            def answers() -> bool:
                try:
                    with client.Redis.from_url(address) as connection:
                        return connection.ping()
                except client.ConnectionError:
                    return False

            _wait_for(answers, process, folder / "log")
            yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Orthanc:
    """A DICOM archive: its ports, its AE title, and its own interface for the tests."""

    dicom_port: int
    http_port: int
    ae_title: str = "ORTHANC"

    @property
    def dicomweb_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}/dicom-web"

    def ask(self, path: str, data: Any = None, method: str | None = None) -> Any:
        """A request to its REST interface; bytes go as they are, anything else as JSON."""
        body = data if isinstance(data, bytes | None) else json.dumps(data).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}{path}", data=body, method=method
        )
        with urllib.request.urlopen(request, timeout=280) as answer:
            content = answer.read()
        kind = answer.headers.get_content_type()
        return json.loads(content) if kind == "application/json" else content

    def keep(self, file: bytes) -> str:
        """Have it keep a DICOM file; gives its own number of the study."""
        return self.ask("/instances", file)["ParentStudy"]

    def send(self, study: str, ae_title: str, port: int) -> dict[str, Any]:
        """Have it send a study by C-STORE to a node on this machine."""
        node = {"AET": ae_title, "Host": "127.0.0.1", "Port": port}
        self.ask("/modalities/node", node, "PUT")
        order = {"Resources": [study], "Synchronous": True, "Timeout": 60}
        return self.ask("/modalities/node/store", order)

    def instances(self, study: str) -> list[bytes]:
        """The files of a study."""
        found = self.ask(f"/studies/{study}/instances")
        return [self.ask(f"/instances/{instance['ID']}/file") for instance in found]


@contextmanager
def orthanc(dicomweb: bool = False) -> Iterator[Orthanc]:
    """An Orthanc server, with its DICOMweb plug-in where that is asked for."""
    # Debian keeps it where only root looks for programs.
    program = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("Orthanc is absent: apt install orthanc")
    plugin = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
    if dicomweb and not plugin.exists():
        pytest.skip("Orthanc's DICOMweb plug-in is absent: apt install orthanc-dicomweb")
    folder = Path(tempfile.mkdtemp(prefix="neurotriage-orthanc-"))
    try:
        server = Orthanc(free_port(), free_port())
        settings = {
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "HttpPort": server.http_port,
            "DicomPort": server.dicom_port,
            "DicomAet": server.ae_title,
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": True,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "Plugins": [str(plugin)] if dicomweb else [],
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))
        log = folder / "log"
        with _running([program, folder / "orthanc.json"], signal.SIGTERM, log) as process:

            def answers() -> bool:
                try:
                    return bool(server.ask("/system"))
                except (urllib.error.URLError, ConnectionError):
                    return False

            _wait_for(answers, process, log)
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _postgresql_programs() -> Path:
    # Debian keeps them off the PATH, one folder a version.
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    on_path = shutil.which("initdb")
    if on_path and not found:
        found = [Path(on_path)]
    if not found:
        pytest.skip("PostgreSQL is absent: apt install postgresql")
    return found[-1].parent


@contextmanager
def _running(
    command: list[object], end: signal.Signals, log: Path, **who: object
) -> Iterator[subprocess.Popen]:
    with log.open("wb") as out:
        process = subprocess.Popen([*map(str, command)], cwd="/", stdout=out, stderr=out, **who)
    try:
        yield process
    finally:
        process.send_signal(end)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(answers: Callable[[], bool], process: subprocess.Popen, log: Path) -> None:
    give_up = time.monotonic() + _SECONDS_TO_START
    while not answers():
        if process.poll() is not None or time.monotonic() > give_up:
            pytest.fail(f"{process.args[0]} did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.1)


def _answers(server: str) -> bool:
    import psycopg

    try:
        _connection(server).close()
    except psycopg.OperationalError:
        return False
    return True


def _connection(server: str):
    import psycopg

    return psycopg.connect(
        server.replace("+psycopg", "") + "postgres", autocommit=True, connect_timeout=5
    )


def free_port() -> int:
    """A port of this machine that nobody listens to at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
