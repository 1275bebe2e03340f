"""What becomes of uploaded files."""

import io
import logging
from datetime import date

import pytest
from PIL import Image, PngImagePlugin
from sqlalchemy.exc import IntegrityError

from core.errors import InputError, RuleError, StoreError
from core.imaging import decode, open_image
from core.services import batch as service
from core.services import receipt
from core.services.installation import now
from core.services.ranking import rerank
from core.services.readers import add_reader
from core.services.scoring import score_waiting
from core.services.submit import (
    Upload,
    batch_items,
    batch_progress,
    recent_batches,
    retry_batch,
    retry_failed,
    submit,
)
from core.store import audit, batches, scoring, studies
from core.triage.queueing import rate_per_second
from core.types import CaseStatus, RequestedPriority, StudyDetails, TumourClass
from tests.core.services.sent_series import LINKED, RECEIVED, REJECTED, archive, scans_of
from tests.fakes import FakeEngine, scan_png

DAY = date(2026, 3, 4)
OF_P1 = StudyDetails(patient_reference="P-1", study_date=DAY)


@pytest.fixture
def send(installation, reader):
    """Submit files, given as bytes or as (name, bytes); the items of their batch."""

    def sent(*files, details=None):
        named = [f if isinstance(f, tuple) else (f"{n}.png", f) for n, f in enumerate(files)]
        uploads = [Upload(name, data) for name, data in named]
        batch = submit(installation, reader, uploads, details or StudyDetails())
        return batch_items(installation, reader, batch.batch_id)

    return sent


@pytest.fixture
def case(installation):
    """A case as the worklist shows it."""

    def shown(case_id):
        rules = installation.settings.priority
        with installation.database.reading() as session:
            return studies.get_case(
                session, case_id, now(), rate_per_second(rules), rules.amber_share
            )

    return shown


def history_of(installation, case_id):
    with installation.database.reading() as session:
        return audit.history(session, case_id)


def report(installation, case_id):
    with installation.database.transaction() as session:
        studies.set_status(session, case_id, CaseStatus.REPORTED, now=now())


def test_a_file_is_stored_without_identity_and_waits_for_the_model(installation, reader, case):
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", "Erika Mustermann")
    out = io.BytesIO()
    Image.open(io.BytesIO(scan_png())).save(out, "PNG", pnginfo=text)
    batch = submit(installation, reader, [Upload("a.png", io.BytesIO(out.getvalue()))], OF_P1)
    assert (batch.files, batch.received, batch.waiting, batch.scored) == (1, 1, 1, 0)
    [item] = batch_items(installation, reader, batch.batch_id)
    assert (item.name, item.outcome, item.reason) == ("a.png", RECEIVED, None)
    found = case(item.case_id)
    assert (found.patient_reference, found.study_date) == ("P-1", DAY)
    assert (found.status, found.scan_count, found.scored_count) == (CaseStatus.NEW, 1, 0)
    [scan] = scans_of(installation, item.case_id)
    kept = installation.files.get(scan.content_key)
    assert b"Mustermann" in out.getvalue()
    assert b"Mustermann" not in kept
    assert (decode(kept).pixels == decode(out.getvalue()).pixels).all()
    assert (scan.height, scan.width, scan.source_format) == (120, 100, "PNG")


def test_reference_and_date_make_a_case(send):
    first = send(scan_png(60), scan_png(61), details=OF_P1)
    same = send(scan_png(62), details=StudyDetails("  p-1", DAY))
    other_day = send(scan_png(63), details=StudyDetails("P-1", date(2026, 3, 5)))
    no_day = send(scan_png(64), details=StudyDetails("P-1"))
    assert len({item.case_id for item in first + same}) == 1
    assert len({item.case_id for item in [*first, *other_day, *no_day]}) == 3


def test_without_a_reference_every_file_is_a_case(send):
    found = send(scan_png(60), scan_png(61), details=StudyDetails(study_date=DAY))
    assert len({item.case_id for item in found}) == 2


def test_the_same_picture_again_is_linked_and_scored_once(installation, reader, send):
    first, again = send(scan_png(), scan_png(), details=OF_P1)
    assert (again.outcome, again.case_id) == (LINKED, first.case_id)
    assert again.reason == f"Already received as case #{first.case_id}."
    [later] = send(scan_png(), details=OF_P1)
    assert (later.outcome, later.case_id) == (LINKED, first.case_id)
    engine = FakeEngine()
    assert score_waiting(installation, engine) == 1
    assert engine.batches == [1]
    [batch, _] = recent_batches(installation, reader)
    assert (batch.linked, batch.received, batch.waiting, batch.scored) == (1, 0, 0, 1)


def test_another_study_with_the_same_picture_shares_its_analysis_at_once(installation, send, case):
    [first] = send(scan_png(), details=OF_P1)
    score_waiting(installation, FakeEngine())
    [item] = send(scan_png(), details=StudyDetails("P-2", DAY))
    assert item.case_id != first.case_id
    assert item.outcome is LINKED
    assert f"#{first.case_id}" in item.reason
    assert case(item.case_id).predicted is TumourClass.GLIOMA
    assert case(item.case_id).score == pytest.approx(case(first.case_id).score, abs=0.1)


def test_a_known_picture_without_a_reference_makes_no_second_case(send):
    [first] = send(scan_png(), details=OF_P1)
    [item] = send(scan_png())
    assert (item.outcome, item.case_id) == (LINKED, first.case_id)


def test_a_new_scan_reopens_a_reported_case_and_a_known_one_does_not(installation, send, case):
    [first] = send(scan_png(60), details=OF_P1)
    report(installation, first.case_id)
    send(scan_png(60), details=OF_P1)
    assert case(first.case_id).status is CaseStatus.REPORTED
    [item] = send(scan_png(61), details=OF_P1)
    assert item.outcome is RECEIVED
    assert "reopened" in item.reason
    assert case(first.case_id).status is CaseStatus.NEW


def test_a_more_urgent_request_counts_and_a_less_urgent_one_does_not(installation, send, case):
    [item] = send(scan_png(60), details=OF_P1)
    calm = case(item.case_id).score
    urgent = StudyDetails("P-1", DAY, requested=RequestedPriority.EMERGENCY)
    send(scan_png(60), details=urgent)
    assert case(item.case_id).requested is RequestedPriority.EMERGENCY
    assert case(item.case_id).score > calm + 10
    assert "emergency" in history_of(installation, item.case_id)[-1].text
    send(scan_png(61), details=OF_P1)
    assert case(item.case_id).requested is RequestedPriority.EMERGENCY


def test_details_fill_blanks_and_never_overwrite(installation, send):
    [item] = send(scan_png(60), details=StudyDetails("P-1", DAY, site="North"))
    [later] = send(scan_png(61), details=StudyDetails("P-1", DAY, "South", "Headache"))
    assert later.outcome is RECEIVED
    assert "site" in later.reason
    assert "indication" not in later.reason
    with installation.database.reading() as session:
        kept = studies.case_details(session, item.case_id)
    assert (kept.site, kept.indication) == ("North", "Headache")


def test_a_bad_file_is_listed_with_its_reason_and_the_others_go_on(send):
    found = send(scan_png(60), b"a text, not a picture", b"", scan_png(61))
    assert [item.outcome for item in found] == [RECEIVED, REJECTED, REJECTED, RECEIVED]
    assert "not a picture" in found[1].reason
    assert "empty" in found[2].reason
    assert found[1].case_id is None


def test_a_fault_of_the_program_costs_one_file_and_is_in_the_log(send, monkeypatch, caplog):
    def faulty(data):
        if decode(data).size == (61, 100):
            raise RuntimeError("Erika")
        return open_image(data)

    monkeypatch.setattr(receipt, "open_image", faulty)
    found = send(scan_png(60), ("Erika.png", scan_png(61)), scan_png(62))
    assert [item.outcome for item in found] == [RECEIVED, REJECTED, RECEIVED]
    assert "fault in the program" in found[1].reason
    assert "RuntimeError" in caplog.text
    assert "test_submit.py" in caplog.text
    assert "Erika" not in caplog.text


def test_a_full_disk_is_said_and_leaves_no_row(installation, send, monkeypatch):
    def full(_self, _data):
        raise StoreError("Make room on the disk.")

    monkeypatch.setattr(type(installation.files), "put", full)
    [item] = send(scan_png(), details=OF_P1)
    assert (item.outcome, item.case_id) == (REJECTED, None)
    assert "Make room" in item.reason


def test_a_program_that_ends_between_file_and_row_leaves_nothing_half_done(
    installation, reader, send, monkeypatch
):
    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(service.Intake, "link", killed)
        with pytest.raises(Killed):
            send(scan_png(), details=OF_P1)
    [batch] = recent_batches(installation, reader)
    assert (batch.files, batch.finished) == (0, False)
    [item] = send(scan_png(), details=OF_P1)
    assert item.outcome is RECEIVED
    assert recent_batches(installation, reader)[0].finished


def test_archives_are_unpacked_and_their_members_listed(send):
    packed = archive(
        ("a/1.png", scan_png(60)), ("a/notes.txt", b"a text"), ("b/2.png", scan_png(61))
    )
    found = send(("scans.zip", packed), scan_png(62), details=OF_P1)
    assert [item.name for item in found if item.outcome is RECEIVED] == [
        "scans.zip/a/1.png",
        "scans.zip/b/2.png",
        "1.png",
    ]
    assert [item.name for item in found if item.outcome is REJECTED] == ["File 2 of the upload"]


def test_a_damaged_archive_is_refused_and_the_others_go_on(send):
    packed = archive(("1.png", scan_png(60)))
    found = send(("scans.zip", packed[: len(packed) // 2]), scan_png(61))
    assert [item.outcome for item in found] == [REJECTED, RECEIVED]
    assert "archive" in found[0].reason.lower()


def test_more_files_than_allowed_are_asked_for_as_an_archive(installation, reader):
    limit = installation.settings.upload.files
    uploads = [Upload("x.png", b"")] * limit + [Upload("last.png", scan_png())]
    batch = submit(installation, reader, uploads, StudyDetails())
    assert batch.rejected == limit + 1
    assert "ZIP" in batch_items(installation, reader, batch.batch_id)[-1].reason


def test_names_are_cleaned_and_kept_in_the_list_only(installation, send, caplog):
    caplog.set_level(logging.DEBUG)
    long = "Erika Mustermann " * 60 + ".png"
    first, second = send(("Erika\x00\u202e\n.png", scan_png()), (long, scan_png(61)))
    assert first.name == "Erika .png"
    assert len(second.name) <= 400
    assert second.name.startswith("Erika")
    assert second.name.endswith(".png")
    assert "Erika" not in caplog.text
    assert "Erika" not in " ".join(e.text for e in history_of(installation, first.case_id))


def test_an_error_of_the_database_does_not_repeat_what_was_to_be_stored(installation):
    with pytest.raises(IntegrityError) as caught, installation.database.transaction() as session:
        batches.add_item(session, 999, "Erika.png", RECEIVED, None, None)
    assert "Erika" not in str(caught.value)


def test_the_history_says_who_sent_what(installation, send):
    [item] = send(scan_png(), details=OF_P1)
    [entry] = [e for e in history_of(installation, item.case_id) if e.action == "upload"]
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
    assert told == batch_items(installation, reader, batch.batch_id)


def test_workers_are_woken_now_and_then_and_at_the_end(installation, reader, monkeypatch):
    wakes = []
    monkeypatch.setattr(type(installation.queue), "wake", lambda _: wakes.append(1))
    submit(installation, reader, [Upload("x.png", b"")] * 60, StudyDetails())
    assert len(wakes) == 2


def test_details_that_cannot_be_used_stop_the_upload_before_it_begins(installation, reader):
    with pytest.raises(InputError, match="121 characters"):
        submit(installation, reader, [Upload("a.png", scan_png())], StudyDetails("x" * 121))
    assert recent_batches(installation, reader) == []


def test_names_are_for_the_uploader_only(installation, reader, send):
    send(scan_png())
    other = add_reader(installation, "Dr Baker")
    [batch] = recent_batches(installation, reader)
    assert recent_batches(installation, other) == []
    with pytest.raises(RuleError):
        batch_items(installation, other, batch.batch_id)
    with pytest.raises(RuleError):
        retry_batch(installation, other, batch.batch_id)


@pytest.fixture
def failed(installation, send):
    """A case whose two scans have failed, and one that shares a picture with it."""
    items = send(scan_png(60), scan_png(61), details=OF_P1)
    [shared] = send(scan_png(61), details=StudyDetails("P-2", DAY))
    with installation.database.transaction() as session:
        at = now()
        claimed = scoring.claim(
            session, owner="test", limit=9, attempts_allowed=3, until=at + 60, now=at
        )
        for image in claimed:
            assert scoring.fail(session, image.id, "test", "no analysis")
        for case_id in (items[0].case_id, shared.case_id):
            rerank(session, installation.settings, case_id, at)
    return items[0].case_id, shared.case_id


def test_failed_scans_are_tried_again_in_all_their_cases(installation, reader, failed, case):
    first, shared = failed
    assert case(first).status is case(shared).status is CaseStatus.FAILED
    assert retry_failed(installation, reader, first) == 2
    assert (case(first).failed_count, case(shared).failed_count) == (0, 0)
    assert case(shared).status is CaseStatus.NEW
    assert history_of(installation, first)[-1].action == "retry"
    assert score_waiting(installation, FakeEngine()) == 2
    assert case(first).predicted is TumourClass.GLIOMA
    assert retry_failed(installation, reader, first) == 0
    assert history_of(installation, first)[-1].action != "retry"


def test_all_failed_scans_of_a_batch_are_tried_again(installation, reader, failed):
    newest, oldest = recent_batches(installation, reader)
    assert (oldest.failed, newest.failed) == (2, 1)
    assert retry_batch(installation, reader, oldest.batch_id) == 2
    assert batch_progress(installation, oldest.batch_id).waiting == 2
