"""The table of what the model says of the samples."""

import dataclasses

from core.services.samples import samples
from core.types import TumourClass
from samples.verdicts import TABLE, as_table, own_settings
from tests.fakes import case_summary


def test_the_table_says_where_the_model_is_wrong():
    glioma = next(one for one in samples() if one.meant is TumourClass.GLIOMA)
    healthy = next(one for one in samples() if one.meant is TumourClass.NO_TUMOR)
    right = case_summary(patient_reference=glioma.reference)
    wrong = case_summary(patient_reference=healthy.reference, flagged=True)
    unscored = dataclasses.replace(wrong, predicted=None, probability=None, model_version=None,
                                   tumour_probability=None)  # fmt: skip
    lines = as_table([(glioma, right), (healthy, wrong), (healthy, unscored)]).splitlines()
    assert "Model fake-1, none: 1 of 3 are right." in lines
    first, second, third = lines[-3:]
    assert "| Glioma | Glioma, 91.2 % | 95.3 % |" in first
    assert first.endswith("| right |")
    assert (
        "| None of the three | Glioma, 91.2 % | 95.3 % | for a human look | **wrong** |" in second
    )
    assert "| nothing |" in third
    assert third.endswith("**wrong** |")


def test_the_table_of_the_repository_names_every_sample():
    text = TABLE.read_text(encoding="utf-8")
    assert all(f"| {one.reference} |" in text for one in samples())


def test_the_samples_never_reach_the_database_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROTRIAGE_DATABASE_URL", "postgresql+psycopg://hospital/worklist")
    monkeypatch.setenv("NEUROTRIAGE_QUEUE_URL", "redis://hospital")
    settings = own_settings(tmp_path)
    assert settings.storage == tmp_path
    assert settings.database_url.get_secret_value() == ""
    assert settings.queue_url.get_secret_value() == ""
