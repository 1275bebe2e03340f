"""kill -9 at random points under load, 20 times: every scan ends scored exactly once."""

import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from core.services.installation import Installation
from core.services.readers import sign_in
from core.services.submit import Upload, submit
from core.store.tables import BatchItemRow, ImageRow
from core.types import StudyDetails
from tests.core.kill.load import (
    check_everything,
    picture,
    upload,
    wait_for_room,
    wait_for_the_end,
)
from tests.installations import make_installation

FOLDER = Path(__file__).parent
KILLS = 20
# Short, so that what a killed worker held is taken up again within the test.
LEASE_SECONDS = 1.5
# How often a scan is tried would limit how often its workers may be killed here.
ATTEMPTS = 1000

# A minute on a machine that has nothing else to do.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def chance() -> random.Random:
    """What decides who is killed when; KILL_SEED repeats its choices."""
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().getrandbits(32))
    print(f"KILL_SEED={seed}")  # shown where the test fails
    return random.Random(seed)


@pytest.fixture
def place(back_end: dict[str, str], tmp_path: Path) -> Iterator[Installation]:
    """The installation that is worked on."""
    installation = make_installation(
        tmp_path, **back_end, lease_seconds=LEASE_SECONDS, scoring_attempts=ATTEMPTS
    )
    yield installation
    installation.database.close()


@pytest.fixture
def start(place: Installation, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts programs of this folder on that installation, and ends them with the test."""
    settings = place.settings
    environment = {
        **os.environ,
        "NEUROTRIAGE_STORAGE": str(settings.storage),
        "NEUROTRIAGE_DATABASE_URL": settings.database_url.get_secret_value(),
        "NEUROTRIAGE_QUEUE_URL": settings.queue_url.get_secret_value(),
        "NEUROTRIAGE_LEASE_SECONDS": str(LEASE_SECONDS),
        "NEUROTRIAGE_SCORING_ATTEMPTS": str(ATTEMPTS),
    }
    started: list[subprocess.Popen] = []
    log = tmp_path / "log"

    def run(script: str, *arguments: str, **options: object) -> subprocess.Popen:
        with log.open("ab") as err:
            process = subprocess.Popen(
                [sys.executable, str(FOLDER / script), *arguments],
                env=environment, stderr=err, start_new_session=True, **options,
            )  # fmt: skip
        started.append(process)
        return process

    yield run
    for process in started:
        kill_group(process)
    print(log.read_text(errors="replace")[-10_000:])


def kill_group(process: subprocess.Popen) -> None:
    """kill -9 for a process and those that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def test_killed_workers_lose_nothing_and_score_nothing_twice(place, start, chance):
    stop = threading.Event()
    uploader = threading.Thread(target=keep_uploading, args=(place, stop))
    uploader.start()
    parents = [start("worker_process.py", "--processes", "2") for _ in range(2)]
    killed: set[int] = set()
    try:
        for _ in range(KILLS):
            worker = working_process(place, parents, killed)
            killed.add(worker)
            time.sleep(chance.uniform(0, 0.2))
            if chance.random() < 0.8:
                kill(worker)
                continue
            index = next(i for i, parent in enumerate(parents) if belongs(worker, parent))
            kill_group(parents[index])
            parents[index] = start("worker_process.py", "--processes", "2")
    finally:
        stop.set()
        uploader.join()
    wait_for_the_end(place)
    for parent in parents:
        parent.terminate()
    assert [parent.wait(30) for parent in parents] == [0, 0]
    check_everything(place)


def keep_uploading(place: Installation, stop: threading.Event) -> None:
    reader = sign_in(place, "local:uploader", "Uploader", False)
    earlier = picture()
    for number in range(1_000_000):
        if stop.is_set():
            return
        wait_for_room(place)
        uploads = [*upload(number, "uploader"), Upload("known.png", earlier)]
        submit(place, reader, uploads, StudyDetails(patient_reference=f"P-{number % 7}"))


def working_process(place: Installation, parents: list[subprocess.Popen], killed: set[int]) -> int:
    """A process that holds images now; a killed one still does until its lease is over."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        with place.database.reading() as session:
            owners = session.scalars(
                select(ImageRow.lease_owner).where(
                    ImageRow.state == "queued",
                    ImageRow.lease_owner.is_not(None),
                    ImageRow.lease_until > time.time(),
                )
            )
            found = {int(owner.split(":")[1]) for owner in owners}
        found -= killed
        if alive := [pid for pid in found if any(belongs(pid, parent) for parent in parents)]:
            return random.choice(alive)
        time.sleep(0.01)
    pytest.fail("No worker has taken up anything for 60 s")


def belongs(pid: int, parent: subprocess.Popen) -> bool:
    try:
        return os.getpgid(pid) == parent.pid
    except ProcessLookupError:
        return False


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pytest.fail(f"Worker {pid} ended by itself")


class App:
    """An application process, and what it has confirmed."""

    def __init__(self, start: Callable[..., subprocess.Popen], mode: str) -> None:
        self.process = start("app_process.py", mode, stdout=subprocess.PIPE, text=True)
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            if line.endswith("\n"):
                self.lines.put(line.strip())

    def wait_until_ready(self) -> None:
        assert self.lines.get(timeout=60) == "ready"

    def kill(self) -> list[str]:
        """Kill it; gives number and files of the uploads that it had received."""
        assert self.process.poll() is None, "The application ended by itself"
        kill_group(self.process)
        self.reader.join()
        return [self.lines.get() for _ in range(self.lines.qsize())]


def test_killed_applications_lose_nothing_that_was_received(place, start, chance):
    apps = [App(start, "upload") for _ in range(3)]
    confirmed = []
    for count in range(KILLS):
        app = apps.pop(0)
        app.wait_until_ready()
        time.sleep(chance.uniform(0, 1))
        confirmed += app.kill()
        apps.append(App(start, "upload" if count < KILLS - 3 else "wait"))
    wait_for_the_end(place)
    for app in apps:
        app.wait_until_ready()
        app.kill()
    assert confirmed
    with place.database.reading() as session:
        items = session.execute(select(BatchItemRow.batch_id, BatchItemRow.scan_id)).all()
    scans = Counter(batch_id for batch_id, scan_id in items if scan_id is not None)
    for line in confirmed:
        batch_id, files = map(int, line.split())
        assert scans[batch_id] == files
    check_everything(place)
