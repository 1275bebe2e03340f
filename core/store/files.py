"""The file store: pictures, masks and heat maps, each under the sha256 of its content.

A file is never changed and never appears half-written: it is written beside the others, forced to
the disk and renamed. Whoever holds a key can rely on the file being there after a power cut too.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from pathlib import Path

from core.errors import StoreError

_KEY = re.compile(r"[0-9a-f]{64}")


class FileStore:
    """A folder of files by content. Threads and processes may share one."""

    def __init__(self, root: Path) -> None:
        """Use a folder, which is made where it does not exist.

        Raises:
            StoreError: the folder cannot be made.
        """
        self._root = root
        self._closed: str | None = None
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The folder {root} cannot be made ({error.strerror}). Check NEUROTRIAGE_STORAGE."
            ) from error

    def put(self, data: bytes) -> str:
        """Keep bytes, and return their key: the sha256, in 64 hexadecimal digits.

        The same bytes again are read but not written, and give the same key.

        Raises:
            StoreError: the disk is full or may not be written to, or the store is closed. Nothing
                is kept.
        """
        self._check_open()
        key = hashlib.sha256(data).hexdigest()
        path = self._path(key)
        try:
            # A file that was damaged since is replaced.
            if self._read(path) != data:
                self._admit(len(data))
                write_file(path, data)
            else:
                # Another process may have written it: its name may not have reached the disk yet.
                _sync_folders(path)
        except OSError as error:
            raise StoreError(
                f"A file of {len(data)} bytes could not be kept in {self._root} "
                f"({error.strerror}). Make room on the disk or check who may write there, then "
                "try again."
            ) from error
        return key

    def get(self, key: str) -> bytes:
        """The bytes of a key.

        Raises:
            StoreError: there is no such file, its content does not fit its key any more, or the
                store is closed.
        """
        self._check_open()
        data = self._read(self._path(key))
        if data is None:
            raise StoreError(
                f"The file {key} is missing in {self._root}. Restore it from a backup."
            )
        if hashlib.sha256(data).hexdigest() != key:
            raise StoreError(
                f"The file {key} in {self._root} is damaged. Restore it from a backup."
            )
        return data

    @property
    def root(self) -> Path:
        """The folder."""
        return self._root

    def close(self, why: str) -> None:
        """Keep and give nothing from now on: the folder is about to be deleted.

        Args:
            why: in words for whoever comes too late.
        """
        self._closed = why

    def _admit(self, size: int) -> None:
        """Called before a file that is not there yet is written; raises where it may not be."""

    def _check_open(self) -> None:
        if self._closed is not None:
            raise StoreError(self._closed)

    def _path(self, key: str) -> Path:
        # A key may come from outside, in the address of a picture.
        if not _KEY.fullmatch(key):
            raise StoreError(f"{key[:80]!r} is no key of a file. Expected 64 hexadecimal digits.")
        return self._root / key[:2] / key[2:4] / key

    @staticmethod
    def _read(path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def write_file(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, for good, and readable by its owner alone.

    Args:
        path: in the second of two levels of folders, which are made where they do not exist.
        data: its bytes.

    Raises:
        OSError: the disk is full or may not be written to. Nothing is kept.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix="new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    _sync_folders(path)


def _sync_folders(path: Path) -> None:
    """Force the names on the way to a file to the disk."""
    for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk; elsewhere than on POSIX systems that is not done."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
