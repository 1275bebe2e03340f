"""Workers: a thread of the application, or processes of their own."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable

from core.config import Settings
from core.errors import NeuroTriageError, WeightsError
from core.inference import Engine
from core.jobs.processes import supervise, wait_for_end
from core.jobs.worker import Worker
from core.services.analyse import load_engine
from core.services.installation import Installation, now, open_installation
from core.services.programs import log_to_stderr
from core.services.scoring import score_waiting
from core.store import scoring

__all__ = ["run_worker", "start_embedded_worker", "stop_embedded_worker", "worker_problem"]

log = logging.getLogger(__name__)

# Exit status of a worker process without usable weights: starting it again is useless.
_NO_WEIGHTS = 3
# After so long without any scoring, waiting scans mean that no worker is there.
_IDLE_SECONDS = 90.0
# How long the end of the application waits for the scans in hand.
_PATIENCE_SECONDS = 10.0

_embedded: dict[tuple[str, str], Worker] = {}
_embedded_lock = threading.Lock()


def start_embedded_worker(
    installation: Installation, engine_loader: Callable[[], Engine]
) -> Worker:
    """Start the thread that scores in this process; where it runs already, give that one.

    Args:
        installation: what it works for.
        engine_loader: gives the engine; called in the thread when the first image waits. While
            it raises ``WeightsError`` images stay queued, and ``worker_problem`` says why.
    """
    key = _key(installation)
    with _embedded_lock:
        worker = _embedded.get(key)
        if worker is None or not worker.alive:
            worker = _embedded[key] = _worker(installation, engine_loader)
            worker.start()
            # The leases are given back; the process would end without that, too.
            atexit.register(worker.stop, _PATIENCE_SECONDS)
        return worker


def stop_embedded_worker(installation: Installation) -> None:
    """Stop the thread that scores for an installation, if there is one, and forget it."""
    with _embedded_lock:
        worker = _embedded.pop(_key(installation), None)
    if worker is not None:
        atexit.unregister(worker.stop)
        worker.stop(_PATIENCE_SECONDS)


def worker_problem(installation: Installation) -> str | None:
    """Why nothing is being scored, in words for a page; None where all is well."""
    worker = _embedded.get(_key(installation))
    if worker is not None and worker.problem is not None:
        if isinstance(worker.problem, NeuroTriageError):
            return f"Scans are not being analysed at the moment; they stay queued. {worker.problem}"
        return (
            "Scans are not being analysed at the moment because of an error in the program, which "
            "its log describes. They stay queued, and it is tried again."
        )
    at = now()
    with installation.database.reading() as session:
        idle = scoring.waits_in_vain(session, since=at - _IDLE_SECONDS, now=at)
    if not idle:
        return None
    return (
        "Scans are waiting, but nothing analyses them. Please ask whoever runs this installation "
        "to start a worker: python -m core worker"
    )


def run_worker(installation: Installation, processes: int) -> bool:
    """Score in processes of their own until this one is told to stop by SIGTERM or SIGINT.

    A process that dies is started again.

    Returns:
        True after a signal; False where there are no usable weights, which the log describes.
    """
    log_to_stderr()
    settings = installation.settings
    if settings.threads == 0:
        share = max(1, (os.cpu_count() or 1) // processes)
        settings = settings.model_copy(update={"threads": share})
    return supervise(_work, settings, processes, final_status=_NO_WEIGHTS) != _NO_WEIGHTS


def _work(settings: Settings) -> None:
    """What a worker process does."""
    log_to_stderr()
    try:
        engine = load_engine(settings)
    except WeightsError as error:
        log.error("%s", error)
        sys.exit(_NO_WEIGHTS)
    worker = _worker(open_installation(settings), lambda: engine)
    worker.start()
    log.info("Worker %d is ready (model %s).", os.getpid(), engine.model_version)
    wait_for_end()
    worker.stop()


def _worker(installation: Installation, engine_loader: Callable[[], Engine]) -> Worker:
    engine: Engine | None = None

    def handle(stop: threading.Event) -> bool:
        nonlocal engine
        with installation.database.reading() as session:
            if not scoring.has_claimable(session, now()):
                return False
        if engine is None:
            engine = engine_loader()
        return score_waiting(installation, engine, stop) > 0

    return Worker(installation.queue, handle)


def _key(installation: Installation) -> tuple[str, str]:
    settings = installation.settings
    return str(settings.storage.resolve()), settings.database_url.get_secret_value()
