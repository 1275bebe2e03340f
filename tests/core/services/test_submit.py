"""What becomes of uploaded files."""

import io
import logging

import pytest
from PIL import Image, PngImagePlugin
from sqlalchemy.exc import IntegrityError

from core.errors import InputError, RuleError, StoreError
from core.imaging import decode, open_image
from core.services import batch as service
from core.services import receipt
from core.services.readers import add_reader
from core.services.submit import (
    Upload,
    batch_items,
    batch_progress,
    recent_batches,
    retry_batch,
    submit,
)
from core.store import batches
from core.types import CaseStatus, StudyDetails
from tests.core.services.sent_series import (
    DAY,
    OF_P1,
    RECEIVED,
    REJECTED,
    archive,
    entries_of,
    scans_of,
)
from tests.fakes import scan_png


def test_a_file_is_stored_without_identity_and_waits_for_the_model(installation, reader, case):
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", "Erika Mustermann")
    out = io.BytesIO()
    Image.open(io.BytesIO(scan_png())).save(out, "PNG", pnginfo=text)
    batch = submit(installation, reader, [Upload("a.png", io.BytesIO(out.getvalue()))], OF_P1)
    assert (batch.files, batch.received, batch.waiting, batch.scored) == (1, 1, 1, 0)
    [item] = batch_items(installation, reader, batch.batch_id)
    assert (item.name, item.outcome, item.reason) == ("File 1 of the upload", RECEIVED, None)
    found = case(item.case_id)
    assert (found.patient_reference, found.study_date) == ("P-1", DAY)
    assert (found.status, found.scan_count, found.scored_count) == (CaseStatus.NEW, 1, 0)
    [scan] = scans_of(installation, item.case_id)
    kept = installation.files.get(scan.content_key)
    assert b"Mustermann" in out.getvalue()
    assert b"Mustermann" not in kept
    assert (decode(kept).pixels == decode(out.getvalue()).pixels).all()
    assert (scan.height, scan.width, scan.source_format) == (120, 100, "PNG")


def test_a_bad_file_is_listed_with_its_reason_and_the_others_go_on(send_pictures):
    found = send_pictures(scan_png(60), b"a text, not a picture", b"", scan_png(61))
    assert [item.outcome for item in found] == [RECEIVED, REJECTED, REJECTED, RECEIVED]
    assert "not a picture" in found[1].reason
    assert "empty" in found[2].reason
    assert found[1].case_id is None


def test_a_fault_of_the_program_costs_one_file_and_is_in_the_log(
    send_pictures, monkeypatch, caplog
):
    def faulty(data):
        if decode(data).size == (61, 100):
            raise RuntimeError("Erika")
        return open_image(data)

    monkeypatch.setattr(receipt, "open_image", faulty)
    found = send_pictures(scan_png(60), ("Erika.png", scan_png(61)), scan_png(62))
    assert [item.outcome for item in found] == [RECEIVED, REJECTED, RECEIVED]
    assert "fault in the program" in found[1].reason
    assert "RuntimeError" in caplog.text
    assert "test_submit.py" in caplog.text
    assert "Erika" not in caplog.text


def test_a_full_disk_is_said_and_leaves_no_row(installation, send_pictures, monkeypatch):
    def full(_self, _data):
        raise StoreError("Make room on the disk.")

    monkeypatch.setattr(type(installation.files), "put", full)
    [item] = send_pictures(scan_png(), details=OF_P1)
    assert (item.outcome, item.case_id) == (REJECTED, None)
    assert "Make room" in item.reason


def test_a_program_that_ends_between_file_and_row_leaves_nothing_half_done(
    installation, reader, send_pictures, monkeypatch
):
    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(service.Intake, "link", killed)
        with pytest.raises(Killed):
            send_pictures(scan_png(), details=OF_P1)
    [batch] = recent_batches(installation, reader)
    assert (batch.files, batch.finished) == (0, False)
    [item] = send_pictures(scan_png(), details=OF_P1)
    assert item.outcome is RECEIVED
    assert recent_batches(installation, reader)[0].finished


def test_archives_are_unpacked_and_their_members_listed(send_pictures):
    packed = archive(
        ("a/1.png", scan_png(60)), ("a/notes.txt", b"a text"), ("b/2.png", scan_png(61))
    )
    found = send_pictures(("scans.zip", packed), scan_png(62), details=OF_P1)
    assert [item.outcome for item in found] == [RECEIVED, REJECTED, RECEIVED, RECEIVED]
    assert [item.name for item in found] == [f"File {n} of the upload" for n in (1, 2, 3, 4)]


def test_a_damaged_archive_is_refused_and_the_others_go_on(send_pictures):
    packed = archive(("1.png", scan_png(60)))
    found = send_pictures(("scans.zip", packed[: len(packed) // 2]), scan_png(61))
    assert [item.outcome for item in found] == [REJECTED, RECEIVED]
    assert "archive" in found[0].reason.lower()


def test_more_files_than_allowed_are_asked_for_as_an_archive(installation, reader):
    limit = installation.settings.upload.files
    uploads = [Upload("x.png", b"")] * limit + [Upload("last.png", scan_png())]
    batch = submit(installation, reader, uploads, StudyDetails())
    assert batch.rejected == limit + 1
    assert "ZIP" in batch_items(installation, reader, batch.batch_id)[-1].reason


def test_names_are_cleaned_and_told_to_the_sender_only(installation, send, caplog):
    caplog.set_level(logging.DEBUG)
    long = "Erika Mustermann " * 60 + ".png"
    first, second = send(("Erika\x00\u202e\n.png", scan_png()), (long, scan_png(61)))
    assert [item.name for item in send.stored] == ["File 1 of the upload", "File 2 of the upload"]
    assert first.name == "Erika .png"
    assert len(second.name) <= 400
    assert second.name.startswith("Erika")
    assert second.name.endswith(".png")
    assert "Erika" not in caplog.text
    assert "Erika" not in " ".join(e.text for e in entries_of(installation, first.case_id))


def test_an_error_of_the_database_does_not_repeat_what_was_to_be_stored(installation):
    with pytest.raises(IntegrityError) as caught, installation.database.transaction() as session:
        batches.add_item(session, 999, "Erika.png", RECEIVED, None, None)
    assert "Erika" not in str(caught.value)


def test_the_history_says_who_sent_what(installation, send_pictures):
    [item] = send_pictures(scan_png(), details=OF_P1)
    [entry] = [e for e in entries_of(installation, item.case_id) if e.action == "upload"]
    assert entry.who == "Dr Adams (unverified)"
    assert "PNG, 100 × 120 pixels" in entry.text


def test_each_file_is_in_the_store_before_the_next_is_read(installation, reader):
    seen = []

    def uploads():
        for side in (60, 61, 62):
            seen.append(batch_progress(installation, 1).received)
            yield Upload("x.png", scan_png(side))

    told = []
    batch = submit(installation, reader, uploads(), StudyDetails(), told.append)
    assert seen == [0, 1, 2]
    assert {item.name for item in told} == {"x.png"}
    kept = batch_items(installation, reader, batch.batch_id)
    assert [(i.outcome, i.case_id) for i in told] == [(i.outcome, i.case_id) for i in kept]


def test_workers_are_woken_now_and_then_and_at_the_end(installation, reader, monkeypatch):
    wakes = []
    monkeypatch.setattr(type(installation.queue), "wake", lambda _: wakes.append(1))
    submit(installation, reader, [Upload("x.png", b"")] * 60, StudyDetails())
    assert len(wakes) == 2


def test_details_that_cannot_be_used_stop_the_upload_before_it_begins(installation, reader):
    with pytest.raises(InputError, match="121 characters"):
        submit(installation, reader, [Upload("a.png", scan_png())], StudyDetails("x" * 121))
    assert recent_batches(installation, reader) == []


def test_the_list_is_for_the_uploader_only(installation, reader, send_pictures):
    send_pictures(scan_png())
    other = add_reader(installation, "Dr Baker")
    [batch] = recent_batches(installation, reader)
    assert recent_batches(installation, other) == []
    with pytest.raises(RuleError):
        batch_items(installation, other, batch.batch_id)
    with pytest.raises(RuleError):
        retry_batch(installation, other, batch.batch_id)
