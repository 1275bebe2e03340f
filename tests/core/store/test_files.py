"""The file store keeps what it was given, or says that it did not."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import StoreError
from core.store.files import FileStore

DATA = b"a picture" * 1000
KEY = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "files"


@pytest.fixture
def store(root):
    return FileStore(root)


def _names(root):
    return [path.name for path in root.rglob("*") if path.is_file()]


def test_what_was_put_comes_back_under_its_content(store, root):
    assert store.put(DATA) == KEY
    assert store.get(KEY) == DATA
    assert (root / KEY[:2] / KEY[2:4] / KEY).read_bytes() == DATA


def test_nothing_at_all_can_be_kept_too(store):
    assert store.get(store.put(b"")) == b""


def test_the_same_bytes_lie_there_once(store, root):
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(store.put, [DATA] * 40)) == {KEY}
    assert _names(root) == [KEY]


def test_another_process_finds_them(store, root):
    store.put(DATA)
    assert FileStore(root).get(KEY) == DATA


def test_what_was_never_put_is_missing(store):
    with pytest.raises(StoreError, match=f"{KEY} is missing"):
        store.get(KEY)


@pytest.mark.parametrize("damage", [b"", DATA[:-1], DATA + b"x"])
def test_a_damaged_file_is_never_handed_out_and_is_repaired_by_the_next_put(store, root, damage):
    store.put(DATA)
    (root / KEY[:2] / KEY[2:4] / KEY).write_bytes(damage)
    with pytest.raises(StoreError, match=f"{KEY}.*damaged"):
        store.get(KEY)
    store.put(DATA)
    assert store.get(KEY) == DATA


@pytest.mark.parametrize(
    "key", ["", "../../../etc/passwd", KEY.upper(), KEY[:-1], f"{KEY}\n", f"/{KEY}", "é" * 64]
)
def test_only_keys_are_keys(store, key):
    with pytest.raises(StoreError, match="no key"):
        store.get(key)


@pytest.mark.parametrize("broken", ["fsync", "fdopen"])
def test_a_full_disk_is_said_and_leaves_nothing_behind(store, root, monkeypatch, broken):
    def fail(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(StoreError, match=r"9000 bytes.*No space left.*try again"):
        store.put(DATA)
    monkeypatch.undo()
    assert _names(root) == []


def test_contents_and_names_are_forced_to_the_disk(store, root, monkeypatch):
    """In this order: the content, the renaming, then the names of all folders."""
    done = []
    sync, replace = os.fsync, type(root).replace

    def noted_sync(handle):
        done.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        sync(handle)

    def noted_replace(path, target):
        done.append("renamed")
        return replace(path, target)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to see what is forced to the disk")
    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(type(root), "replace", noted_replace)
    store.put(DATA)
    folder = root / KEY[:2] / KEY[2:4]
    assert done[0].startswith(f"{folder}/new-")
    assert done[1:] == ["renamed", str(folder), str(folder.parent), str(root)]
