"""What a sender says of a study: checked, and compared with what the case says already."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

from core.errors import InputError
from core.store.rows import folded_reference
from core.types import StudyDetails

LONGEST_REFERENCE = 120
LONGEST_SITE = 120
LONGEST_INDICATION = 1000
# Where a day begins first: a sender's calendar may be ahead of the server's.
_FIRST_ZONE = timezone(timedelta(hours=14))
_HIDDEN = ("Cc", "Cf", "Cs")


def check_details(details: StudyDetails, today: date | None = None) -> StudyDetails:
    """The details as they are kept: on one line, white space collapsed, what is empty as None.

    Args:
        details: as they were typed.
        today: the last day that a study may have; by default today where it begins first.

    Raises:
        InputError: a text is too long, or the study date lies in the future.
    """
    today = today or datetime.now(UTC).astimezone(_FIRST_ZONE).date()
    if details.study_date and details.study_date > today:
        raise InputError(
            f"The study date, {details.study_date.isoformat()}, lies in the future. "
            "Please correct it, or leave it empty."
        )
    reference = _checked(details.patient_reference, "patient reference", LONGEST_REFERENCE)
    # References are compared in this form, which for a few characters is longer: never cut there,
    # or two patients could become one.
    _checked(unicodedata.normalize("NFKC", reference or "").casefold(), "patient reference",
             LONGEST_REFERENCE)  # fmt: skip
    return replace(
        details,
        patient_reference=reference,
        site=_checked(details.site, "site", LONGEST_SITE),
        indication=_checked(details.indication, "indication", LONGEST_INDICATION),
    )


def contradictions(kept: StudyDetails, sent: StudyDetails) -> list[str]:
    """What an upload says otherwise than the case, which keeps what it says.

    Args:
        kept: what the case says, blanks filled from the upload.
        sent: what the upload says, checked.

    Returns:
        One sentence each; without the values, which may say who the patient is.
    """
    pairs = {
        "patient reference": (
            kept.patient_reference and folded_reference(kept.patient_reference),
            sent.patient_reference and folded_reference(sent.patient_reference),
        ),
        "study date": (kept.study_date, sent.study_date),
        "site": (kept.site, sent.site),
        "indication": (kept.indication, sent.indication),
    }
    return [
        f"The {name} sent now differs from the case's, which was kept."
        for name, (old, new) in pairs.items()
        if new is not None and str(old).casefold() != str(new).casefold()
    ]


def one_line(text: str) -> str:
    """Text without line breaks, invisible characters and superfluous white space."""
    spaced = "".join(" " if c.isspace() else c for c in text)
    shown = "".join(c for c in spaced if unicodedata.category(c) not in _HIDDEN)
    return " ".join(shown.split())


def _checked(text: str | None, name: str, longest: int) -> str | None:
    line = one_line(text or "")
    if len(line) > longest:
        raise InputError(
            f"The {name} has {len(line)} characters; at most {longest} are kept. Please shorten it."
        )
    return line or None
