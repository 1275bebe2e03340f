"""The case that this session has open, and what happened to it meanwhile."""

from dataclasses import dataclass, field
from typing import NoReturn

import streamlit as st

from core.errors import InputError, StoreError
from core.services import words
from core.services.installation import Installation
from core.services.review import CaseView, look_again, open_case
from core.types import HistoryEntry, Reader
from pages.components.text import escaped

_SLOT, _DRAFTS = "open_case", "case_drafts"
# What others may do without the reader having to know before deciding.
_NO_NEWS = frozenset({"opened", "report", "results"})


@dataclass
class Drafts:
    """Part of the keys of a reader's inputs to a case, so that they are empty once they were saved.

    Attributes:
        decision: rises with each saved decision.
        note: rises with each saved note.
    """

    decision: int = 0
    note: int = 0


@dataclass
class OpenCase:
    """An open case.

    Attributes:
        id: number of the case.
        reader_id: who has it open.
        version: the version that is on the page: a decision on another one is refused.
        seen: how much of the history the reader has had before them.
        drafts: what the inputs are known by; kept for the session.
        news: what others did to the case while it was open.
        error: why the last step was not done, and where on the page that was.
        done: what the last step did.
        passed: cases that the reader skipped in this session.
        refresh: whether a step changed more of the page than the part it was taken in.
        ended: whether the reader wanted the next case and there is none.
    """

    id: int
    reader_id: int
    version: int
    seen: int
    drafts: Drafts
    news: list[HistoryEntry] = field(default_factory=list)
    error: tuple[str, str] | None = None
    done: str | None = None
    passed: frozenset[int] = frozenset()
    refresh: bool = False
    ended: bool = False

    def take(self, view: CaseView, me: Reader) -> None:
        """Take over what is on the page now, and note what others did since."""
        fresh = view.history[self.seen :]
        mine = words.account_name(me)
        self.news += [one for one in fresh if one.who != mine and one.action not in _NO_NEWS]
        self.seen, self.version = len(view.history), view.summary.version
        self.refresh = False

    def decided(self, done: str, with_note: bool) -> None:
        """A decision is in the store: its inputs start afresh."""
        self.done = done
        self.news = []
        self.drafts.decision += 1
        self.drafts.note += with_note

    def noted(self, done: str) -> None:
        """A note is in the store; the decision that is being made stays."""
        self.done = done
        self.drafts.note += 1

    def key(self, name: str) -> str:
        """The key of an input; what it holds outlives a visit to another page, but not a save."""
        return f"case_{self.id}_{self.reader_id}_{name}_{self.drafts.decision}"

    @property
    def note_key(self) -> str:
        """The key of the note."""
        return f"case_{self.id}_{self.reader_id}_note_{self.drafts.note}"


def opened_case_or_stop(
    installation: Installation, me: Reader, case_id: int
) -> tuple[OpenCase, CaseView]:
    """The case as it stands now, and what the session knows of it.

    Where there is no such case, a message and the way back instead of the page.
    """
    before: OpenCase | None = st.session_state.get(_SLOT)
    mine = before if before is not None and before.reader_id == me.id else None
    try:
        if mine is not None and mine.id == case_id:
            view = look_again(installation, me, case_id)
            mine.take(view, me)
            return mine, view
        view = open_case(installation, me, case_id)
    except (InputError, StoreError) as error:
        no_case("This case cannot be opened", str(error))
    drafts = st.session_state.setdefault(_DRAFTS, {}).setdefault((case_id, me.id), Drafts())
    opened = OpenCase(case_id, me.id, view.summary.version, len(view.history), drafts)
    if mine is not None:
        # What was done to the case before is said on the next one, where the reader is now.
        opened.done, opened.passed = mine.done, mine.passed
    st.session_state[_SLOT] = opened
    return opened, view


def no_case(title: str, text: str) -> NoReturn:
    """Say that there is nothing to show, and lead back."""
    st.title(title)
    st.write(text)
    st.page_link("pages/worklist.py", label="Back to the worklist", icon=":material/arrow_back:")
    st.stop()


def follow(opened: OpenCase) -> None:
    """Run the whole page where a step in this part of it changed more than the part."""
    if opened.refresh:
        opened.refresh = False
        st.rerun()


def show_error(opened: OpenCase, *places: str) -> None:
    """Why the last step was not done, at the place where it was taken."""
    if opened.error and opened.error[0] in places:
        st.error(escaped(opened.error[1]), icon=":material/error:")
