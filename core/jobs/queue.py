"""The hints that wake workers: "something may be waiting", and nothing else.

A hint may be lost, doubled or late and nothing changes: the database says what is still to do, and
a worker looks there by itself every few seconds. Huey carries the hints, in a file of the storage
folder or on a Redis server.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huey import Huey, RedisHuey, SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer

from core.errors import StoreError

log = logging.getLogger(__name__)

_NAME = "neurotriage"
_FILE = "queue.db"


class Queue:
    """One end of the queue; every process that wakes workers or is one opens its own."""

    def __init__(self, huey: Huey) -> None:
        self.huey = huey
        self._handler: Callable[[], None] | None = None
        # The task has the same name in every process, whether that process can run it or not.
        self._hint = huey.task(name="score_waiting")(self._handle)

    @classmethod
    def open(cls, queue_url: str, storage: Path) -> Queue:
        """Open the queue.

        Args:
            queue_url: ``redis://...``; empty for a file in the storage folder.
            storage: the storage folder.

        Raises:
            StoreError: the address is not one of Redis, the client for Redis is not installed, or
                the file cannot be opened.
        """
        common = {"results": False, "serializer": _HintSerializer()}
        if queue_url:
            return cls(RedisHuey(_NAME, connection_pool=_redis_pool(queue_url), **common))
        try:
            storage.mkdir(parents=True, exist_ok=True)
            # What is lost with a hint is a few seconds: no write has to reach the disk at once.
            return cls(SqliteHuey(_NAME, filename=str(storage / _FILE), fsync=False, **common))
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"The queue in {storage} cannot be opened ({error}). Please check that the folder "
                f"may be written to. If {_FILE} in it is damaged, it may be deleted: no work "
                "is lost with it."
            ) from error

    def wake(self) -> None:
        """Tell a worker that something may be waiting. Never fails: it is a hint.

        Call it after the transaction that made something wait. A hint that nobody has taken yet
        will do for this one too, so hints do not pile up where no worker runs.
        """
        try:
            if not self.huey.pending_count():
                self._hint()
        except Exception as error:  # any failure of the queue, of which each back end has its own
            log.warning("No worker could be woken (%s); the next one looks by itself.", error)

    def register(self, handler: Callable[[], None]) -> None:
        """Say what a hint does in this process. It is called in the worker's thread."""
        self._handler = handler

    def _handle(self) -> None:
        if self._handler is not None:
            self._handler()


def _redis_pool(url: str) -> Any:
    try:
        from redis import ConnectionPool  # optional: requirements-server.txt

        # A server that does not answer must not hold up an upload.
        return ConnectionPool.from_url(url, socket_connect_timeout=2, socket_timeout=5)
    except ImportError as error:
        raise StoreError(
            "NEUROTRIAGE_QUEUE_URL names a Redis server, but the client for Redis is not "
            "installed. Please install requirements-server.txt, or leave the address empty."
        ) from error
    except ValueError:
        # Without the cause: its text may quote a part of the address, which may hold a password.
        raise StoreError(
            "NEUROTRIAGE_QUEUE_URL cannot be read. It is expected to look like "
            "redis://HOST:PORT/NUMBER; leave it empty for a queue in the storage folder."
        ) from None


class _HintSerializer(Serializer):
    """JSON, where Huey has pickle: whoever can write to the queue must not get code to run."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps(data).encode()

    def _deserialize(self, data: bytes) -> Message:
        return Message(*json.loads(bytes(data)))
