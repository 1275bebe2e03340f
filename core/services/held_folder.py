"""A temporary folder whose content does not outlive its process for long, however that ends."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
import weakref
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["HeldFolder"]

log = logging.getLogger(__name__)

_LOCK, _NEW_LOCK = "lock", "new-lock"


class HeldFolder:
    """A temporary folder: deleted with its process, or when the next one is made after a kill.

    Its process holds the lock of a file in it, which the operating system gives back however the
    process ends. So a folder whose lock can be taken is nobody's any more. Where there are no such
    locks (Windows), what a killed process leaves stays.

    Args:
        prefix: of the folder's name; by it the folders of killed processes are found.

    Attributes:
        path: of the folder. Put folders into it, not files.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, prefix: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        self._end = weakref.finalize(self, _give_up, self.path, _hold(self.path))
        if fcntl is not None:
            _delete_abandoned(self.path.parent, prefix)

    def cleanup(self) -> None:
        """Delete it."""
        self._end()


def _hold(folder: Path) -> int | None:
    """Take the folder's lock.

    Returns:
        The file that holds it; None where there are no locks: then nobody takes it for abandoned.
    """
    if fcntl is None:
        return None
    # It gets its name once it is held: a lock that nobody holds is never seen in a folder in use.
    new = folder / _NEW_LOCK
    handle = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        # Of the open file and not of the process, as lockf has it: so it holds within one, too.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.rename(folder / _LOCK)
    except OSError as error:
        log.warning("The file system of %s has no locks: %s", folder, error)
        os.close(handle)
        new.unlink(missing_ok=True)
        return None
    return handle


def _give_up(folder: Path, handle: int | None) -> None:
    _delete(folder)
    if handle is not None:
        os.close(handle)


def _delete_abandoned(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*"):
        try:
            if not _is_own(folder):
                continue
            # Without one it is just being made.
            handle = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass  # its process lives
        else:
            log.info("%s was left by a process that was killed; it is deleted.", folder)
            _delete(folder)
        finally:
            os.close(handle)


def _is_own(folder: Path) -> bool:
    """Whether it is a folder of this user: others may write where temporary folders are, too."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _delete(folder: Path) -> None:
    for path in _content(folder):
        shutil.rmtree(path, ignore_errors=True)
    # The lock last: by it the next process finds what could not be deleted, or came meanwhile.
    if not _content(folder):
        shutil.rmtree(folder, ignore_errors=True)


def _content(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.name != _LOCK]
    except FileNotFoundError:
        return []
