"""What a reader does to a case: each step says on the page what came of it.

They run as callbacks, before the page does: a step counts for the version of the case that was on
the page when it was taken, never for one that this run reads.
"""

from collections.abc import Callable
from enum import StrEnum

import streamlit as st

from core.errors import NeuroTriageError
from core.services import words
from core.services.installation import Installation
from core.services.review import (
    DecisionInput,
    add_note,
    correct_urgency,
    decide,
    next_case,
    start_review,
)
from core.services.submit import retry_failed
from core.services.worklist import assign
from core.types import Reader, RequestedPriority
from pages.components.case_state import OpenCase

# The choice that leaves the urgency as it is.
LEFT = "left"


class Place(StrEnum):
    """Where on the page a step was taken, and hence is answered."""

    DECISION = "decision"
    NOTE = "note"
    STANDING = "standing"
    SCAN = "scan"


def take_over(installation: Installation, me: Reader, opened: OpenCase, version: int) -> None:
    """Make the case the reader's own."""
    _step(opened, Place.STANDING, lambda: start_review(installation, me, opened.id, version))


def give_back(installation: Installation, me: Reader, opened: OpenCase) -> None:
    """Make it nobody's."""
    _step(opened, Place.STANDING, lambda: assign(installation, me, [opened.id], None))


def try_again(installation: Installation, me: Reader, opened: OpenCase) -> None:
    """Have the model look again at the scans that failed."""
    if _step(opened, Place.SCAN, lambda: retry_failed(installation, me, opened.id)):
        opened.done = "The failed scans are tried again."


def save_without_reading(
    installation: Installation, me: Reader, opened: OpenCase, version: int
) -> None:
    """Write the note and the corrected urgency; the reading that is being made stays as it is."""
    urgency, note = _urgency(opened), st.session_state.get(opened.note_key, "")

    def step() -> None:
        if urgency is None:
            add_note(installation, me, opened.id, note)
        else:
            correct_urgency(installation, me, opened.id, version, urgency, note)

    if _step(opened, Place.NOTE, step):
        opened.noted("Saved without a reading.")
        st.session_state[opened.key("urgency")] = LEFT


def save_note(installation: Installation, me: Reader, opened: OpenCase) -> None:
    """Write the note alone."""
    note = st.session_state.get(opened.note_key, "")
    if _step(opened, Place.NOTE, lambda: add_note(installation, me, opened.id, note)):
        opened.noted("Note saved.")


def save_decision(
    installation: Installation,
    me: Reader,
    opened: OpenCase,
    version: int,
    with_note: bool,
    then_next: bool,
) -> None:
    """Record the decision, with the note beside it where there is one, and go on if asked to."""
    entered = st.session_state
    finding = entered.get(opened.key("finding"))
    if finding is None:
        opened.error = (Place.DECISION, "Please choose a class: nothing is decided without you.")
        return
    given = DecisionInput(
        finding=finding,
        urgency=_urgency(opened),
        mask_wrong=entered.get(opened.key("mask_wrong"), False),
        asks_second=entered.get(opened.key("asks_second"), False),
        note=entered.get(opened.note_key, "") if with_note else "",
    )
    if _step(opened, Place.DECISION, lambda: decide(installation, me, opened.id, version, given)):
        opened.decided(
            f"Case {opened.id} saved as {words.CLASS_NAMES[finding].lower()}.", with_note
        )
        if then_next:
            go_on(installation, me, opened)


def skip(installation: Installation, me: Reader, opened: OpenCase) -> None:
    """Leave the case as it is and open the next one; it is not offered again in this session."""
    opened.passed |= {opened.id}
    go_on(installation, me, opened)


def go_on(installation: Installation, me: Reader, opened: OpenCase) -> None:
    """Have the next run show the next most urgent case, or the worklist where there is none."""
    found = next_case(installation, me, opened.passed | {opened.id})
    opened.refresh = True
    if found is None:
        opened.ended = True
    else:
        st.query_params["case"] = str(found)


def _urgency(opened: OpenCase) -> RequestedPriority | None:
    """What the reader corrects the urgency to; None where they leave it."""
    chosen = st.session_state.get(opened.key("urgency"), LEFT)
    return None if chosen == LEFT else RequestedPriority(chosen)


def _step(opened: OpenCase, place: Place, step: Callable[[], object]) -> bool:
    """Take a step that writes; where it fails the reader is told, and keeps what they entered."""
    opened.refresh = True
    try:
        step()
    except NeuroTriageError as error:
        opened.error = (place, str(error))
        return False
    opened.error = None
    return True
