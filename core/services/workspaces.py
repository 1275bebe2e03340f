"""The demonstration's workspaces: a private installation for every visitor, deleted after a while.

Nothing is shared between two of them but the engine: each has a database, files and a queue of its
own in a folder of its own. So nothing that one visitor uploads can reach another one's pages.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from core.config import DemoUploadLimits, Settings
from core.errors import StoreError
from core.inference import Engine
from core.services.held_folder import HeldFolder
from core.services.installation import Installation, open_installation
from core.services.readers import add_reader
from core.services.visitor_files import Room, VisitorFiles
from core.services.workers import start_embedded_worker, stop_embedded_worker
from core.types import Reader

__all__ = ["Workspace", "Workspaces", "WorkspacesFullError"]

log = logging.getLogger(__name__)

EXPIRED = (
    "This workspace has expired and was deleted with everything in it. Please load the page again: "
    "you get a new, empty one."
)
_VISITOR = "Visitor"
_SWEEP_SECONDS = 20.0
# Who was not seen for so long has left, where others wait for a place. An open page is seen every
# half minute, or every minute where it lies behind others.
_LEFT_SECONDS, _LEFT_EMPTY_SECONDS = 300.0, 60.0
_MEGABYTE = 1_000_000


class WorkspacesFullError(StoreError):
    """Every workspace is taken."""


@dataclass(eq=False)
class Workspace:
    """One visitor's installation.

    Attributes:
        token: what the visitor's browser shows to find it again; nobody else knows it.
        installation: of its own folder; its file store takes what fits.
        reader: the account with which the visitor begins.
        room: what is stored, and how much more may be.
        expires_at: when it is deleted, on the clock of ``Workspaces``.
        seen_at: when the visitor was last there.
        has_samples: whether the sample scans were loaded, which a later workspace then has too.
    """

    token: str
    installation: Installation
    reader: Reader
    room: Room
    expires_at: float
    seen_at: float
    has_samples: bool = False


class Workspaces:
    """All visitors' workspaces of this process. Threads may share it.

    Args:
        settings: of the process; ``settings.demo`` bounds the workspaces.
        engine_loader: gives the engine that all of them share.
        on_delete: called after workspaces were deleted, to forget what was kept of them elsewhere.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        settings: Settings,
        engine_loader: Callable[[], Engine],
        on_delete: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._engine_loader = engine_loader
        self._on_delete = on_delete
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, Workspace] = {}
        # Out of their visitors' reach already; the next sweep deletes them.
        self._over: list[Workspace] = []
        self._sweep_now = threading.Event()
        self._closed = False
        # Elsewhere than the sources, which may be read-only; it vanishes with the process.
        self._folder = HeldFolder("neurotriage-demo-")

    def enter(self, token: str | None) -> Workspace:
        """The workspace with that token; a new one where there is none, or none any more.

        Where all places are taken, the new one takes that of a visitor who has left.

        Raises:
            WorkspacesFullError: every visitor is there; the text says when to come back.
            StoreError: its storage cannot be made.
        """
        with self._lock:
            known = self._find(token)
            if known is not None:
                return known
            self._end_expired()
            if len(self._open) >= self._settings.demo.workspaces:
                self._end_abandoned()
            made = self._make()
            self._open[made.token] = made
            return made

    def find(self, token: str | None) -> Workspace | None:
        """The workspace with that token, whose visitor is there; None where there is none."""
        with self._lock:
            return self._find(token)

    def minutes_left(self, workspace: Workspace) -> int:
        """Whole minutes until a workspace is deleted."""
        return max(0, int((workspace.expires_at - self._clock()) // 60))

    def sweep(self) -> int:
        """Delete the workspaces whose time is over, and what came into their folders afterwards.

        Returns:
            How many there were.
        """
        count = 0
        with self._lock:
            self._end_expired()
        while self._over:
            one = self._over[0]
            try:
                _delete(one.installation)
            finally:
                with self._lock:
                    self._over.remove(one)
            count += 1
        with self._lock:
            live = {one.installation.settings.storage for one in self._open.values()}
            live |= {one.installation.settings.storage for one in self._over}
            # An upload that was under way may have made a folder again.
            made = [path for path in self._folder.path.iterdir() if path.is_dir()]
            stale = [path for path in made if path not in live]
        for path in stale:
            shutil.rmtree(path, ignore_errors=True)
        if count:
            self._on_delete()
            log.info("%d workspaces of the demonstration were deleted.", count)
        return count

    def keep_sweeping(self) -> threading.Thread:
        """Start the thread that deletes workspaces, so that no visitor waits for that."""

        def run() -> None:
            while not self._closed:
                self._sweep_now.wait(_SWEEP_SECONDS)
                self._sweep_now.clear()
                try:
                    if not self._closed:
                        self.sweep()
                except Exception:  # the next round may succeed, and must take place
                    log.exception("Workspaces of the demonstration could not be deleted.")

        thread = threading.Thread(target=run, name="workspaces", daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """Delete all of them."""
        self._closed = True
        self._sweep_now.set()
        with self._lock:
            left = [*self._over, *self._open.values()]
            self._over, self._open = [], {}
        for one in left:
            _delete(one.installation)
        self._folder.cleanup()

    def _find(self, token: str | None) -> Workspace | None:
        known = self._open.get(token or "")
        if known is None or known.expires_at <= self._clock():
            return None
        known.seen_at = self._clock()
        return known

    def _end_expired(self) -> None:
        at = self._clock()
        for one in [one for one in self._open.values() if one.expires_at <= at]:
            self._end(one)

    def _end_abandoned(self) -> None:
        """Make a place for somebody else: the one that the fewest will miss."""
        at = self._clock()
        left = [one for one in self._open.values() if at - one.seen_at >= _patience(one)]
        if left:
            # Those that hold nothing first, and of these whose visitor left first.
            self._end(min(left, key=lambda one: (one.room.used, one.seen_at)))
            return
        first = min(one.expires_at for one in self._open.values())
        minutes = max(1, round((first - at) / 60))
        raise WorkspacesFullError(
            f"All {len(self._open)} places of the demonstration are taken. Please come back in a "
            "few minutes, when somebody may have left; the next one is free in "
            f"{minutes} minute{'s' if minutes > 1 else ''} at the latest."
        )

    def _end(self, one: Workspace) -> None:
        del self._open[one.token]
        self._over.append(one)
        self._sweep_now.set()

    def _make(self) -> Workspace:
        token = secrets.token_hex(16)
        # The folder's name is not the token: names of folders may end in logs.
        folder = Path(tempfile.mkdtemp(dir=self._folder.path))
        settings = _own_settings(self._settings, folder)
        most = settings.demo.stored_megabytes
        at = self._clock()
        expires_at = at + 60 * settings.demo.minutes

        def full() -> str:
            minutes = max(1, int((expires_at - self._clock()) // 60))
            return (
                f"The demonstration keeps {most} MB for each visitor, and that is full. It is "
                f"emptied in {minutes} minute{'s' if minutes > 1 else ''}; an installation of your "
                "own has no such limit."
            )

        room = Room(folder, most * _MEGABYTE, full)
        opened = open_installation(settings)
        files = VisitorFiles(opened.files.root, room)
        start_embedded_worker(replace(opened, files=files.results), self._engine_loader)
        return Workspace(
            token=token,
            installation=replace(opened, files=files),
            reader=add_reader(opened, _VISITOR),
            room=room,
            expires_at=expires_at,
            seen_at=at,
        )


def _patience(one: Workspace) -> float:
    """How long a visitor may be out of sight without losing the place to another one."""
    return _LEFT_SECONDS if one.room.used else _LEFT_EMPTY_SECONDS


def _own_settings(settings: Settings, folder: Path) -> Settings:
    """The process's settings with a storage of its own and the demonstration's limits."""
    demo, upload = settings.demo, settings.upload
    size = demo.megabytes * _MEGABYTE
    return settings.model_copy(
        update={
            "storage": folder,
            "database_url": SecretStr(""),
            "queue_url": SecretStr(""),
            "worker": "embedded",
            "upload": DemoUploadLimits(
                own_bytes=upload.member_bytes,
                **upload.model_dump()
                | {
                    "files": min(upload.files, demo.files),
                    "archive_members": min(upload.archive_members, demo.archive_members),
                    "archive_bytes": min(upload.archive_bytes, size),
                    "member_bytes": min(upload.member_bytes, size),
                    "picture_megapixels": min(upload.picture_megapixels, demo.picture_megapixels),
                    "volume_megapixels": min(upload.volume_megapixels, demo.volume_megapixels),
                },
            ),
        }
    )


def _delete(installation: Installation) -> None:
    try:
        stop_embedded_worker(installation)
    finally:
        # An upload, or a worker that did not end in time, must not make anew what is deleted here.
        installation.files.close(EXPIRED)
        installation.database.close(EXPIRED)
        shutil.rmtree(installation.settings.storage, ignore_errors=True)
