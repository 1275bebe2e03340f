"""Live figures are what happened, on the day it happened in UTC."""

from datetime import UTC, date, datetime, timedelta

from core.store import reviews, statistics, studies
from core.store.statistics import AgreementCount, DayScores, DayVolume
from core.types import CaseStatus, TumourClass
from tests.core.store.made_up import RATE, add_case, add_image, add_reader, finding, link, score

DAY = date(2026, 3, 28)  # the clocks change in the night that follows
NEXT = DAY + timedelta(days=1)


def _at(day: date, hour: float) -> float:
    return (datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)).timestamp()


def _scan(session, at, tumour_probability=0.9, **seen):
    study_id, image_id = add_case(session), add_image(session, now=at)
    link(session, study_id, image_id, at)
    score(session, image_id, finding(tumour_probability=tumour_probability, **seen), at)
    return study_id


def _read(session, study_id, reader, said: TumourClass, at=0.0):
    reviews.add_decision(
        session, study_id=study_id, reader_id=reader.id, finding=said, urgency=None,
        mask_wrong=False, asks_second=False, status_after=CaseStatus.REPORTED,
        expected_version=studies.study_version(session, study_id), now=at,
    )  # fmt: skip


def test_a_quiet_time_is_shown_as_such(installation):
    with installation.database.reading() as session:
        assert statistics.volume_per_day(session, DAY, NEXT) == [
            DayVolume(DAY, 0, 0, 0), DayVolume(NEXT, 0, 0, 0),
        ]  # fmt: skip
        assert statistics.scores_per_day(session, DAY, DAY) == [DayScores(DAY, (0,) * 10, 0)]
        assert statistics.agreement(session) == []


def test_volume_belongs_to_the_day_from_its_first_moment_to_its_last(installation):
    with installation.database.transaction() as session:
        ada = add_reader(session, "Ada")
        for at in (_at(DAY, 0), _at(DAY, 23.9999), _at(NEXT, 0), _at(DAY, -0.0001), _at(NEXT, 24)):
            _scan(session, at)
        study_id = add_case(session)
        link(session, study_id, add_image(session), _at(DAY, 12))
        for hour in (23.9999, 24):
            _read(session, study_id, ada, TumourClass.GLIOMA, _at(DAY, hour))
        found = statistics.volume_per_day(session, DAY, NEXT)
    assert found == [DayVolume(DAY, 3, 2, 1), DayVolume(NEXT, 1, 1, 1)]


def test_scores_fall_into_ten_bins(installation):
    with installation.database.transaction() as session:
        for value in (0.0, 0.0999, 0.1, 0.55, 0.9, 1.0):
            _scan(session, _at(DAY, 3), value)
        _scan(session, _at(NEXT, 3), 0.3, in_distribution=False)
        found = statistics.scores_per_day(session, DAY, NEXT)
    assert found == [
        DayScores(DAY, (2, 1, 0, 0, 0, 1, 0, 0, 0, 2), 0),
        DayScores(NEXT, (0, 0, 0, 1, 0, 0, 0, 0, 0, 0), 1),
    ]


def test_agreement_counts_each_readers_last_word_in_a_round(installation):
    glioma, none = TumourClass.GLIOMA, TumourClass.NO_TUMOR
    with installation.database.transaction() as session:
        ada, bob = add_reader(session, "Ada"), add_reader(session, "Bob")
        first = add_case(session, seen=finding(glioma))
        _read(session, first, ada, none, at=1)
        _read(session, first, bob, glioma, at=2)
        _read(session, first, ada, glioma, at=3)  # changes her mind
        studies.reopen(session, first, RATE, 4)
        _read(session, first, ada, none, at=5)
        second = add_case(session, seen=finding(none, model_version="model-2"))
        _read(session, second, bob, none, at=6)
        _read(session, add_case(session), bob, glioma, at=7)  # no model had seen it
        assert statistics.agreement(session) == [
            AgreementCount("model-1", glioma, glioma, 2),
            AgreementCount("model-1", glioma, none, 1),
            AgreementCount("model-2", none, none, 1),
        ]
        assert statistics.agreement(session, since=6) == [
            AgreementCount("model-2", none, none, 1),
        ]


def test_simulated_cases_are_counted_nowhere(installation):
    glioma, at = TumourClass.GLIOMA, _at(DAY, 3)
    with installation.database.transaction() as session:
        ada = add_reader(session, "Ada")
        patient, image = add_case(session, "P-1", seen=finding(glioma)), add_image(session, now=at)
        link(session, patient, image, at)
        sample = add_case(session, "SIMULATED-01", site="Simulated sample", seen=finding(glioma))
        drawn = add_image(session, now=at)
        link(session, sample, drawn, at)
        # The patient's picture was sent to the sample too, by mistake: it counts once, not never.
        link(session, sample, image, at)
        for one in (image, drawn):
            score(session, one, finding(tumour_probability=0.95), at)
        for case in (patient, sample):
            _read(session, case, ada, glioma, at)
        assert statistics.volume_per_day(session, DAY, DAY) == [DayVolume(DAY, 1, 1, 1)]
        assert statistics.scores_per_day(session, DAY, DAY) == [DayScores(DAY, (0,) * 9 + (1,), 0)]
        assert statistics.agreement(session) == [AgreementCount("model-1", glioma, glioma, 1)]


def test_only_site_and_reference_together_make_a_case_simulated(installation):
    glioma = TumourClass.GLIOMA
    with installation.database.transaction() as session:
        ada = add_reader(session, "Ada")
        for reference, site in (
            ("P-1", "Simulated sample"), ("SIMULATED-01", "North"), ("SIMULATED-02", None),
            (None, "Simulated sample"), (None, None), ("simulated", "Simulated sample"),
        ):  # fmt: skip
            case = add_case(session, reference, site=site, seen=finding(glioma))
            _read(session, case, ada, glioma)
        assert [one.count for one in statistics.agreement(session)] == [6]
