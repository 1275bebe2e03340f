"""The sample cases: what is sent, once only, and which cases are samples."""

import json
import shutil
from dataclasses import replace

import pytest

from core.config import DemoRules
from core.errors import InputError
from core.services import samples as service
from core.services.readers import add_reader
from core.services.samples import load_samples, sample_facts, samples, samples_wanted
from core.services.scoring import score_waiting
from core.services.submit import Upload, recent_batches, submit
from core.services.worklist import worklist_page
from core.store import studies
from core.store.series import series_of_study
from core.types import CaseStatus, Plane, StudyDetails, TumourClass, WorklistQuery
from tests.fakes import FakeEngine, scan_png


@pytest.fixture
def reader(installation):
    return add_reader(installation, "Dr Adams")


@pytest.fixture
def few(tmp_path, monkeypatch):
    """Two samples of small pictures in place of those that come with the program."""
    folder = tmp_path / "few"
    (folder / "cases").mkdir(parents=True)
    entries = []
    for number, (meant, heights) in enumerate({"glioma": (120, 121), "no_tumor": (122,)}.items()):
        names = [f"simulated-{height}.png" for height in heights]
        for name, height in zip(names, heights, strict=True):
            picture = scan_png(height=height, lesion=meant == "glioma")
            (folder / "cases" / name).write_bytes(picture)
        entries.append(
            {"reference": f"SIMULATED-{number + 1:02d}", "meant": meant, "kind": "PNG",
             "words": "Made up.", "scans": len(names), "files": names}
        )  # fmt: skip
    (folder / "samples.json").write_text(json.dumps({"seed": 1, "cases": entries}))
    monkeypatch.setattr(service, "_FOLDER", folder)
    samples.cache_clear()
    yield folder
    samples.cache_clear()


def all_cases(installation):
    query = WorklistQuery(statuses=tuple(CaseStatus), limit=200)
    return {case.patient_reference: case for case in worklist_page(installation, query).rows}


def test_the_samples_become_cases_that_say_they_are_simulated(installation, reader, few):
    loaded = load_samples(installation, reader)
    assert (loaded.added, loaded.problems) == (2, ())
    score_waiting(installation, FakeEngine())
    cases = all_cases(installation)
    assert sorted(cases) == ["SIMULATED-01", "SIMULATED-02"]
    assert [cases[name].scan_count for name in sorted(cases)] == [2, 1]
    assert {case.site for case in cases.values()} == {"Simulated sample"}
    assert cases["SIMULATED-01"].predicted is TumourClass.GLIOMA
    with installation.database.reading() as session:
        details = studies.case_details(session, cases["SIMULATED-01"].id)
    assert "nobody’s scan" in details.indication
    # The diagnosis is for the reader to find, not for the request to give away.
    assert "glioma" not in details.indication.lower()


@pytest.mark.slow
def test_all_samples_of_the_program_are_taken_in(installation, reader):
    samples.cache_clear()
    loaded = load_samples(installation, reader)
    assert (loaded.added, loaded.problems) == (12, ())
    cases = all_cases(installation)
    assert {name: case.scan_count for name, case in cases.items()} == {
        one.reference: one.scans for one in samples()
    }
    assert load_samples(installation, reader).added == 0
    # The series and the volume are series with their place in the patient, and say what they are.
    with installation.database.reading() as session:
        found = [s for case in cases.values() for s in series_of_study(session, case.id)]
    assert {(one.source_format, one.plane) for one in found} == {
        ("DICOM", Plane.AXIAL),
        ("NIfTI", Plane.AXIAL),
    }
    assert {one.sequence for one in found} >= {"T1 with contrast"}


def test_loading_twice_adds_nothing(installation, reader, few):
    load_samples(installation, reader)
    before = all_cases(installation)
    assert load_samples(installation, reader).added == 0
    after = all_cases(installation)
    assert {name: case.version for name, case in after.items()} == {
        name: case.version for name, case in before.items()
    }
    assert len(recent_batches(installation, reader, limit=10)) == 2


def test_a_case_that_was_broken_off_is_completed(installation, reader, few):
    first = samples()[0]
    data = first.files[0].read_bytes()
    submit(installation, reader, [Upload("a.png", data)], first.details)
    loaded = load_samples(installation, reader)
    assert loaded.added == 2
    cases = all_cases(installation)
    assert len(cases) == 2
    assert cases["SIMULATED-01"].scan_count == 2


def test_a_sample_that_cannot_be_used_is_told(installation, reader, few):
    (few / "cases" / "simulated-122.png").write_bytes(b"no picture")
    loaded = load_samples(installation, reader)
    assert loaded.added == 1
    assert len(loaded.problems) == 1
    assert loaded.problems[0].startswith("SIMULATED-02: ")


def test_a_file_that_is_gone_is_told(installation, reader, few):
    (few / "cases" / "simulated-120.png").unlink()
    with pytest.raises(InputError, match="SIMULATED-01"):
        load_samples(installation, reader)


def test_an_installation_without_samples_offers_none(installation, reader, few):
    shutil.rmtree(few)
    samples.cache_clear()
    assert samples() == ()
    assert not samples_wanted(installation)


def test_samples_are_offered_until_they_are_there(installation, reader, few):
    assert samples_wanted(installation)
    load_samples(installation, reader)
    assert not samples_wanted(installation)


def test_samples_are_not_offered_among_the_cases_of_patients(installation, reader, few):
    details = StudyDetails(patient_reference="P-1")
    submit(installation, reader, [Upload("a.png", scan_png())], details)
    assert not samples_wanted(installation)


def test_a_full_worklist_is_not_searched_for_samples(installation, reader, few, monkeypatch):
    for number in range(2):
        picture = scan_png(height=120 + number)
        submit(installation, reader, [Upload("a.png", picture)], StudyDetails(site="Ward"))
    monkeypatch.setattr(service, "worklist_page", lambda *_: pytest.fail("it was searched"))
    assert not samples_wanted(installation)


def test_a_visitor_is_offered_samples_among_other_cases_until_they_are_there(
    installation, reader, few
):
    settings = installation.settings.model_copy(update={"demo": DemoRules(mode="on")})
    visited = replace(installation, settings=settings)
    for number in range(3):
        picture = scan_png(height=120 + number, lesion=False)
        submit(visited, reader, [Upload("a.png", picture)], StudyDetails(site="Ward"))
    assert samples_wanted(visited)
    load_samples(visited, reader)
    assert not samples_wanted(visited)


def test_a_case_of_somebody_else_is_no_sample(few):
    first = samples()[0]
    assert sample_facts(first.details) == first
    assert sample_facts(StudyDetails(patient_reference=first.reference)) is None
    assert sample_facts(StudyDetails(patient_reference="P-1", site=first.details.site)) is None
    assert sample_facts(StudyDetails()) is None
