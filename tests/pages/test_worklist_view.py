"""What a session keeps of its worklist: order, pages, selection."""

from core.types import SortKey
from pages.components.worklist_view import View


def test_the_same_header_twice_turns_the_order_round():
    view = View(cursors=["a"])
    view.sort_by(SortKey.WAITING)
    assert (view.sort, view.reverse, view.descending, view.page) == (
        SortKey.WAITING, False, True, 1
    )  # fmt: skip
    view.sort_by(SortKey.WAITING)
    assert (view.reverse, view.descending) == (True, False)
    view.sort_by(SortKey.PATIENT_REFERENCE)
    assert (view.reverse, view.descending) == (False, False)


def test_a_late_message_from_the_browser_does_not_bring_a_selection_back():
    view = View()
    view.selected_in_browser(0, [1, 2])
    assert view.selected == [1, 2]
    view.select([])
    view.selected_in_browser(0, [1, 2])
    assert view.selected == []
