"""The thread that scores within the application, and what pages learn of it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.errors import WeightsError
from core.jobs import worker as jobs_worker
from core.services import workers
from core.services.readers import sign_in
from core.services.submit import Upload, batch_progress, submit
from core.services.workers import start_embedded_worker, worker_problem
from core.types import StudyDetails
from tests.fakes import FakeEngine, scan_png

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def start(installation, monkeypatch):
    """Starts the embedded worker, and ends it with the test."""
    monkeypatch.setattr(jobs_worker, "_FIRST_PAUSE", 0.05)
    started = []

    def run(engine_loader=FakeEngine):
        started.append(start_embedded_worker(installation, engine_loader))
        return started[-1]

    yield run
    for worker in started:
        worker.stop(10)


@pytest.fixture
def upload(installation):
    """Uploads one scan; gives a function that says how many of it wait, are scored, failed."""
    reader = sign_in(installation, "local:r", "R", False)

    def run(data: bytes | None = None):
        sent = [Upload("scan.png", data or scan_png())]
        batch = submit(installation, reader, sent, StudyDetails()).batch_id

        def standing() -> tuple[int, int, int]:
            found = batch_progress(installation, batch)
            return found.waiting, found.scored, found.failed

        return standing

    return run


def wait_until(true, seconds: float = 15) -> None:
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.02)


def test_what_is_uploaded_is_scored_in_the_background(start, upload):
    start()
    standing = upload()
    wait_until(lambda: standing() == (0, 1, 0))


def test_what_waited_at_the_start_is_scored(start, upload):
    standing = upload()
    start()
    wait_until(lambda: standing() == (0, 1, 0))


def test_a_process_has_one_embedded_worker(start, upload):
    loads = []
    first = start(lambda: loads.append(1) or FakeEngine())
    second = start(lambda: loads.append(1) or FakeEngine())
    assert first is second
    for picture in (scan_png(), scan_png(80, 80)):
        standing = upload(picture)
        wait_until(lambda standing=standing: standing() == (0, 1, 0))
    assert len(loads) == 1


def test_the_engine_is_loaded_when_something_waits_and_in_the_workers_thread(start, upload):
    threads = []
    start(lambda: threads.append(threading.current_thread()) or FakeEngine())
    time.sleep(0.3)
    assert threads == []
    standing = upload()
    wait_until(lambda: standing() == (0, 1, 0))
    assert threads[0] is not threading.current_thread()


def test_a_stopped_worker_can_be_started_again(start, upload):
    start().stop()
    start()
    standing = upload()
    wait_until(lambda: standing() == (0, 1, 0))


def test_without_weights_scans_stay_queued_and_pages_can_say_why(installation, start, upload):
    weights = threading.Event()

    def load():
        if not weights.is_set():
            raise WeightsError("manifest.json is missing. Restore the folder.")
        return FakeEngine()

    start(load)
    standing = upload()
    wait_until(lambda: worker_problem(installation))
    assert "they stay queued. manifest.json is missing." in worker_problem(installation)
    assert standing() == (1, 0, 0)
    weights.set()
    wait_until(lambda: standing() == (0, 1, 0))
    wait_until(lambda: worker_problem(installation) is None)


def test_an_unexpected_error_is_not_shown_in_its_own_words(installation, start, upload, caplog):
    def load():
        raise RuntimeError("segment 0x3f")

    start(load)
    upload()
    wait_until(lambda: worker_problem(installation))
    assert "0x3f" not in worker_problem(installation)
    assert "0x3f" in caplog.text


def test_pages_can_say_that_no_worker_is_there(installation, upload, monkeypatch):
    assert worker_problem(installation) is None
    upload()
    assert worker_problem(installation) is None, "a worker may be about to take it up"
    monkeypatch.setattr(workers, "now", lambda: time.time() + 120)
    assert "python -m core worker" in worker_problem(installation)


def command_line(tmp_path: Path, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "core", "worker", "--processes", "2"],
        cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "NEUROTRIAGE_STORAGE": str(tmp_path / "storage"), **environment},
    )  # fmt: skip


@pytest.mark.slow
def test_the_command_ends_where_there_are_no_weights(tmp_path):
    worker = command_line(tmp_path, NEUROTRIAGE_WEIGHTS=str(tmp_path / "none"))
    _, said = worker.communicate(timeout=120)
    assert worker.returncode == 3
    assert "manifest.json is missing" in said


@pytest.mark.slow
def test_the_command_ends_where_there_is_no_storage(tmp_path):
    worker = command_line(tmp_path, NEUROTRIAGE_DATABASE_URL="mysql://somewhere/else")
    _, said = worker.communicate(timeout=120)
    assert worker.returncode == 4
    assert "Traceback" not in said


@pytest.mark.slow
def test_the_command_runs_with_the_real_engine_until_ctrl_c(tmp_path):
    worker = command_line(tmp_path)
    try:
        said = []
        while sum("is ready" in line for line in said) < 2:
            line = worker.stderr.readline()
            assert line, "".join(said)
            said.append(line)
        os.killpg(worker.pid, signal.SIGINT)
        _, rest = worker.communicate(timeout=120)
    finally:
        worker.kill()
    assert worker.returncode == 0
    assert "Traceback" not in rest
