"""The bound on uploaded files finds its place in Streamlit, and says where it does not."""

from types import SimpleNamespace

import pytest
from starlette.exceptions import HTTPException
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from core.config import DemoRules, Settings
from pages.components import held_files

MEGABYTE = 1_000_000


@pytest.fixture
def bounded(monkeypatch):
    """Bound a file manager as a page does that runs with it."""
    demo = DemoRules(mode="on", held_megabytes=4, held_megabytes_of_all=12, workspaces=3)
    monkeypatch.setattr(held_files.config, "settings", lambda: Settings(_env_file=None, demo=demo))

    def bound(manager):
        context = SimpleNamespace(session_id="me", uploaded_file_mgr=manager)
        monkeypatch.setattr(held_files, "get_script_run_ctx", lambda: context)
        for _ in range(2):
            held_files.bound_held_files()
        return manager

    return bound


def add(manager, session, name, megabytes=1.0):
    """Whether a file was taken, as the server adds it."""
    data = bytes(int(megabytes * MEGABYTE))
    try:
        manager.add_file(session_id=session, file=UploadedFileRec(name, name, "", data))
    except HTTPException as refused:
        assert refused.status_code == 413
        return False
    return True


def test_every_visitor_has_a_share_that_others_cannot_take(bounded):
    manager = bounded(MemoryUploadedFileManager("/upload"))
    # Of 12 MB half is for all: 2 for each of the three, the other 6 for who comes first.
    taken = [add(manager, "greedy", str(n)) for n in range(6)]
    taken += [add(manager, "also", str(n)) for n in range(6)]
    assert taken == ([True] * 4 + [False] * 2) * 2
    assert [add(manager, "late", str(n)) for n in range(5)] == [True] * 4 + [False]
    for n in range(100):
        # Sessions are no places: whoever opens many pages finds an end too.
        add(manager, f"many-{n}", "one", 2)
    held = sum(len(one.data) for files in manager.file_storage.values() for one in files.values())
    assert held <= 12 * MEGABYTE


def test_what_is_removed_makes_room_and_is_said_no_more(bounded):
    manager = bounded(MemoryUploadedFileManager("/upload"))
    bounds = manager.add_file.__self__
    assert add(manager, "me", "large", 4)
    assert not add(manager, "me", "small")
    assert bounds.refused("me")[0] == ["small"]
    manager.remove_file("me", "large")
    assert add(manager, "me", "small")
    assert bounds.refused("me") is None
    assert not add(manager, "me", "other", 4)
    held_files.forget_refused()
    assert bounds.refused("me") is None


def test_another_way_to_keep_files_is_left_alone_and_logged(bounded, caplog):
    class Elsewhere:
        def add_file(self, session_id, file):
            pass

    held_files._say_unknown.clear()
    manager = bounded(Elsewhere())
    assert add(manager, "me", "large", 20)
    assert [one.message for one in caplog.records if one.name == held_files.__name__] == [
        held_files._UNKNOWN
    ]
