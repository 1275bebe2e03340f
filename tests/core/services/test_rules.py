"""Other rules of priority reach the cases that were ranked before."""

import pytest

from core.config import PriorityRules
from core.services import rules
from core.services.rules import apply_rules
from core.store import audit, studies
from core.store.worklist import worklist_page
from core.types import CaseStatus, TumourClass, WorklistQuery
from tests.core.store.made_up import AMBER, NOW, add_case, add_image, finding, link, priority, score
from tests.installations import make_installation

OTHER_RULES = PriorityRules(meningioma=20, pituitary=40, waiting_per_hour=12)
RATE = 12 / 3600


def _scored(session, predicted: TumourClass) -> int:
    study_id, image_id = add_case(session, given=priority(50)), add_image(session)
    link(session, study_id, image_id, NOW)
    score(session, image_id, finding(predicted, 1.0))
    return study_id


@pytest.fixture
def cases(installation) -> tuple[int, int]:
    """A meningioma and a pituitary tumour, ranked by the usual rules."""
    with installation.database.transaction() as session:
        return _scored(session, TumourClass.MENINGIOMA), _scored(session, TumourClass.PITUITARY)


def _reopened(tmp_path, back_end, **settings):
    return make_installation(tmp_path, **back_end, **settings)


def _order(installation, **query) -> list[int]:
    with installation.database.reading() as session:
        page = worklist_page(session, WorklistQuery(**query), NOW, RATE, AMBER)
    return [row.id for row in page.rows]


def test_other_rules_give_another_order_and_the_history_says_so(
    installation, cases, tmp_path, back_end
):
    meningioma, pituitary = cases
    again = _reopened(tmp_path, back_end, priority=OTHER_RULES)
    assert _order(again) == [pituitary, meningioma]
    with again.database.reading() as session:
        case = studies.get_case(session, pituitary, NOW, RATE, AMBER)
        history = audit.history(session, pituitary)
    assert "pituitary" in {reason.code for reason in case.reasons}
    assert case.score == pytest.approx(sum(reason.points for reason in case.reasons))
    assert [(entry.who, entry.action) for entry in history] == [("system", "ranked")]
    again.database.close()
    back = _reopened(tmp_path, back_end)
    assert _order(back) == [meningioma, pituitary]
    back.database.close()


def test_the_same_rules_cost_nothing(installation, cases, tmp_path, back_end):
    _reopened(tmp_path, back_end, priority=OTHER_RULES).database.close()
    settings = installation.settings.model_copy(update={"priority": OTHER_RULES})
    assert apply_rules(installation.database, settings, NOW) == 0
    with installation.database.reading() as session:
        assert len(audit.history(session, cases[0])) == 1


def test_reported_cases_keep_their_score_and_follow_the_rate(installation, tmp_path, back_end):
    with installation.database.transaction() as session:
        old = add_case(session, given=priority(10), received_at=NOW - 36_000)
        new = add_case(session, given=priority(60), received_at=NOW)
        for study_id in (old, new):
            studies.set_status(session, study_id, CaseStatus.REPORTED, now=NOW)
    assert _order(installation, statuses=(CaseStatus.REPORTED,)) == [new, old]
    again = _reopened(tmp_path, back_end, priority=OTHER_RULES)
    assert _order(again, statuses=(CaseStatus.REPORTED,)) == [old, new]
    with again.database.reading() as session:
        assert studies.get_case(session, new, NOW, RATE, AMBER).score == pytest.approx(60)
        assert studies.study_version(session, new) == 2
    again.database.close()


def test_what_was_broken_off_is_taken_up_again(
    installation, cases, tmp_path, back_end, monkeypatch
):
    def fail(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(rules, "rerank", fail)
    with pytest.raises(KeyboardInterrupt):
        _reopened(tmp_path, back_end, priority=OTHER_RULES)
    monkeypatch.undo()
    again = _reopened(tmp_path, back_end, priority=OTHER_RULES)
    assert _order(again) == [cases[1], cases[0]]
    again.database.close()
