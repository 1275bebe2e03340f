"""PostgreSQL and Redis for tests: from Debian's packages, on free ports, in temporary folders.

They listen to this machine only, keep nothing and end with the block that started them.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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
        data, port = folder / "data", _free_port()
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
        port = _free_port()
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
