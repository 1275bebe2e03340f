"""The parent of worker processes, run as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.core.jobs.supervised import FINAL_STATUS

SCRIPT = Path(__file__).with_name("supervised.py")


@pytest.fixture
def start(tmp_path):
    started = []

    def run(processes: int) -> subprocess.Popen:
        command = [sys.executable, str(SCRIPT), str(tmp_path), str(processes)]
        # A group of its own, as in a shell.
        started.append(subprocess.Popen(command, start_new_session=True))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def notes(folder: Path, text: str) -> set[int]:
    return {int(path.name) for path in folder.glob("[0-9]*") if path.read_text() == text}


def wait_for(folder: Path, text: str, count: int) -> set[int]:
    give_up = time.monotonic() + 30
    while len(found := notes(folder, text)) < count:
        assert time.monotonic() < give_up, f"{found} of {count} have {text}"
        time.sleep(0.02)
    return found


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A killed child whose parent has not looked yet is a zombie.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_lets_every_process_end_by_itself(start, tmp_path, number):
    parent = start(3)
    running = wait_for(tmp_path, "started", 3)
    # Ctrl-C in a shell reaches the children, too.
    os.killpg(parent.pid, number) if number == signal.SIGINT else parent.send_signal(number)
    assert parent.wait(15) == 0
    assert notes(tmp_path, "ended") == running


def test_a_process_that_dies_is_replaced(start, tmp_path):
    parent = start(2)
    first = wait_for(tmp_path, "started", 2)
    os.kill(min(first), signal.SIGKILL)
    assert len(wait_for(tmp_path, "started", 3)) == 3
    parent.terminate()
    assert parent.wait(15) == 0


def test_no_process_outlives_a_parent_that_is_killed(start, tmp_path):
    parent = start(2)
    running = wait_for(tmp_path, "started", 2)
    parent.kill()
    assert wait_for(tmp_path, "ended", 2) == running


def test_a_process_that_says_so_is_not_started_again(start, tmp_path):
    (tmp_path / "useless").touch()
    assert start(2).wait(15) == FINAL_STATUS
    assert not notes(tmp_path, "started")


def test_a_second_signal_kills_what_does_not_end(start, tmp_path):
    parent = start(1)
    (running,) = wait_for(tmp_path, "started", 1)
    os.kill(running, signal.SIGSTOP)
    parent.terminate()
    time.sleep(1)
    assert parent.poll() is None
    parent.terminate()
    assert parent.wait(15) == 0
    assert gone(running)
