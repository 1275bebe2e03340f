"""Pages of the worklist against plain sorting, and the plans that keep them quick."""

import base64
import json
import random
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, select

from core.errors import InputError
from core.services.installation import Installation
from core.store import studies, worklist
from core.store.tables import StudyRow
from core.store.worklist import next_case, worklist_page
from core.types import CaseStatus, SortKey, TumourClass, WorklistPage, WorklistQuery
from tests.core.store.made_up import AMBER, NOW, RATE, add_case, add_reader, finding, priority, show
from tests.installations import make_installation

# Column that decides, and whether the largest comes first.
ORDERS = {
    SortKey.PRIORITY: ("rank_key", True),
    SortKey.WAITING: ("received_at", False),
    SortKey.TUMOUR_PROBABILITY: ("tumour_probability", True),
    SortKey.LESION_SIZE: ("lesion_fraction", True),
    SortKey.PATIENT_REFERENCE: ("reference_folded", False),
}
REFERENCES = [None, "a", "A 1", "a 2", "ab", "Z", "ä", "%", "_", "50%", "😀", "é", "B'; --", 'q"']
FILTERS: dict[str, dict[str, Any]] = {
    "open": {},
    "everything": {"statuses": tuple(CaseStatus)},
    "one status": {"statuses": (CaseStatus.NEW,)},
    "two statuses": {"statuses": (CaseStatus.FAILED, CaseStatus.IN_REVIEW)},
    "reported": {"statuses": (CaseStatus.REPORTED,)},
    "new and reported": {"statuses": (CaseStatus.NEW, CaseStatus.REPORTED)},
    "glioma": {"predicted": TumourClass.GLIOMA},
    "flagged": {"flagged": True},
    "of a reader": {"assignee_id": 1},
    "of nobody": {"unassigned": True},
    "over target": {"over_target": True},
    "search": {"search": " A"},
    "several": {"predicted": TumourClass.NO_TUMOR, "unassigned": True, "search": "a"},
    "nothing left": {"assignee_id": 2, "unassigned": True},
}


@pytest.fixture(params=[1000, 0], ids=["looked up", "met along the way"])
def way(request, monkeypatch) -> int:
    """Both ways to meet the cases that a filter leaves."""
    monkeypatch.setattr(worklist, "_FEW", request.param)
    return request.param


def _page(installation: Installation, query: WorklistQuery, now: float = NOW) -> WorklistPage:
    with installation.database.reading() as session:
        return worklist_page(session, query, now, RATE, AMBER)


def _all_pages(installation: Installation, query: WorklistQuery) -> list[int]:
    found: list[int] = []
    while True:
        page = _page(installation, query)
        assert len(page.rows) == query.limit or page.cursor is None
        found += [row.id for row in page.rows]
        if page.cursor is None:
            return found
        query = replace(query, after=page.cursor)


def _passes(row: StudyRow, query: WorklistQuery) -> bool:
    statuses = query.statuses or tuple(set(CaseStatus) - {CaseStatus.REPORTED})
    waits = row.status != CaseStatus.REPORTED
    return all([
        row.status in statuses,
        query.predicted is None or row.predicted == query.predicted,
        query.assignee_id is None or row.assignee_id == query.assignee_id,
        not query.unassigned or row.assignee_id is None,
        not query.flagged or row.flagged,
        not query.over_target or (waits and row.due_at < NOW),
        (row.reference_folded or "").startswith(query.search.strip().casefold()),
    ])  # fmt: skip


def _expected(installation: Installation, query: WorklistQuery) -> list[int]:
    with installation.database.reading() as session:
        rows = [row for row in session.scalars(select(StudyRow)) if _passes(row, query)]
    column, largest_first = ORDERS[query.sort]
    step = -1 if largest_first is not query.reverse else 1
    known = [row for row in rows if getattr(row, column) is not None]
    unknown = [row for row in rows if getattr(row, column) is None]
    known.sort(key=lambda row: (getattr(row, column), row.id))
    unknown.sort(key=lambda row: row.id)
    return [row.id for row in known[::step] + unknown[::step]]


def _fill(installation: Installation, count: int = 50) -> None:
    """Cases of all kinds, with many that are alike in what decides."""
    rng = random.Random(3)
    with installation.database.transaction() as session:
        readers = [add_reader(session, name) for name in ("Ada", "Bob")]
        for _ in range(count):
            seen = None
            if rng.random() < 0.8:
                seen = finding(
                    rng.choice([TumourClass.GLIOMA, TumourClass.NO_TUMOR]),
                    rng.choice([0.1, 0.5, 0.9]),
                    rng.choice([None, 0.01, 0.05]),
                )
            study_id = add_case(
                session,
                rng.choice(REFERENCES),
                received_at=NOW - rng.choice([0, 100, 7200, 90_000]),
                given=priority(rng.choice([0, 20, 60]), 60, rng.random() < 0.4),
                seen=seen,
            )
            studies.set_status(session, study_id, rng.choice(list(CaseStatus)), now=NOW)
            if rng.random() < 0.5:
                studies.set_assignee(session, study_id, rng.choice(readers).id)


@pytest.fixture
def filled(installation: Installation) -> Installation:
    _fill(installation)
    return installation


def _queries(limit: int) -> list[WorklistQuery]:
    """Every filter in every order, both ways round."""
    return [
        WorklistQuery(**given, sort=sort, reverse=reverse, limit=limit)
        for given in FILTERS.values()
        for sort in SortKey
        for reverse in (False, True)
    ]


def test_pages_give_every_case_once_and_in_order(filled, way):
    for query in _queries(limit=7):
        assert _all_pages(filled, query) == _expected(filled, query), query


def test_the_filters_leave_something(filled):
    """The comparison above compares more than nothing with nothing."""
    counts = {name: len(_expected(filled, WorklistQuery(**FILTERS[name]))) for name in FILTERS}
    assert counts.pop("nothing left") == 0
    assert min(counts.values()) > 0
    assert counts["everything"] == 50


def test_the_order_by_priority_is_that_of_the_scores_at_any_time(filled):
    """Ageing is linear: nothing is recomputed as time goes by, and nothing changes places."""
    for now in (NOW, NOW + 3600, NOW + 30 * 86_400):
        page = _page(filled, WorklistQuery(limit=200), now)
        scores = [row.score for row in page.rows]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) > 20


def test_waiting_overtakes_points(installation):
    """Two points an hour: 20 points more are worth ten hours."""
    with installation.database.transaction() as session:
        old = add_case(session, received_at=NOW - 11 * 3600, given=priority(40))
        new = add_case(session, received_at=NOW, given=priority(60))
        newer = add_case(session, received_at=NOW, given=priority(63))
    assert [row.id for row in _page(installation, WorklistQuery()).rows] == [newer, old, new]


def test_cases_that_arrive_meanwhile_neither_repeat_nor_hide_others(filled):
    query = WorklistQuery(limit=5)
    expected = _expected(filled, query)
    first = _page(filled, query)
    with filled.database.transaction() as session:
        add_case(session, given=priority(1000))
        show(session, first.rows[-1].id, priority(500), finding())  # the last one moves up
    second = _page(filled, replace(query, after=first.cursor))
    assert [row.id for row in second.rows] == expected[5:10]


def test_rows_name_the_assignee(filled):
    rows = _page(filled, WorklistQuery(limit=200)).rows
    assert {row.assignee.name for row in rows if row.assignee} == {"Ada", "Bob"}
    of_ada = _page(filled, WorklistQuery(assignee_id=1)).rows
    assert {row.assignee.id for row in of_ada} == {1}


SEARCHES: list[tuple[str, set[str | None]]] = [
    ("a", {"a", "A 1", "a 2", "ab"}),
    ("A ", {"a", "A 1", "a 2", "ab"}),
    ("a  1", {"A 1"}),
    ("%", {"%"}),
    ("_", {"_"}),
    ("5%", set()),
    ("50%", {"50%"}),
    ("\\", set()),
    ("b'; --", {"B'; --"}),
    ("' OR '1'='1", set()),
    ("'; DROP TABLE studies; --", set()),
    ("😀", {"😀"}),
    ("\x00a", {"a", "A 1", "a 2", "ab"}),
    ("#", set()),
    ("#abc", set()),
    ("   ", set(REFERENCES)),
]


def test_search_is_the_beginning_of_a_reference_and_nothing_else(installation, way):
    with installation.database.transaction() as session:
        for reference in REFERENCES:
            add_case(session, reference)
    for search, finds in SEARCHES:
        found = _page(installation, WorklistQuery(search=search, limit=200)).rows
        assert {row.patient_reference for row in found} == finds, search
    assert len(_page(installation, WorklistQuery(limit=200)).rows) == len(REFERENCES)


def test_search_finds_a_case_by_its_number(filled, way):
    wanted = _expected(filled, WorklistQuery())[3]
    assert [row.id for row in _page(filled, WorklistQuery(search=f" #{wanted} ")).rows] == [wanted]
    for number in (0, 999, 10**18 - 1, 10**30):
        assert _page(filled, WorklistQuery(search=f"#{number}")).rows == ()


def test_a_page_has_a_sensible_size(installation):
    for limit in (0, -1, 201):
        with pytest.raises(InputError, match="1 to 200"):
            _page(installation, WorklistQuery(limit=limit))


def _cursor(*place: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


NO_CURSORS = [
    "",
    "x",
    "'; DROP TABLE studies; --",
    "ÿ",
    _cursor("priority", 1.5),
    _cursor("waiting", 1.5, 1),
    _cursor("priority-reverse", 1.5, 1),
    _cursor("priority", "a text", 1),
    _cursor("priority", None, 1),
    _cursor("priority", 1.5, "1; DROP TABLE studies"),
    _cursor("priority", 1.5, 10**30),
    _cursor("priority", True, 1),
    _cursor("priority", [1], 1),
    base64.urlsafe_b64encode(b"[" * 100_000).decode(),
]


def test_a_cursor_that_no_page_gave_is_refused(filled):
    for cursor in NO_CURSORS:
        with pytest.raises(InputError, match="start with the first"):
            _page(filled, WorklistQuery(after=cursor))


def test_a_text_in_a_cursor_is_data(filled):
    after = _cursor("patient_reference", "' OR 1=1; --\x00\ud800", 1)
    rows = _page(filled, WorklistQuery(sort=SortKey.PATIENT_REFERENCE, after=after)).rows
    assert len(rows) > 0


def test_sqlite_reads_pages_along_an_index(tmp_path, monkeypatch):
    """Neither a look at every case nor sorting of many, which would take longer with each case."""
    installation = make_installation(tmp_path)
    _fill(installation, 20)
    monkeypatch.setattr(worklist, "_FEW", 0)
    plans = []

    def explain(connection, _cursor, statement, parameters, *_):
        raw = connection.connection.driver_connection
        if "FROM studies" in statement:
            plans.extend(
                (statement, row[3])
                for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            )

    with installation.database.reading() as session:
        event.listen(session.get_bind(), "before_cursor_execute", explain)
        for query in _queries(limit=3):
            page = worklist_page(session, query, NOW, RATE, AMBER)
            worklist_page(session, replace(query, after=page.cursor), NOW, RATE, AMBER)
        next_case(session, exclude=(5,), reader_id=1)
    assert plans
    assert [plan for plan in plans if "SCAN studies" in plan[1] or "TEMP B-TREE" in plan[1]] == []
