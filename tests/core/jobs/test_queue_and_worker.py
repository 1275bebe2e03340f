"""Hints, and the thread that works whether they come or not."""

import json
import logging
import os
import pickle
import signal
import threading
import time

import pytest

from core.errors import StoreError
from core.jobs import worker as worker_module
from core.jobs.queue import Queue
from core.jobs.worker import Worker


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.server)])
def open_queue(request, tmp_path):
    """Opens one more end of one queue."""
    url = request.getfixturevalue("redis_server") if request.param == "redis" else ""
    Queue.open(url, tmp_path).huey.flush()
    return lambda: Queue.open(url, tmp_path)


@pytest.fixture
def work(open_queue, monkeypatch):
    """Starts workers, and ends them with the test."""
    monkeypatch.setattr(worker_module, "_FIRST_PAUSE", 0.05)
    started = []

    def start(handler) -> Worker:
        worker = Worker(open_queue(), handler)
        started.append(worker)
        worker.start()
        return worker

    yield start
    for worker in started:
        worker.stop(10)


def wait_until(true, seconds: float = 10) -> None:
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.01)


def test_a_hint_wakes_a_worker_long_before_it_would_look_by_itself(work, open_queue, monkeypatch):
    monkeypatch.setattr(worker_module, "_FIRST_PAUSE", 3600)
    monkeypatch.setattr(worker_module, "_LONGEST_PAUSE", 3600)
    looked = []
    work(lambda stop: looked.append(1) or False)
    wait_until(lambda: looked)
    time.sleep(0.3)
    assert len(looked) == 1
    open_queue().wake()
    wait_until(lambda: len(looked) == 2)


def test_a_worker_looks_by_itself_without_any_hint(work):
    looked = []
    work(lambda stop: looked.append(1) or True)
    wait_until(lambda: len(looked) >= 3)


def test_hints_that_nobody_takes_do_not_pile_up(open_queue):
    queue = open_queue()
    for _ in range(5):
        queue.wake()
        open_queue().wake()
    assert queue.huey.pending_count() == 1


def test_what_lies_in_the_queue_is_not_run_as_code(work, open_queue, tmp_path):
    trap = tmp_path / "trap"

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(trap),)

    queue, looked = open_queue(), []
    queue.wake()
    name = json.loads(bytes(queue.huey.storage.enqueued_items()[0]))[1]
    queue.huey.storage.flush_queue()
    queue.huey.storage.enqueue(pickle.dumps(("id", name, Trap())))
    work(lambda stop: looked.append(1) or True)
    wait_until(lambda: len(looked) >= 3 and not queue.huey.pending_count())
    assert not trap.exists()


def test_a_worker_starts_in_any_thread_and_leaves_the_signals_alone(work):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    looked, workers = [], []
    thread = threading.Thread(
        target=lambda: workers.append(work(lambda stop: looked.append(1) or False))
    )
    thread.start()
    thread.join()
    wait_until(lambda: looked)
    assert workers[0].alive
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_worker_survives_errors_and_says_what_hinders_it(work, caplog):
    errors = [StoreError("The disk is full."), StoreError("The disk is full."), KeyError("x")]
    seen, looked = [], []

    def handler(stop):
        looked.append(1)
        if errors:
            raise errors.pop(0)
        return True

    worker = work(handler)
    wait_until(lambda: worker.problem is not None)
    seen.append(str(worker.problem))
    wait_until(lambda: len(looked) >= 4 and worker.problem is None, 20)
    assert seen == ["The disk is full."]
    assert worker.alive
    own = [record for record in caplog.records if record.name == worker_module.__name__]
    assert ["The disk is full." in record.getMessage() for record in own] == [True, False]
    assert [bool(record.exc_info) for record in own] == [False, True]


def test_stopping_waits_for_the_work_in_hand(work):
    at_work, ended = threading.Event(), []

    def handler(stop):
        at_work.set()
        assert stop.wait(10)
        time.sleep(0.2)
        ended.append(1)
        return True

    worker = work(handler)
    assert at_work.wait(10)
    worker.stop()
    assert ended
    assert not worker.alive


def test_an_idle_worker_stops_within_two_seconds(work):
    looked = []
    worker = work(lambda stop: looked.append(1) or False)
    wait_until(lambda: looked)
    started = time.monotonic()
    worker.stop()
    assert time.monotonic() - started < 2


def test_a_queue_that_is_away_does_not_hinder_whoever_wakes(tmp_path, caplog):
    pytest.importorskip("redis")
    queue = Queue.open("redis://127.0.0.1:1/0", tmp_path)
    with caplog.at_level(logging.WARNING):
        queue.wake()
    assert "the next one looks by itself" in caplog.text


def test_a_worker_goes_on_while_the_queue_is_away(tmp_path):
    pytest.importorskip("redis")
    looked = []
    worker = Worker(
        Queue.open("redis://127.0.0.1:1/0", tmp_path), lambda stop: looked.append(1) or True
    )
    worker.start()
    wait_until(lambda: len(looked) >= 2)
    worker.stop(10)


@pytest.mark.parametrize("url", ["http://:secret@host", "redis://:secret/x@host:1/0"])
def test_an_address_that_is_none_is_refused_without_repeating_the_password(url, tmp_path):
    pytest.importorskip("redis")
    with pytest.raises(StoreError, match="redis://HOST:PORT/NUMBER") as refused:
        Queue.open(url, tmp_path)
    assert "secret" not in str(refused.value)


def test_a_queue_that_cannot_be_opened_says_where(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="file"):
        Queue.open("", tmp_path / "file")
