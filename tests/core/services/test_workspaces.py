"""Workspaces of the demonstration: private, few, and gone when their time is over."""

import threading
import time
from contextlib import closing

import pytest

from core.config import DemoRules, Settings
from core.errors import StoreError
from core.services.submit import Upload, submit
from core.services.workers import start_embedded_worker
from core.services.workspaces import WorkspacesFullError
from core.types import StudyDetails
from tests.core.services.demonstrations import Clock, cases, demonstration, upload
from tests.fakes import FakeEngine, scan_png


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def forgotten():
    return []


@pytest.fixture
def workspaces(tmp_path, clock, forgotten):
    with closing(demonstration(tmp_path, clock, lambda: forgotten.append(1))) as made:
        yield made


def test_a_visitor_finds_the_workspace_again_and_nobody_elses(workspaces):
    first, second = workspaces.enter(None), workspaces.enter(None)
    upload(first)
    assert workspaces.enter(first.token) is first
    assert first.token != second.token
    assert len(cases(first)) == 1
    assert cases(second) == ()
    storages = {one.installation.settings.storage for one in (first, second)}
    assert len(storages) == 2
    assert not any(one.token in str(storage) for one in (first, second) for storage in storages)


def test_a_token_that_was_never_given_opens_a_new_workspace(workspaces):
    made = workspaces.enter("0" * 32)
    assert made.token != "0" * 32


def test_uploads_are_scored_in_the_workspace(workspaces):
    own = workspaces.enter(None)
    upload(own)
    until = time.monotonic() + 30
    while not cases(own)[0].scored_count and time.monotonic() < until:
        time.sleep(0.05)
    assert cases(own)[0].scored_count == 1


def test_a_workspace_is_deleted_with_its_files_when_its_time_is_over(workspaces, clock, forgotten):
    own = workspaces.enter(None)
    upload(own)
    worker = start_embedded_worker(own.installation, FakeEngine)
    storage = own.installation.settings.storage
    clock.now += 59 * 60
    assert workspaces.sweep() == 0
    assert workspaces.minutes_left(own) == 1
    assert storage.exists()
    clock.now += 61
    assert workspaces.find(own.token) is None
    assert workspaces.sweep() == 1
    assert not storage.exists()
    assert not worker.alive
    assert forgotten == [1]
    assert workspaces.enter(own.token) is not own


def test_nobody_waits_for_the_deletion_of_another_ones_workspace(workspaces, clock, monkeypatch):
    own = workspaces.enter(None)
    clock.now += 61 * 60
    with monkeypatch.context() as patched:
        patched.setattr("core.services.workspaces._delete", lambda installation: pytest.fail())
        workspaces.enter(None)
    assert own.installation.settings.storage.exists()
    assert workspaces.sweep() == 1
    assert not own.installation.settings.storage.exists()


def test_what_was_under_way_at_the_end_is_refused_and_leaves_nothing(workspaces, clock):
    own = workspaces.enter(None)
    storage = own.installation.settings.storage
    arrived, gone = threading.Event(), threading.Event()

    def slow():
        yield Upload("first.png", scan_png())
        arrived.set()
        gone.wait(30)
        yield Upload("second.png", scan_png(lesion=False))

    told = []

    def send():
        try:
            submit(own.installation, own.reader, slow(), StudyDetails())
        except StoreError as error:
            told.append(str(error))

    sender = threading.Thread(target=send)
    sender.start()
    assert arrived.wait(30)
    clock.now += 61 * 60
    workspaces.sweep()
    gone.set()
    sender.join(30)
    assert [text.split(" and ")[0] for text in told] == ["This workspace has expired"]
    assert not storage.exists()
    for step in (
        lambda: own.installation.files.put(b"late"),
        lambda: own.installation.files.results.put(b"late"),
        lambda: own.installation.files.get("0" * 64),
        lambda: cases(own),
    ):
        with pytest.raises(StoreError, match="This workspace has expired"):
            step()
    assert not storage.exists()


def test_a_folder_that_came_back_is_deleted_by_the_next_sweep(workspaces, clock):
    own = workspaces.enter(None)
    storage = own.installation.settings.storage
    clock.now += 61 * 60
    live = workspaces.enter(None)
    upload(live)
    workspaces.sweep()
    # As a file would that was let in just before the end.
    (storage / "files").mkdir(parents=True)
    (storage / "files" / "late").write_bytes(b"late")
    assert workspaces.sweep() == 0
    assert not storage.exists()
    assert len(cases(live)) == 1


def test_no_more_visitors_than_there_are_places(workspaces, clock):
    upload(workspaces.enter(None))
    clock.now += 100
    kept = workspaces.enter(None)
    with pytest.raises(WorkspacesFullError, match="free in 58 minutes at the latest"):
        workspaces.enter(None)
    assert workspaces.enter(kept.token) is kept
    clock.now += 59 * 60
    assert workspaces.enter(None) is not kept


def test_an_empty_workspace_that_was_left_makes_place_first(workspaces, clock):
    used = workspaces.enter(None)
    upload(used)
    clock.now += 400
    empty = workspaces.enter(None)
    clock.now += 61
    # Without a cookie, as browsers come that refuse them.
    new = workspaces.enter(None)
    assert workspaces.find(empty.token) is None
    assert workspaces.find(used.token) is used
    assert len({used.token, empty.token, new.token}) == 3
    assert workspaces.sweep() == 1
    assert not empty.installation.settings.storage.exists()
    assert len(cases(used)) == 1


def test_of_two_that_were_left_the_one_left_first_makes_place(workspaces, clock):
    first, second = workspaces.enter(None), workspaces.enter(None)
    upload(first)
    upload(second)
    clock.now += 10
    assert workspaces.find(first.token) is first
    clock.now += 301
    workspaces.enter(None)
    assert workspaces.find(second.token) is None
    assert workspaces.find(first.token) is first


def test_whoever_is_there_keeps_the_workspace(workspaces, clock):
    own = [workspaces.enter(None), workspaces.enter(None)]
    for one in own:
        upload(one)
    for _ in range(10):
        clock.now += 290
        assert [workspaces.find(one.token) for one in own] == own
        with pytest.raises(WorkspacesFullError):
            workspaces.enter(None)


def test_the_sweeper_deletes_at_once_what_made_place(workspaces, clock):
    own = workspaces.enter(None)
    sweeper = workspaces.keep_sweeping()
    workspaces.enter(None)
    clock.now += 61
    workspaces.enter(None)
    until = time.monotonic() + 15
    while own.installation.settings.storage.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not own.installation.settings.storage.exists()
    workspaces.close()
    sweeper.join(15)
    assert not sweeper.is_alive()


def test_visitors_who_come_at_the_same_moment_do_not_exceed_the_places(workspaces):
    found = []

    def visit():
        try:
            found.append(workspaces.enter(None).token)
        except WorkspacesFullError:
            found.append(None)

    threads = [threading.Thread(target=visit) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 5
    assert len({token for token in found if token}) == 2


def test_a_restart_leaves_nothing(workspaces):
    own = workspaces.enter(None)
    folder = own.installation.settings.storage.parent
    workspaces.close()
    assert not folder.exists()


@pytest.mark.parametrize(("mode", "active"), [("on", True), ("off", False), ("auto", False)])
def test_the_demonstration_is_on_where_it_is_asked_for(mode, active):
    assert DemoRules(mode=mode).active is active


def test_a_checkout_of_community_cloud_is_a_demonstration(monkeypatch):
    monkeypatch.setattr("core.config.PROJECT_ROOT", type(Settings().storage)("/mount/src/triage"))
    assert DemoRules().active
    assert not DemoRules(mode="off").active
