"""How much each visitor of the demonstration may send and keep."""

import io
import threading
import time
import zipfile
from contextlib import closing

import cv2
import numpy as np
import pytest

from core.config import DemoRules, Settings, UploadLimits
from core.errors import InputError
from core.services.arrivals import arrivals
from core.services.submit import Upload, batch_items, submit
from core.services.workspaces import _own_settings
from core.types import StudyDetails
from tests.core.services.demonstrations import Clock, cases, demonstration, upload
from tests.fakes import FakeEngine, scan_png


@pytest.fixture
def workspaces(tmp_path):
    with closing(demonstration(tmp_path, Clock())) as made:
        yield made


def noise(number, side=900):
    """A picture of some 2.4 MB that does not compress."""
    pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def fill(workspace, but):
    """Leave so many bytes of room."""
    held = workspace.room.held
    workspace.installation.files.put(bytes(20_000_000 - held - but))


def test_a_full_workspace_takes_no_more(workspaces):
    own = workspaces.enter(None)
    own.room.check()
    fill(own, but=0)
    for more in (own.room.check, lambda: own.installation.files.put(b"more")):
        with pytest.raises(InputError, match="keeps 20 MB for each visitor, and that is full"):
            more()


def test_each_file_of_an_upload_must_fit(workspaces):
    own = workspaces.enter(None)
    upload(own, noise(0))
    fill(own, but=4_000_000)
    files = [noise(0), noise(1), noise(2), scan_png()]
    batch = submit(
        own.installation,
        own.reader,
        [Upload(f"{number}.png", data) for number, data in enumerate(files)],
        StudyDetails(),
    )
    items = batch_items(own.installation, own.reader, batch.batch_id)
    assert [one.outcome.value for one in items] == ["linked", "received", "rejected", "received"]
    assert items[2].reason.startswith("The demonstration keeps 20 MB for each visitor")
    assert own.room.held < 21_000_000


def test_uploads_of_several_tabs_fit_together(workspaces):
    own = workspaces.enter(None)
    fill(own, but=6_500_000)
    outcomes = []

    def tab(number):
        outcomes.append(upload(own, noise(number)).received)

    threads = [threading.Thread(target=tab, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= sum(outcomes) <= 2


def test_what_was_received_is_scored_although_there_is_no_more_room(workspaces, monkeypatch):
    full, analyse = threading.Event(), FakeEngine.analyse

    def once_it_is_full(*given, **options):
        assert full.wait(30)
        return analyse(*given, **options)

    monkeypatch.setattr(FakeEngine, "analyse", once_it_is_full)
    own = workspaces.enter(None)
    upload(own)
    # More than there is room for: the worker writes to the database meanwhile.
    own.installation.files.results.put(bytes(20_000_000))
    full.set()
    until = time.monotonic() + 30
    while not cases(own)[0].scored_count and time.monotonic() < until:
        time.sleep(0.05)
    assert (cases(own)[0].scored_count, cases(own)[0].failed_count) == (1, 0)
    with pytest.raises(InputError, match="that is full"):
        own.room.check()


def test_uploads_are_bounded(workspaces):
    limits = workspaces.enter(None).installation.settings.upload
    assert (limits.files, limits.archive_members) == (25, 200)
    assert limits.member_bytes == limits.archive_bytes == 25_000_000


def test_an_archive_of_very_many_files_is_cut_off(tmp_path):
    own = Settings(_env_file=None, demo=DemoRules(archive_members=3))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(5):
            archive.writestr(f"{number}.png", scan_png(64, 64 + number))
    found = list(
        arrivals([Upload("a.zip", packed.getvalue())], _own_settings(own, tmp_path).upload)
    )
    assert [one.problem is None for one in found] == [True, True, True, False]
    assert "more than 3 files" in found[-1].problem


def test_a_picture_that_would_take_the_memory_of_all_is_refused(workspaces):
    own = workspaces.enter(None)
    found = upload(own, scan_png(2100, 2100))
    assert (found.received, found.rejected) == (0, 1)
    [item] = batch_items(own.installation, own.reader, found.batch_id)
    assert item.reason.startswith("The picture has more than 4 megapixels")


def test_a_file_too_large_is_told_whose_limit_it_is(tmp_path):
    demo = _own_settings(Settings(_env_file=None, storage=tmp_path), tmp_path / "one").upload
    data = bytes(25_000_001)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", data)
    for sent, begins in ((data, "The file has"), (packed.getvalue(), "The file unpacks to")):
        (found,) = arrivals([Upload("a", sent)], demo)
        assert found.problem.startswith(f"{begins} more than 25 MB. The demonstration takes files")
        assert "an installation of your own takes 200 MB" in found.problem
        assert "far more than a series" not in found.problem
        usual = UploadLimits(member_bytes=25_000_000)
        (found,) = arrivals([Upload("a", sent)], usual)
        assert "more than 25 MB, far more than a series" in found.problem
