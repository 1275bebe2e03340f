"""``python -m core dicom-node`` and a worker with the fake engine, as processes of a test."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.services.installation import Installation

ROOT = Path(__file__).resolve().parents[3]
_SECONDS_TO_START = 60


class NodeProgram:
    """The program, listening."""

    def __init__(self, process: subprocess.Popen, log: Path) -> None:
        self.process = process
        self._log = log
        self._from = log.stat().st_size if log.exists() else 0
        self.port = self._wait_until_it_listens()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")[self._from :]

    def _wait_until_it_listens(self) -> int:
        give_up = time.monotonic() + _SECONDS_TO_START
        while not (found := re.search(r"listens at [^ ]*:(\d+)", self.log)):
            assert self.process.poll() is None, self.log
            assert time.monotonic() < give_up, self.log
            time.sleep(0.05)
        return int(found[1])

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; gives the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def node_program(
    installation: Installation, log: Path, **settings: object
) -> Iterator[NodeProgram]:
    """Run the command on an installation; ends with the block."""
    given = {"senders": "MR1,ORTHANC", "bind": "127.0.0.1", "port": 0, **settings}
    command = [sys.executable, "-m", "core", "dicom-node"]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(installation, **given), stdout=out, stderr=out
        )
    try:
        yield NodeProgram(process, log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def environment(installation: Installation, **node: object) -> dict[str, str]:
    """The variables that give a program this installation and the node these settings."""
    found = installation.settings
    return {
        **{name: value for name, value in os.environ.items() if "NEUROTRIAGE" not in name},
        "NEUROTRIAGE_STORAGE": str(found.storage),
        "NEUROTRIAGE_DATABASE_URL": found.database_url.get_secret_value(),
        "NEUROTRIAGE_QUEUE_URL": found.queue_url.get_secret_value(),
        **{f"NEUROTRIAGE_NODE__{name.upper()}": str(value) for name, value in node.items()},
    }
