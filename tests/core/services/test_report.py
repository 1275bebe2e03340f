"""Reports and training sets of cases that went through upload, scoring and reading."""

import csv
import io
import zipfile
from dataclasses import replace

import pypdf
import pytest

from core.errors import InputError
from core.services.model_card import model_card
from core.services.readers import add_reader, sign_in
from core.services.report import case_pdf, training_export
from core.services.review import DecisionInput, decide, look_again
from core.services.scoring import score_waiting
from core.services.submit import Upload, batch_items, submit
from core.store import statements
from core.types import CLASSES, RequestedPriority, StudyDetails, TumourClass
from tests.fakes import FakeEngine, scan_png
from tests.installations import make_installation
from train.data.layouts import read_scan, reader_samples

GLIOMA, MENINGIOMA, NO_TUMOR, PITUITARY = TumourClass


@pytest.fixture
def anna(installation):
    return add_reader(installation, "Anna")


@pytest.fixture
def boris(installation):
    return sign_in(installation, "oidc:there|boris", "Boris", verified=True)


@pytest.fixture
def send(installation, anna):
    """Upload scans as one case, have them scored, and give the case's number."""

    def sent(*scans, reference=None, scored=True):
        uploads = [Upload(f"{number}.png", scan) for number, scan in enumerate(scans)]
        batch = submit(installation, anna, uploads, StudyDetails(patient_reference=reference))
        if scored:
            score_waiting(installation, FakeEngine())
        return batch_items(installation, anna, batch.batch_id)[0].case_id

    return sent


def read(installation, reader, case_id, finding, **changes):
    version = look_again(installation, reader, case_id).summary.version
    return decide(installation, reader, case_id, version, DecisionInput(finding, **changes))


def text_of(data):
    pages = pypdf.PdfReader(io.BytesIO(data)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def unpacked(data, folder):
    zipfile.ZipFile(io.BytesIO(data)).extractall(folder)
    with (folder / "manifest.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def exported(installation, reader, folder, **options):
    out = io.BytesIO()
    training_export(installation, reader, out, **options)
    return unpacked(out.getvalue(), folder)


def test_a_report_tells_the_whole_case(installation, anna, boris, send):
    case_id = send(scan_png(), reference="P <7>")
    read(
        installation, anna, case_id, GLIOMA,
        mask_wrong=True, urgency=RequestedPriority.EMERGENCY, note="Near the motor cortex.",
    )  # fmt: skip
    read(installation, boris, case_id, GLIOMA)
    data = case_pdf(installation, boris, case_id)
    text = text_of(data)
    for part in (
        "P <7>",
        "Reported by Boris",
        "the same finding by Anna (unverified)",
        "Agrees with the model",
        "Mask marked as wrong, urgency corrected to emergency",
        "Near the motor cortex.",
        "Glioma suspected",
        "decision threshold of 40.0 %",
        "Results by model version fake-1.",
        "the file gives no pixel spacing",
        "Research and demonstration use, not a medical device.",
    ):
        assert part in text, part
    pictures = [one for page in pypdf.PdfReader(io.BytesIO(data)).pages for one in page.images]
    assert len(pictures) == 3


def test_that_a_report_was_made_is_in_the_history(installation, anna, send):
    case_id = send(scan_png())
    before = look_again(installation, anna, case_id)
    case_pdf(installation, anna, case_id)
    after = look_again(installation, anna, case_id)
    assert (after.history[-1].action, after.history[-1].who) == ("report", "Anna (unverified)")
    # Who prints takes nobody's decision back.
    assert after.summary.version == before.summary.version


def test_a_case_that_waits_for_the_model_can_be_printed(installation, anna, send):
    text = text_of(case_pdf(installation, anna, send(scan_png(), scored=False)))
    assert "The model has not looked at this scan yet." in text
    assert "No reader has decided yet." in text


def test_a_glioma_that_lacks_its_second_reader_is_preliminary(installation, anna, send):
    case_id = send(scan_png())
    read(installation, anna, case_id, GLIOMA)
    text = text_of(case_pdf(installation, anna, case_id))
    assert "Preliminary: glioma" in text
    assert "A second, different reader has to confirm the glioma." in text


def test_lost_pictures_do_not_stop_the_report(installation, anna, send):
    case_id = send(scan_png())
    for path in (installation.settings.storage / "files").rglob("*"):
        if path.is_file():
            path.unlink()
    text = text_of(case_pdf(installation, anna, case_id))
    assert "Its pictures are missing from the file store." in text
    assert "97.0 %" in text


def test_the_most_suspicious_scan_comes_first_and_keeps_its_number(installation, anna, send):
    case_id = send(scan_png(lesion=False), scan_png(), reference="P-1")
    text = text_of(case_pdf(installation, anna, case_id))
    assert text.index("Scan 2 of 2: Glioma suspected") < text.index("Scan 1 of 2: None of the")
    assert "No region was outlined." in text


def test_the_heat_map_shows_the_tumour_that_is_suspected(installation, anna, send, monkeypatch):
    shares = {GLIOMA: 0.32, MENINGIOMA: 0.1, NO_TUMOR: 0.55, PITUITARY: 0.03}
    one = FakeEngine._one

    def unsure(*arguments):
        analysis = one(*arguments)
        return replace(analysis, probabilities=shares, predicted=NO_TUMOR, tumour_probability=0.45)

    monkeypatch.setattr(FakeEngine, "_one", unsure)
    text = text_of(case_pdf(installation, anna, send(scan_png())))
    assert "Tumour suspected, type uncertain (most likely glioma)" in text
    assert "support for “glioma”" in text


def test_the_limits_of_the_model_are_in_the_report(installation, anna, send):
    text = text_of(case_pdf(installation, anna, send(scan_png())))
    card = model_card(installation)
    assert f"What follows is known of version {card.version}" in text
    assert card.limits and " ".join(card.limits[-1].split()) in text


def test_a_report_without_a_readable_model_card(tmp_path):
    installation = make_installation(tmp_path, weights=tmp_path / "none")
    anna = add_reader(installation, "Anna")
    batch = submit(installation, anna, [Upload("a.png", scan_png())], StudyDetails())
    case_id = batch_items(installation, anna, batch.batch_id)[0].case_id
    assert "are not at hand" in text_of(case_pdf(installation, anna, case_id))


def test_there_is_no_report_of_no_case(installation, anna):
    with pytest.raises(InputError, match="no case with the number 99"):
        case_pdf(installation, anna, 99)


def test_overridden_cases_become_a_training_set(installation, anna, send, tmp_path):
    read(installation, anna, send(scan_png(), reference="P-1"), MENINGIOMA)
    read(installation, anna, send(scan_png(60, 50, lesion=False), reference="P-2"), NO_TUMOR)
    send(scan_png(61, 50), reference="P-3")
    (row,) = exported(installation, anna, tmp_path / "data" / "readers")
    assert row["label"] == "meningioma"
    assert row["model_class"] == "glioma"
    assert row["model_version"] == "fake-1"
    assert row["label_of"] == "scan"
    assert row["readers"] == "1"
    (sample,) = reader_samples(tmp_path / "data", "readers")
    assert sample.label == "meningioma"
    assert read_scan(sample, tmp_path / "data").size == (120, 100)


def test_a_simulated_sample_is_nothing_to_train_on(installation, anna, tmp_path):
    details = StudyDetails(patient_reference="SIMULATED-01", site="Simulated sample")
    batch = submit(installation, anna, [Upload("a.png", scan_png())], details)
    score_waiting(installation, FakeEngine())
    case_id = batch_items(installation, anna, batch.batch_id)[0].case_id
    read(installation, anna, case_id, MENINGIOMA)
    assert exported(installation, anna, tmp_path / "overridden") == []
    assert exported(installation, anna, tmp_path / "all", all_reported=True) == []


def test_the_pixels_are_those_that_were_uploaded(installation, anna, send, tmp_path):
    picture = scan_png(70, 44)
    read(installation, anna, send(picture), PITUITARY)
    (row,) = exported(installation, anna, tmp_path)
    assert (tmp_path / row["path"]).read_bytes() == picture


def test_all_reported_cases_on_request(installation, anna, send, tmp_path):
    read(installation, anna, send(scan_png()), MENINGIOMA)
    read(installation, anna, send(scan_png(lesion=False)), NO_TUMOR)
    send(scan_png(60, 50))
    labels = [row["label"] for row in exported(installation, anna, tmp_path, all_reported=True)]
    assert sorted(labels) == ["meningioma", "no_tumor"]


def test_an_unfinished_reading_is_not_exported(installation, anna, boris, send, tmp_path):
    case_id = send(scan_png(lesion=False))
    read(installation, anna, case_id, GLIOMA)
    assert exported(installation, anna, tmp_path / "before") == []
    read(installation, boris, case_id, GLIOMA)
    (row,) = exported(installation, anna, tmp_path / "after")
    assert (row["label"], row["readers"]) == ("glioma", "2")


def test_a_reader_who_came_round_to_the_model_overrides_nothing(installation, anna, send, tmp_path):
    case_id = send(scan_png(lesion=False))
    read(installation, anna, case_id, PITUITARY)
    read(installation, anna, case_id, NO_TUMOR)
    assert exported(installation, anna, tmp_path) == []


def test_scans_of_a_case_of_several_are_marked(installation, anna, send, tmp_path):
    tumour = send(scan_png(), scan_png(lesion=False), reference="P-1")
    free = send(scan_png(60, 50), scan_png(61, 50), reference="P-2")
    read(installation, anna, tumour, MENINGIOMA)
    read(installation, anna, free, NO_TUMOR)
    rows = exported(installation, anna, tmp_path / "data" / "readers")
    assert [row["label_of"] for row in rows] == ["case", "case", "scan", "scan"]
    assert len(reader_samples(tmp_path / "data", "readers")) == 2


def test_scans_of_a_patient_share_a_number_and_nothing_says_who(installation, anna, send, tmp_path):
    for number, reference in enumerate(("Miller 1950", "miller  1950", "Other")):
        read(installation, anna, send(scan_png(60 + number, 50), reference=reference), PITUITARY)
    out = io.BytesIO()
    training_export(installation, anna, out)
    assert b"iller" not in out.getvalue() and b"Anna" not in out.getvalue()
    rows = unpacked(out.getvalue(), tmp_path)
    assert [row["patient"] for row in rows] == ["1", "1", "2"]


def test_a_picture_of_two_cases_is_labelled_by_the_latest_decision(
    installation, anna, send, tmp_path
):
    picture = scan_png()
    read(installation, anna, send(picture, reference="P-1"), MENINGIOMA)
    read(installation, anna, send(picture, reference="P-2"), PITUITARY)
    (row,) = exported(installation, anna, tmp_path)
    assert row["label"] == "pituitary"


def test_nothing_to_export_is_an_archive_that_says_so(installation, anna, tmp_path):
    assert exported(installation, anna, tmp_path) == []
    assert "0 pictures" in (tmp_path / "README.txt").read_text()


def test_a_lost_picture_is_left_out_and_counted(installation, anna, send, tmp_path):
    for number in range(2):
        read(installation, anna, send(scan_png(60 + number, 50)), PITUITARY)
    kept, _ = sorted(exported(installation, anna, tmp_path / "before"), key=lambda r: r["path"])
    files = [p for p in (installation.settings.storage / "files").rglob("*") if p.is_file()]
    for path in files:
        if path.name != kept["path"].split("/")[1].split(".")[0]:
            path.unlink()
    out = io.BytesIO()
    export = training_export(installation, anna, out)
    assert (export.cases, export.scans, export.missing) == (1, 1, 1)
    assert len(unpacked(out.getvalue(), tmp_path / "after")) == 1


def test_more_cases_than_one_query_takes(installation, anna, send, tmp_path, monkeypatch):
    monkeypatch.setattr(statements, "_AT_ONCE", 2)
    for number in range(5):
        read(installation, anna, send(scan_png(60 + number, 50)), PITUITARY)
    rows = exported(installation, anna, tmp_path)
    assert len({row["path"] for row in rows}) == 5
    assert [row["patient"] for row in rows] == list("12345")


def test_every_class_has_its_folder(installation, anna, boris, send, tmp_path):
    for number, name in enumerate(CLASSES):
        case_id = send(scan_png(60 + number, 50, lesion=name is NO_TUMOR))
        read(installation, anna, case_id, name)
        if name is GLIOMA:
            read(installation, boris, case_id, name)
    rows = exported(installation, anna, tmp_path, all_reported=True)
    assert {row["path"].split("/")[0] for row in rows} == set(CLASSES)
