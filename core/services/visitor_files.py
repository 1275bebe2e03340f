"""The files of one visitor of the demonstration: no more of them than there is room for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

from core.errors import InputError
from core.store.files import FileStore

__all__ = ["Room", "VisitorFiles"]


class Room:
    """How much a visitor may store. Threads may share it.

    Args:
        storage: the visitor's folder. The databases that lie in it count as well.
        most: bytes.
        full: says, in words for the visitor, that there is no more room.
    """

    def __init__(self, storage: Path, most: int, full: Callable[[], str]) -> None:
        self._storage = storage
        self._most = most
        self._full = full
        self._lock = threading.Lock()
        self._files = 0

    @property
    def used(self) -> bool:
        """Whether a file was ever kept."""
        return self._files > 0

    @property
    def held(self) -> int:
        """Bytes that are stored."""
        return self._files + self._databases()

    def check(self, size: int = 1) -> None:
        """See whether so many bytes more may be stored.

        Raises:
            InputError: they may not; the text is the visitor's.
        """
        if self.held + size > self._most:
            raise InputError(self._full())

    def take(self, size: int, *, bounded: bool) -> None:
        """Count a file that is about to be written.

        Args:
            size: in bytes.
            bounded: whether it has to fit.

        Raises:
            InputError: it does not fit. It is not counted.
        """
        # Files of several tabs may come at once: together they must fit.
        with self._lock:
            if bounded:
                self.check(size)
            self._files += size

    def _databases(self) -> int:
        size = 0
        for path in self._storage.glob("*.db*"):
            # SQLite's logs come and go.
            with contextlib.suppress(FileNotFoundError):
                size += path.stat().st_size
        return size


class VisitorFiles(FileStore):
    """A file store that takes what fits.

    Attributes:
        results: the same folder for the model's results, which are not refused: what was received
            is scored to its end.
    """

    def __init__(self, root: Path, room: Room) -> None:
        super().__init__(root)
        self._room = room
        self.results: FileStore = _Results(root, room)

    def close(self, why: str) -> None:
        """Keep and give nothing from now on, results neither."""
        super().close(why)
        self.results.close(why)

    def _admit(self, size: int) -> None:
        self._room.take(size, bounded=True)


class _Results(FileStore):
    def __init__(self, root: Path, room: Room) -> None:
        super().__init__(root)
        self._room = room

    def _admit(self, size: int) -> None:
        self._room.take(size, bounded=False)
