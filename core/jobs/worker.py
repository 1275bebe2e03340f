"""A worker: one thread that works when a hint wakes it and looks for work by itself otherwise."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from huey.consumer import Consumer
from huey.consumer import Worker as HueyWorker

from core.errors import NeuroTriageError
from core.jobs.queue import Queue

log = logging.getLogger(__name__)

# Pauses between two looks of a worker that nothing wakes, in seconds: they double while there is
# nothing to do, and more slowly still while something is wrong, such as a database that is away.
_FIRST_PAUSE, _LONGEST_PAUSE, _LONGEST_PAUSE_IN_TROUBLE = 0.5, 5.0, 60.0
# How long a hint in the storage folder may lie there before an idle worker sees it, in seconds.
_HINT_SECONDS = 0.5


class Worker:
    """Runs a handler in a thread of its own, until it is stopped.

    The handler takes the event that says "stop", works until nothing waits or the event is set, and
    returns whether it found anything. It may raise: the worker logs that, waits and tries again.
    """

    def __init__(self, queue: Queue, handler: Callable[[threading.Event], bool]) -> None:
        self.problem: Exception | None = None
        self._handler = handler
        self._pause = _FIRST_PAUSE
        self._next_look = 0.0
        self._consumer = _Consumer(
            queue.huey, self, periodic=False, max_delay=_HINT_SECONDS, scheduler_interval=60
        )
        self._stop: threading.Event = self._consumer.stop_flag
        queue.register(self._work)

    def start(self) -> None:
        """Start the thread, which ends with the process at the latest."""
        self._consumer.start()

    def stop(self, timeout: float | None = None) -> None:
        """Have the thread finish what it is at, and wait for that.

        Args:
            timeout: longest wait in seconds; None for as long as it takes.
        """
        self._stop.set()
        self._thread.join(timeout)

    @property
    def alive(self) -> bool:
        """Whether the thread runs and has not been told to stop."""
        return self._thread.is_alive() and not self._stop.is_set()

    @property
    def _thread(self) -> threading.Thread:
        return self._consumer.worker_threads[0][1]

    def look(self) -> None:
        """Work without a hint, where the last look is long enough ago."""
        if time.monotonic() >= self._next_look and not self._stop.is_set():
            self._work()

    def _work(self) -> None:
        try:
            found = self._handler(self._stop)
        except Exception as error:  # a thread that dies would take the whole scoring with it
            self._report(error)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE_IN_TROUBLE)
        else:
            self.problem = None
            self._pause = _FIRST_PAUSE if found else min(self._pause * 2, _LONGEST_PAUSE)
        self._next_look = time.monotonic() + self._pause

    def _report(self, error: Exception) -> None:
        """Log a failure: our own errors once and in their words, others with the stack trace."""
        if not isinstance(error, NeuroTriageError):
            log.error("The worker failed and will try again.", exc_info=error)
        elif str(error) != str(self.problem):
            log.error("The worker cannot work and will try again: %s", error)
        self.problem = error


class _HintedWorker(HueyWorker):
    """Huey's worker, which also looks for work by itself."""

    def __init__(self, owner: Worker, **options: object) -> None:
        super().__init__(**options)
        self._owner = owner

    def loop(self, now: object = None) -> None:
        super().loop(now)
        self._owner.look()


class _Consumer(Consumer):
    """Huey's consumer in any thread: it leaves the process's signals alone."""

    def __init__(self, huey: object, owner: Worker, **options: object) -> None:
        self._owner = owner
        super().__init__(huey, workers=1, **options)

    def _create_worker(self) -> HueyWorker:
        return _HintedWorker(
            self._owner,
            huey=self.huey,
            stop_flag=self.stop_flag,
            default_delay=self.default_delay,
            max_delay=self.max_delay,
            backoff=self.backoff,
        )

    def _set_signal_handlers(self) -> None:
        """A signal handler can be set in the main thread only, and a page's thread is not that."""
