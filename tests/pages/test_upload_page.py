"""The upload page, run by Streamlit's own test harness."""

import threading
from datetime import date, timedelta
from functools import partial

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetStates

from core.errors import StoreError
from core.services import workers
from core.services.installation import now
from core.services.ranking import rerank
from core.services.readers import add_reader
from core.services.scoring import score_waiting
from core.services.submit import batch_items, recent_batches, submit
from core.services.worklist import worklist_page
from core.store import batches, scoring
from core.types import RequestedPriority, WorklistQuery
from pages.components import upload_sending
from tests import dicoms
from tests.fakes import FakeEngine, scan_png
from tests.pages.harness import button, new_app, press, shown, text_of

PAGE = "pages/upload.py"
KINDS = ("title", "subheader", "markdown", "caption", "error", "warning", "info", "success")

texts = partial(text_of, kinds=KINDS)


@pytest.fixture
def app(open_page):
    return open_page(PAGE)


def choose(app, *files):
    app.file_uploader[0].set_value([(name, data, "image/png") for name, data in files])
    return shown(app.run())


def field(app, label):
    [found] = [
        one for one in [*app.text_input, *app.date_input, *app.button_group] if one.label == label
    ]
    return found


def begin_sending(app, *files):
    choose(app, *files)
    count = "1 file" if len(files) == 1 else f"{len(files)} files"
    return press(app, f"Send {count}")


def send(app, *files):
    begin_sending(app, *files)
    return arrived(app)


def arrived(app):
    if "sending" in app.session_state:
        # The browser asks again every second; here somebody has to.
        assert app.session_state["sending"].finished(wait=60)
        app.run()
    return shown(app)


def test_nothing_can_be_sent_before_files_are_chosen(app):
    assert button(app, "Send").disabled
    assert "Nothing was uploaded" in texts(app)


def test_files_are_stored_with_their_details_and_the_page_is_ready_for_the_next_patient(
    app, own_installation, ada
):
    field(app, "Patient reference").set_value(" P-17 ")
    field(app, "Study date").set_value(date(2026, 3, 4))
    field(app, "Requested priority").set_value(RequestedPriority.URGENT)
    send(app, ("a.png", scan_png(60)), ("b.png", b"a text"), ("c.png", scan_png(60)))
    [batch] = recent_batches(own_installation, ada)
    assert (batch.received, batch.linked, batch.rejected) == (1, 1, 1)
    assert "3 files: 1 received, 1 known before, 1 refused" in texts(app)
    assert not app.file_uploader[0].value
    assert field(app, "Patient reference").value == ""
    assert field(app, "Study date").value is None
    assert field(app, "Requested priority").value is RequestedPriority.ROUTINE
    assert button(app, "Send").disabled


def test_every_file_of_an_upload_is_listed_with_its_reason_and_its_case(app, own_installation, ada):
    send(app, ("a_*b*.png", scan_png(60)), ("b.png", b"a text"), ("c.png", scan_png(60)))
    [batch] = recent_batches(own_installation, ada)
    case_id = batch_items(own_installation, ada, batch.batch_id)[0].case_id
    listed = app.table[0].value
    assert list(listed["File"]) == ["b\\.png", "c\\.png", "a\\_\\*b\\*\\.png"]
    assert "not a picture" in listed["Outcome"][0]
    assert f"case \\#{case_id}" in listed["Outcome"][1]
    assert listed["Case"][1] == f"[#{case_id}](case?case={case_id})"


def test_names_are_shown_in_the_session_that_sent_them_and_not_kept(
    app, open_page, own_installation, ada
):
    hospital = ("DOE_JANE.dcm", dicoms.to_bytes(dicoms.mr_dataset()))
    # With one that is refused, the files are listed without being asked for.
    send(app, hospital, ("JANE.png", scan_png(60)), ("b.png", b"a text"))
    listed = {"DOE\\_JANE\\.dcm", "JANE\\.png", "b\\.png"}
    assert set(app.table[0].value["File"]) == listed
    assert "JANE" not in texts(open_page(PAGE))
    [batch] = recent_batches(own_installation, ada)
    kept = [item.name for item in batch_items(own_installation, ada, batch.batch_id)]
    assert sorted(kept) == [f"File {number} of the upload" for number in (1, 2, 3)]


def test_another_tab_shows_the_same_progress(app, open_page, own_installation):
    send(app, ("a.png", scan_png(60)), ("b.png", scan_png(61)))
    assert "Scored 0 of 2 scans" in bar(app)
    other = open_page(PAGE)
    assert "Scored 0 of 2 scans" in bar(other)
    score_waiting(own_installation, FakeEngine())
    assert bar(other.run()) == ""
    assert "2 of 2 scans scored" in texts(other)


def bar(app):
    return "\n".join(one.proto.text for one in app.get("progress"))


def test_another_reader_does_not_see_the_names(app, open_page, own_installation):
    send(app, ("a.png", scan_png(60)))
    other = open_page(PAGE)
    other.session_state["reader"] = add_reader(own_installation, "Dr Baker")
    shown(other.run())
    assert "Nothing was uploaded" in texts(other)


def test_a_study_date_in_the_future_is_refused_before_anything_is_sent(app, own_installation, ada):
    field(app, "Study date").set_value(date.today() + timedelta(days=3))
    choose(app, ("a.png", scan_png()))
    assert "lies in the future" in app.error[0].value
    assert button(app, "Send 1 file").disabled
    assert recent_batches(own_installation, ada) == []


def test_too_many_files_are_asked_for_as_an_archive(app, own_installation, ada):
    most = own_installation.settings.upload.files
    choose(app, *((f"{n}.png", b"") for n in range(most + 1)))
    assert "ZIP" in app.error[0].value
    assert button(app, "Send").disabled
    press(app, "Clear the list")
    assert not app.error
    assert not app.file_uploader[0].value


def test_files_that_were_lost_with_the_server_are_named_and_asked_for_again(ada):
    # What a browser sends that shows a file which an earlier session had.
    shown_there = WidgetStates()
    uploader = shown_there.widgets.add()
    uploader.id = "$$ID-0-upload-files-7"
    file = uploader.file_uploader_state_value.uploaded_file_info.add()
    file.file_id, file.name = "0", "lost_1.png"
    app = new_app(ada)
    shown(app._run(shown_there))
    shown(app.switch_page(PAGE).run())
    assert "lost\\_1\\.png" in app.warning[-1].value
    send(app, ("a.png", scan_png()))
    assert "lost" not in texts(app)


def test_an_upload_that_breaks_off_says_so_and_can_be_sent_again(
    app, own_installation, monkeypatch
):
    def broken(*_):
        raise StoreError("The database cannot be reached.")

    field(app, "Patient reference").set_value("P-17")
    with monkeypatch.context() as patched:
        patched.setattr(upload_sending, "submit", broken)
        send(app, ("a.png", scan_png()), ("b.png", scan_png(60)))
    assert "The database cannot be reached." in app.error[0].value
    with monkeypatch.context() as patched:
        patched.setattr(upload_sending, "room_problem", lambda: "There is no more room.")
        press(app, "Send it again")
        assert "There is no more room." in texts(app)
        assert "sending" not in app.session_state
    press(app, "Send it again")
    arrived(app)
    assert not app.error
    assert "2 files: 2 received" in texts(app)
    assert references(own_installation) == ["P-17"]


def references(installation):
    """The patient references of all cases."""
    page = worklist_page(installation, WorklistQuery())
    return [case.patient_reference for case in page.rows]


def test_storing_goes_on_while_the_reader_is_elsewhere(app, own_installation, ada, monkeypatch):
    go_on = threading.Event()

    def slow(*arguments):
        assert go_on.wait(30)
        return submit(*arguments)

    monkeypatch.setattr(upload_sending, "submit", slow)
    monkeypatch.setattr(upload_sending, "_AT_ONCE_SECONDS", 0)
    field(app, "Patient reference").set_value("P-17")
    begin_sending(app, ("a.png", scan_png()))
    assert "storing goes on" in bar(app)
    # Meanwhile the next upload can be prepared, and is another patient's.
    assert field(app, "Patient reference").value == ""
    choose(app, ("b.png", scan_png(60)))
    assert button(app, "Send 1 file").disabled
    assert "still being stored" in texts(app)
    under_way = app.session_state["sending"]
    shown(app.switch_page("pages/analyse.py").run())
    go_on.set()
    assert under_way.finished(wait=30)
    shown(app.switch_page(PAGE).run())
    assert "1 file: 1 received" in texts(app)
    assert recent_batches(own_installation, ada)[0].received == 1
    assert references(own_installation) == ["P-17"]


def test_failed_scans_can_be_tried_again(app, own_installation):
    send(app, ("a.png", scan_png()))
    with own_installation.database.transaction() as session:
        [image] = scoring.claim(
            session, owner="test", limit=1, attempts_allowed=3, until=now() + 60, now=now()
        )
        scoring.fail(session, image.id, "test", "no analysis")
        rerank(session, own_installation.settings, 1, now())
    shown(app.run())
    assert "could not be scored" in texts(app)
    press(app, "Try again")
    assert "Scored 0 of 1 scan" in bar(app)
    assert "could not be scored" not in texts(app)


def test_an_upload_that_was_broken_off_is_marked(app, own_installation, ada):
    with own_installation.database.transaction() as session:
        batches.create_batch(session, ada.id, now())
    assert "Not all files of this upload are stored yet" in texts(shown(app.run()))


def test_without_a_worker_the_page_says_so(app, own_installation, monkeypatch):
    monkeypatch.setattr(workers, "_IDLE_SECONDS", -1)
    send(app, ("a.png", scan_png()))
    assert "nothing analyses them" in texts(app)
