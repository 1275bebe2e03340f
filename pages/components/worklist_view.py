"""What a reader has set on the worklist; it outlives a visit to a case, in the session."""

from dataclasses import dataclass, field

import streamlit as st

from core.types import SortKey, WorklistQuery

_SLOT = "worklist_view"


@dataclass
class View:
    """Order, page and selection.

    Attributes:
        sort: the order.
        reverse: the other way round.
        page_size: cases a page.
        cursors: where the pages before the present one ended, first page first.
        selected: numbers of the selected cases, whatever page they are on.
        epoch: rises when the selection is set from here, so that the browser takes it over.
        came_from: the case that was opened last, to stand at when the reader comes back.
        query: what the table shows.
        message: what to tell the reader next.
    """

    sort: SortKey = SortKey.PRIORITY
    reverse: bool = False
    page_size: int = 25
    cursors: list[str] = field(default_factory=list)
    selected: list[int] = field(default_factory=list)
    epoch: int = 0
    came_from: int | None = None
    query: WorklistQuery = field(default_factory=WorklistQuery)
    message: str | None = None

    @property
    def page(self) -> int:
        """Number of the present page, from 1."""
        return len(self.cursors) + 1

    @property
    def after(self) -> str | None:
        """Where the page before ended; None on the first one."""
        return self.cursors[-1] if self.cursors else None

    @property
    def cases_before(self) -> int:
        """How many cases stand on the pages before."""
        return len(self.cursors) * self.page_size

    @property
    def descending(self) -> bool:
        """Whether large values stand first; references are sorted from A to Z by nature."""
        return (self.sort is SortKey.PATIENT_REFERENCE) == self.reverse

    def sort_by(self, key: SortKey) -> None:
        """Another order, or the present one the other way round; from the first page."""
        self.reverse = key is self.sort and not self.reverse
        self.sort = key
        self.to_first_page()

    def to_first_page(self) -> None:
        self.cursors = []
        self.came_from = None

    def to_next_page(self, cursor: str) -> None:
        self.cursors.append(cursor)
        self.came_from = None

    def to_previous_page(self) -> None:
        self.cursors.pop()
        self.came_from = None

    def selected_in_browser(self, epoch: int, cases: list[int]) -> None:
        """Take over what the reader selected, unless it was set from here in the meantime."""
        if epoch == self.epoch:
            self.selected = cases

    def select(self, cases: list[int]) -> None:
        """Set the selection, in the browser as well."""
        self.selected = cases
        self.epoch += 1


def current_view() -> View:
    view: View = st.session_state.setdefault(_SLOT, View())
    return view
