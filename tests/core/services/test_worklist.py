"""The worklist's services, on every kind of back end."""

import csv
import io
import threading

import pytest

from core.errors import ConflictError, InputError, StoreError
from core.services import worklist
from core.services.readers import add_reader
from core.services.worklist import (
    assign,
    cases_csv,
    counters,
    take,
    thumbnail,
    worklist_csv,
    worklist_page,
)
from core.store import audit, studies
from core.store.tables import AuditRow
from core.types import CaseStatus, WorklistQuery
from tests.core.store.made_up import NOW, add_case, finding, priority


@pytest.fixture(autouse=True)
def at_noon(monkeypatch):
    monkeypatch.setattr(worklist, "now", lambda: NOW)


@pytest.fixture
def ada(installation):
    return add_reader(installation, "Ada")


@pytest.fixture
def bo(installation):
    return add_reader(installation, "Bo")


@pytest.fixture
def cases(installation):
    """Three cases, the least urgent first."""
    with installation.database.transaction() as session:
        return [
            add_case(session, f"P-{n}", given=priority(score=10 * n), seen=finding())
            for n in (1, 2, 3)
        ]


def change(installation, do, *args, **options):
    with installation.database.transaction() as session:
        return do(session, *args, **options)


def by_id(installation, *statuses):
    query = WorklistQuery(statuses=statuses)
    return {row.id: row for row in worklist_page(installation, query).rows}


def history(installation, case):
    with installation.database.reading() as session:
        return [(entry.action, entry.who, entry.text) for entry in audit.history(session, case)]


def lines(table):
    return list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline="")))


def test_the_most_urgent_case_comes_first(installation, cases):
    page = worklist_page(installation, WorklistQuery())
    assert [row.id for row in page.rows] == cases[::-1]
    assert counters(installation).waiting == 3


def test_the_time_waited_is_a_reason_and_the_reasons_add_up_to_the_score(installation):
    with installation.database.transaction() as session:
        old = add_case(session, received_at=NOW - 10 * 3600, given=priority(score=10))
        new = add_case(session, received_at=NOW - 60, given=priority(score=50))
    rows = by_id(installation)
    assert [reason.text for reason in rows[old].reasons] == ["Waited 10 h", "Glioma is likely."]
    assert sum(reason.points for reason in rows[old].reasons) == pytest.approx(rows[old].score)
    # A minute has moved nothing.
    assert [reason.code for reason in rows[new].reasons] == ["glioma"]


def test_a_reported_case_waits_no_longer(installation):
    with installation.database.transaction() as session:
        case = add_case(session, received_at=NOW - 10 * 3600)
        studies.set_status(session, case, CaseStatus.REPORTED, now=NOW)
    row = by_id(installation, CaseStatus.REPORTED)[case]
    assert [reason.code for reason in row.reasons] == ["glioma"]


def test_a_case_of_nobodys_is_taken_and_that_is_written_down(installation, cases, ada):
    take(installation, ada, cases[0])
    assert by_id(installation)[cases[0]].assignee == ada
    assert history(installation, cases[0])[-1] == (
        "assigned", "Ada (unverified)", "Assigned to Ada"
    )  # fmt: skip


def test_who_is_late_is_told_who_has_the_case(installation, cases, ada, bo):
    take(installation, ada, cases[0])
    with pytest.raises(ConflictError, match="Ada took case"):
        take(installation, bo, cases[0])
    assert by_id(installation)[cases[0]].assignee == ada


def test_of_two_who_take_a_case_at_once_one_gets_it(installation, cases, ada, bo):
    start, outcomes = threading.Barrier(2), []

    def try_it(reader):
        start.wait()
        try:
            take(installation, reader, cases[0])
            outcomes.append(reader)
        except ConflictError:
            outcomes.append(None)

    threads = [threading.Thread(target=try_it, args=(reader,)) for reader in (ada, bo)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(None) == 1
    assert by_id(installation)[cases[0]].assignee in outcomes


def test_a_case_that_was_reported_meanwhile_is_not_taken(installation, cases, ada):
    change(installation, studies.set_status, cases[0], CaseStatus.REPORTED, now=NOW)
    with pytest.raises(ConflictError, match="reported"):
        take(installation, ada, cases[0])


def test_cases_are_assigned_whoever_has_them_and_only_changes_count(installation, cases, ada, bo):
    take(installation, ada, cases[0])
    take(installation, bo, cases[1])
    assert assign(installation, ada, cases, bo) == 2
    assert {row.assignee for row in by_id(installation).values()} == {bo}
    assert history(installation, cases[0])[-1][2] == "Assigned to Bo, before Ada's"
    assert [entry[2] for entry in history(installation, cases[1])] == ["Assigned to Bo"]


def test_a_reported_case_stays_with_whoever_reported_it(installation, cases, ada, bo):
    take(installation, ada, cases[0])
    change(installation, studies.set_status, cases[0], CaseStatus.REPORTED, now=NOW)
    assert assign(installation, bo, cases, bo) == 2
    reported = by_id(installation, CaseStatus.REPORTED)
    assert reported[cases[0]].assignee == ada


def test_a_case_given_back_in_review_is_new_again(installation, cases, ada, bo):
    take(installation, ada, cases[0])
    change(installation, studies.set_status, cases[0], CaseStatus.IN_REVIEW, now=NOW)
    assert assign(installation, bo, [cases[0]], None) == 1
    row = by_id(installation)[cases[0]]
    assert (row.assignee, row.status) == (None, CaseStatus.NEW)
    assert counters(installation).by_status[CaseStatus.NEW] == 3


def test_a_case_that_does_not_exist_leaves_all_as_it_was(installation, cases, ada):
    with pytest.raises(InputError):
        assign(installation, ada, [cases[0], 999_999], ada)
    assert by_id(installation)[cases[0]].assignee is None
    assert history(installation, cases[0]) == []


def test_the_table_has_what_the_filters_let_through_on_all_pages(installation, ada, monkeypatch):
    monkeypatch.setattr(worklist, "_LARGEST_PAGE", 3)
    with installation.database.transaction() as session:
        for n in range(8):
            add_case(session, f"A-{n}", given=priority(score=n))
        add_case(session, "B-1")
    table = worklist_csv(installation, ada, WorklistQuery(search="A-", limit=2, after="old"))
    assert [line["Patient reference"] for line in lines(table)] == [f"A-{n}" for n in range(8)][
        ::-1
    ]


def test_the_table_of_chosen_cases_has_them_most_urgent_first(installation, cases, ada):
    table = cases_csv(installation, ada, [cases[0], cases[2], cases[0]])
    assert [line["Case"] for line in lines(table)] == [str(cases[2]), str(cases[0])]


def test_who_exported_what_is_written_down(installation, cases, ada):
    cases_csv(installation, ada, cases)
    with installation.database.reading() as session:
        entry = session.query(AuditRow).filter_by(action="exported").one()
    assert (entry.user_id, entry.text) == (ada.id, "Table of 3 cases exported")


def test_a_small_picture_comes_from_the_store(installation):
    key = installation.files.put(b"a picture")
    assert thumbnail(installation, key) == b"a picture"
    with pytest.raises(StoreError):
        thumbnail(installation, "0" * 64)
