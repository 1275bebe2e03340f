"""What a killed demonstration leaves is deleted by the next one, and nothing of one that lives."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from core.config import DemoRules, Settings
from core.services import held_folder
from core.services.held_folder import HeldFolder
from core.services.workspaces import Workspaces
from tests.fakes import FakeEngine

ROOT = Path(__file__).resolve().parents[3]
PREFIX = "neurotriage-demo-"
LOCKED = pytest.mark.skipif(held_folder.fcntl is None, reason="Windows has no such locks")
DEMONSTRATION = """
from core.config import Settings
from core.services.submit import Upload, submit
from core.services.workspaces import Workspaces
from core.types import StudyDetails
from tests.fakes import FakeEngine, scan_png
workspaces = Workspaces(Settings(_env_file=None, demo={"mode": "on"}), FakeEngine)
own = workspaces.enter(None)
submit(own.installation, own.reader, [Upload("scan.png", scan_png())], StudyDetails())
print("ready", flush=True)
input()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where folders are made, by this process and by those it starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def workspaces():
    return Workspaces(Settings(_env_file=None, demo=DemoRules(mode="on")), FakeEngine)


def folders(temporary):
    return set(temporary.glob(f"{PREFIX}*"))


def pictures(temporary):
    return [path for path in temporary.rglob("files/**/*") if path.is_file()]


@LOCKED
def test_a_killed_demonstration_leaves_nothing_to_the_next_and_a_living_one_keeps_all(temporary):
    process = subprocess.Popen(
        [sys.executable, "-c", DEMONSTRATION],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "ready\n"
        [its] = folders(temporary)
        stored = pictures(temporary)
        assert stored
        workspaces().close()
        assert pictures(temporary) == stored
    finally:
        process.kill()
        process.communicate()
    assert pictures(temporary) == stored
    following = workspaces()
    assert its not in folders(temporary)
    assert len(folders(temporary)) == 1
    following.close()
    assert not folders(temporary)


@LOCKED
def test_two_of_one_process_keep_each_others_folders(temporary):
    first, second = HeldFolder(PREFIX), HeldFolder(PREFIX)
    (first.path / "one").mkdir()
    third = HeldFolder(PREFIX)
    assert folders(temporary) == {first.path, second.path, third.path}
    assert (first.path / "one").exists()
    for one in (first, second, third):
        one.cleanup()
    assert not folders(temporary)


@LOCKED
@pytest.mark.parametrize("step", ["open", "flock", "rename"])
def test_a_folder_that_is_being_made_is_left_alone(temporary, monkeypatch, step):
    """Another process looks for abandoned folders before and after each step of the making."""
    look, seen = held_folder._delete_abandoned, []
    where = {"open": held_folder.os, "flock": held_folder.fcntl, "rename": Path}[step]
    real = getattr(where, step)

    def watched(*args):
        with monkeypatch.context() as undone:
            undone.setattr(where, step, real)
            look(temporary, PREFIX)
            done = real(*args)
            look(temporary, PREFIX)
        seen.append(len(folders(temporary)))
        return done

    with monkeypatch.context() as patched:
        patched.setattr(where, step, watched)
        patched.setattr(held_folder, "_delete_abandoned", lambda *_: None)
        made = HeldFolder(PREFIX)
    assert seen == [1]
    look(temporary, PREFIX)
    assert made.path.exists()
    made.cleanup()


@LOCKED
def test_what_could_not_be_deleted_is_found_again(temporary, monkeypatch):
    held = HeldFolder(PREFIX)
    (held.path / "one").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(held_folder.shutil, "rmtree", lambda *_, **__: None)
        held.cleanup()
    assert (held.path / "one").exists()
    HeldFolder(PREFIX).cleanup()
    assert not held.path.exists()


@LOCKED
def test_nothing_is_deleted_through_a_link(temporary):
    elsewhere = temporary / "elsewhere"
    (elsewhere / "one").mkdir(parents=True)
    (elsewhere / "lock").touch()
    (temporary / f"{PREFIX}link").symlink_to(elsewhere)
    HeldFolder(PREFIX).cleanup()
    assert (elsewhere / "one").exists()


@pytest.mark.parametrize("lack", ["module", "file system"])
def test_without_locks_a_folder_vanishes_with_its_process_all_the_same(
    temporary, monkeypatch, lack
):
    def refused(*_):
        raise OSError("no locks here")

    if lack == "module":
        monkeypatch.setattr(held_folder, "fcntl", None)
    elif held_folder.fcntl is None:
        pytest.skip("Windows has no such locks")
    else:
        monkeypatch.setattr(held_folder.fcntl, "flock", refused)
    held, other = HeldFolder(PREFIX), HeldFolder(PREFIX)
    assert folders(temporary) == {held.path, other.path}
    (held.path / "one").mkdir()
    held.cleanup()
    assert folders(temporary) == {other.path}
    other.cleanup()
