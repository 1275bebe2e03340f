"""Worker processes and the parent that watches over them."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import FrameType

log = logging.getLogger(__name__)

_FIRST_DELAY, _LONGEST_DELAY = 1.0, 60.0
# A process that ran so long was not hindered at its start: the next delay is the first one again.
_SETTLED_SECONDS = 30.0
_LOOK_SECONDS = 0.5


@dataclass
class _Child:
    process: BaseProcess | None = None
    started_at: float = 0.0
    delay: float = _FIRST_DELAY
    start_at: float = 0.0


def supervise(
    target: Callable[..., None], argument: object, processes: int, final_status: int
) -> int:
    """Keep processes running until this one is told to stop by SIGTERM or SIGINT.

    Each is started afresh, not forked: neither database connections nor the threads of the networks
    survive a fork. One that ends by itself is started again, later each time. The first signal lets
    them finish what they are at; a second one kills them.

    Args:
        target: a function at the top of a module; called with ``argument`` in each process.
        argument: goes to each process and must be picklable.
        processes: how many.
        final_status: exit status by which a process says that starting it again is useless.

    Returns:
        0 after a signal; ``final_status`` where a process ended with that.
    """
    context = multiprocessing.get_context("spawn")
    signals: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        signals.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    children = [_Child() for _ in range(processes)]
    try:
        while not signals:
            for child in children:
                if child.process is None and time.monotonic() >= child.start_at:
                    child.process = context.Process(target=target, args=(argument,))
                    _start(child.process)
                    child.started_at = time.monotonic()
            # Short, because a signal does not end the wait.
            wait([c.process.sentinel for c in children if c.process], timeout=_LOOK_SECONDS)
            for child in children:
                if child.process is not None and not child.process.is_alive():
                    if child.process.exitcode == final_status:
                        return final_status
                    _note_death(child)
        return 0
    finally:
        _end([c.process for c in children if c.process], signals)
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(process: BaseProcess) -> None:
    # Ctrl-C reaches the whole group but is the parent's to handle; what is ignored is inherited.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, handler)


def _note_death(child: _Child) -> None:
    lived = time.monotonic() - child.started_at
    child.delay = _FIRST_DELAY if lived >= _SETTLED_SECONDS else child.delay
    log.error(
        "Worker process %s ended by itself (status %s) after %.0f s; another one starts in %.0f s.",
        child.process.pid, child.process.exitcode, lived, child.delay,
    )  # fmt: skip
    child.process.close()
    child.process = None
    child.start_at = time.monotonic() + child.delay
    child.delay = min(child.delay * 2, _LONGEST_DELAY)


def _end(processes: list[BaseProcess], signals: list[int]) -> None:
    heard = len(signals)
    for process in processes:
        process.terminate()
    while alive := [process for process in processes if process.is_alive()]:
        if len(signals) > heard:
            for process in alive:
                process.kill()
        wait([process.sentinel for process in alive], timeout=_LOOK_SECONDS)


def wait_for_end() -> None:
    """Block a process that ``supervise`` started until it is to end.

    That is when the parent says SIGTERM, and when the parent is gone, so that none is left behind.
    """
    signals: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: signals.append(number))
    parent = multiprocessing.parent_process()
    while not signals and not wait([parent.sentinel], timeout=_LOOK_SECONDS):
        pass
