"""Cases come about once and change under a lock; readers with an old version are told."""

from datetime import UTC, date, datetime

import pytest

from core.errors import ConflictError, InputError
from core.store import audit, presence, studies
from core.store.rows import folded_reference
from core.types import (
    CaseStatus,
    Reason,
    RequestedPriority,
    StudyDetails,
    TumourClass,
    WaitState,
)
from tests.core.store.made_up import (
    AMBER,
    NOW,
    RATE,
    add_case,
    add_reader,
    finding,
    priority,
    show,
)

DAY = 86_400


def _case(session, study_id, now=NOW):
    return studies.get_case(session, study_id, now, RATE, AMBER)


def _send(session, key, now=NOW, **details):
    return studies.find_or_create_study(
        session, study_key=key, details=StudyDetails(**details), priority=priority(),
        rate_per_second=RATE, now=now,
    )  # fmt: skip


def test_a_case_is_as_it_was_sent_and_scored(installation):
    details = StudyDetails(
        "Pat 1", date(2026, 5, 4), "Ward 3", "Headache", RequestedPriority.URGENT
    )
    seen = finding(TumourClass.MENINGIOMA, 0.8, area_fraction=0.02)
    with installation.database.transaction() as session:
        study_id, created = studies.find_or_create_study(
            session, study_key="k", details=details, priority=priority(),
            rate_per_second=RATE, now=NOW,
        )  # fmt: skip
        assert created
        show(session, study_id, priority(40, target_minutes=60, flagged=True), seen)
    with installation.database.reading() as session:
        case = _case(session, study_id, NOW + 1800)
        assert studies.case_details(session, study_id) == details
    assert case.received_at == datetime.fromtimestamp(NOW, UTC)
    assert (case.due_at - case.received_at).total_seconds() == 3600
    assert case.waited_minutes == 30
    assert case.wait_state is WaitState.ON_TIME
    assert case.score == pytest.approx(40 + RATE * 1800)
    assert case.reasons == (Reason("glioma", "Glioma is likely.", 40),)
    assert (case.predicted, case.tumour_probability, case.lesion, case.flagged) == (
        TumourClass.MENINGIOMA, 0.8, seen.lesion, True,
    )  # fmt: skip
    assert (case.patient_reference, case.site, case.requested, case.urgency) == (
        "Pat 1", "Ward 3", RequestedPriority.URGENT, None,
    )  # fmt: skip
    assert case.thumbnail_key == "f" * 64


def test_the_same_key_is_the_same_case_and_adds_what_it_lacked(installation):
    with installation.database.transaction() as session:
        study_id, _ = _send(session, "k", patient_reference="P", site="Ward 3")
        again = _send(
            session, "k", site="Ward 4", indication="Seizure", requested=RequestedPriority.URGENT
        )
        assert again == (study_id, False)
        _send(session, "k", requested=RequestedPriority.ROUTINE)
        found = studies.case_details(session, study_id)
    assert found == StudyDetails("P", None, "Ward 3", "Seizure", RequestedPriority.URGENT)


def test_nothing_new_is_no_new_version(installation):
    with installation.database.transaction() as session:
        study_id, _ = _send(session, "k", site="Ward 3")
        show(session, study_id, priority(40), finding())
        version = studies.study_version(session, study_id)
        _send(session, "k", site="Ward 3")
        show(session, study_id, priority(40), finding())
        assert studies.study_version(session, study_id) == version
        show(session, study_id, priority(41), finding())
        assert studies.study_version(session, study_id) == version + 1


def test_a_scan_that_is_taken_back_leaves_nothing_of_it_in_the_row(installation):
    with installation.database.transaction() as session:
        study_id = add_case(session, seen=finding(area_fraction=0.1))
        show(session, study_id, priority(), None)
    with installation.database.reading() as session:
        case = _case(session, study_id)
    assert (case.predicted, case.probability, case.tumour_probability) == (None, None, None)
    assert (case.lesion, case.thumbnail_key, case.model_version) == (None, None, None)


def test_a_reported_case_waits_no_longer_and_a_new_scan_starts_it_anew(installation):
    with installation.database.transaction() as session:
        study_id = add_case(session, given=priority(10, target_minutes=60))
        studies.set_status(session, study_id, CaseStatus.REPORTED, now=NOW + 7200)
    with installation.database.reading() as session:
        case = _case(session, study_id, NOW + 10 * DAY)
        assert (case.waited_minutes, case.wait_state) == (120, WaitState.OVER_TARGET)
        assert case.score == pytest.approx(10 + RATE * 7200)
    with installation.database.transaction() as session:
        studies.reopen(session, study_id, RATE, NOW + 2 * DAY)
    with installation.database.reading() as session:
        case = _case(session, study_id, NOW + 2 * DAY + 600)
        assert (case.status, case.waited_minutes) == (CaseStatus.NEW, 10)
        assert (case.due_at - case.received_at).total_seconds() == 3600
        assert case.score == pytest.approx(10 + RATE * 600)
        assert studies.study_round(session, study_id) == 2


def test_the_first_report_is_when_waiting_ended(installation):
    with installation.database.transaction() as session:
        study_id = add_case(session)
        studies.set_status(session, study_id, CaseStatus.REPORTED, now=NOW + 60)
        studies.set_status(session, study_id, CaseStatus.REPORTED, now=NOW + 600)
        assert _case(session, study_id).waited_minutes == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda session, case, version: studies.set_status(
            session, case, CaseStatus.IN_REVIEW, now=NOW, expected_version=version
        ),
        lambda session, case, version: studies.set_assignee(
            session, case, None, expected_version=version
        ),
    ],
    ids=["status", "assignee"],
)
def test_whoever_acts_on_an_old_version_is_told_and_nothing_is_written(installation, change):
    with installation.database.transaction() as session:
        study_id, ada = add_case(session), add_reader(session, "Ada")
        seen = studies.study_version(session, study_id)
        studies.set_assignee(session, study_id, ada.id, expected_version=seen)
        audit.log_action(
            session, action="assigned", text="Took the case.", now=NOW, user_id=ada.id,
            study_id=study_id,
        )  # fmt: skip
        audit.log_action(session, action="opened", text="Opened it.", now=NOW, study_id=study_id)
    with installation.database.reading() as session:
        before = _case(session, study_id)
    with (
        pytest.raises(
            ConflictError,
            match=r"^Ada \(unverified\) changed this case since you opened it \(Took the case\)\. "
            r"Nothing was saved\. Please look at it again\.$",
        ),
        installation.database.transaction() as session,
    ):
        change(session, study_id, seen)
    with installation.database.reading() as session:
        assert _case(session, study_id) == before


def test_a_conflict_that_nobody_wrote_down_is_told_all_the_same(installation):
    with installation.database.transaction() as session:
        study_id = add_case(session)
        studies.set_status(session, study_id, CaseStatus.IN_REVIEW, now=NOW)
        with pytest.raises(ConflictError, match="has changed since you opened it"):
            studies.set_assignee(session, study_id, None, expected_version=1)


@pytest.mark.parametrize("number", [0, -1, 999, 2**63, 10**30])
def test_a_case_that_does_not_exist_is_said(installation, number):
    asks = [
        lambda session: _case(session, number),
        lambda session: studies.study_version(session, number),
        lambda session: studies.set_assignee(session, number, None),
    ]
    for ask in asks:
        with (
            pytest.raises(InputError, match=f"no case with the number {number}"),
            installation.database.transaction() as session,
        ):
            ask(session)


def test_earlier_cases_are_those_of_the_same_patient_before_this_one(installation):
    with installation.database.transaction() as session:
        first = add_case(session, "Pat  7", study_date=date(2026, 1, 1), received_at=NOW)
        late = add_case(session, "PAT 7", study_date=date(2025, 1, 1), received_at=NOW + DAY)
        own = add_case(session, "pat 7", study_date=date(2026, 2, 1), received_at=NOW)
        add_case(session, "pat 7", study_date=date(2026, 3, 1), received_at=NOW)
        undated = add_case(session, "pat 7", received_at=NOW)  # in January 2027
        add_case(session, "pat 77", study_date=date(2020, 1, 1))
        nameless = add_case(session)
        add_case(session)
    with installation.database.reading() as session:
        assert studies.earlier_studies(session, own) == [first, late]
        assert studies.earlier_studies(session, late) == []
        assert studies.earlier_studies(session, nameless) == []
        assert len(studies.earlier_studies(session, undated)) == 4


@pytest.mark.parametrize(
    ("one", "other"),
    [("AB-1", "ab-1"), (" a  b ", "A B"), ("ＡＢ１", "ab1"), ("STRASSE", "Straße")],
)
def test_references_are_the_same_however_they_are_typed(one, other):
    assert folded_reference(one) == folded_reference(other)


def test_references_that_differ_stay_apart():
    references = ["P1", "P 1", "P-1", "P11", "P%", "P_"]
    assert len({folded_reference(reference) for reference in references}) == len(references)


def test_any_text_can_be_kept(installation):
    """NUL and half characters, which databases refuse, are left out or replaced."""
    with installation.database.transaction() as session:
        study_id = add_case(
            session, "P\x00\ud800" + "\ufdfa" * 118, indication="a\x00b", site="\x00"
        )
        audit.log_action(session, action="x", text="\udfff\x00", now=NOW, study_id=study_id)
        found = studies.case_details(session, study_id)
    assert (found.patient_reference[:2], found.indication, found.site) == ("P?", "ab", "")


def test_who_has_a_case_open_is_known_for_a_while(installation):
    with installation.database.transaction() as session:
        study_id, other = add_case(session), add_case(session)
        bob, ada = add_reader(session, "Bob"), add_reader(session, "Ada")
        presence.touch_presence(session, study_id, bob.id, NOW - 100)
        presence.touch_presence(session, study_id, bob.id, NOW)
        presence.touch_presence(session, study_id, ada.id, NOW - 50)
        presence.touch_presence(session, other, ada.id, NOW)
    with installation.database.reading() as session:
        assert presence.present_readers(session, study_id, NOW - 60) == [ada, bob]
        assert presence.present_readers(session, study_id, NOW - 10) == [bob]


def test_history_names_the_account_and_keeps_the_order(installation):
    with installation.database.transaction() as session:
        study_id, other = add_case(session), add_case(session)
        ada, bob = add_reader(session, "Ada", verified=True), add_reader(session, "Bob")
        for user, action in ((None, "scored"), (ada, "decision"), (bob, "note")):
            audit.log_action(
                session, action=action, text=f"{action}.", now=NOW + 1, study_id=study_id,
                user_id=None if user is None else user.id,
            )  # fmt: skip
        audit.log_action(session, action="note", text="Elsewhere.", now=NOW, study_id=other)
    with installation.database.reading() as session:
        found = audit.history(session, study_id)
    assert [(entry.who, entry.action) for entry in found] == [
        ("system", "scored"), ("Ada", "decision"), ("Bob (unverified)", "note"),
    ]  # fmt: skip
    assert found[0].at == datetime.fromtimestamp(NOW + 1, UTC)
