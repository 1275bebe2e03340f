"""Which cases are simulated: the samples of the demonstration.

They are on the worklist like any other, but say nothing of how the model fares with patients, nor
are they anything to train on.
"""

from __future__ import annotations

from sqlalchemy import Select, select

from core.store.rows import folded_reference
from core.store.tables import StudyRow

SITE = "Simulated sample"
REFERENCES = "SIMULATED-"  # with which the reference of every sample begins
_LAST_CHARACTER = "\U0010ffff"


def simulated_cases() -> Select[tuple[int]]:
    """The numbers of the simulated cases, for use within another query: few, along an index."""
    start = folded_reference(REFERENCES)
    return select(StudyRow.id).where(
        StudyRow.reference_folded.between(start, start + _LAST_CHARACTER), StudyRow.site == SITE
    )
