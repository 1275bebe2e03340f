"""Cases as the rows of the table: in words, with nothing left to decide in the browser."""

from collections.abc import Callable
from typing import Any

from core.services import words
from core.types import CaseStatus, CaseSummary, Reader, Reason
from pages.components.times import day

# What stands where there is nothing to say.
NOTHING = "–"

Row = dict[str, Any]


def table_row(
    case: CaseSummary, rank: int, me: Reader, picture_url: Callable[[str], str | None]
) -> Row:
    """One row.

    Args:
        case: the case.
        rank: its place in the present order, from 1.
        me: who looks at it.
        picture_url: the address of a picture by its key; None where it cannot be had.
    """
    picture = picture_url(case.thumbnail_key) if case.thumbnail_key else None
    return (
        {
            "id": case.id,
            "name": case_name(case),
            "href": f"case?case={case.id}",
            "rank": str(rank),
            "band": words.BAND_NAMES[case.band],
            "band_code": case.band.value,
            "flagged": case.flagged,
            "reasons": [_reason(reason) for reason in case.reasons],
            "picture": picture,
            "picture_says": f"Scan{' with the outlined region' if case.lesion else ''}",
            "no_picture": None if picture else "No picture",
            "patient": case.patient_reference or f"Case {case.id}",
            "study": _study(case),
            "status": words.STATUS_NAMES[case.status],
            "status_code": case.status.value,
        }
        | _finding(case)
        | _wait(case)
        | _assignee(case, me)
    )


def case_name(case: CaseSummary) -> str:
    """The case in running text."""
    number = f"case {case.id}"
    return f"{case.patient_reference}, {number}" if case.patient_reference else number


def _study(case: CaseSummary) -> str:
    parts = []
    if case.study_date:
        parts.append(day(case.study_date))
    if case.patient_reference:
        parts.append(f"case {case.id}")
    if case.scan_count != 1:
        parts.append(f"{case.scan_count} scans")
    # Last, since a long one is cut off.
    if case.site:
        parts.append(case.site)
    return " · ".join(parts)


def _finding(case: CaseSummary) -> Row:
    left = case.scan_count - case.scored_count - case.failed_count
    if case.predicted is None or case.probability is None:
        failed = case.failed_count > 0 and left == 0
        return {
            "finding": "Analysis failed" if failed else "Not analysed yet",
            "finding_share": None,
            "finding_code": "failed" if failed else "waiting",
            "finding_detail": None,
            "tumour": NOTHING,
            "tumour_share": None,
            "lesion": NOTHING,
            "lesion_code": "unknown",
            "lesion_detail": None,
        }
    lesion = case.lesion
    return {
        "finding": words.CLASS_NAMES[case.predicted],
        "finding_share": words.percent(case.probability),
        "finding_code": case.predicted.value,
        "finding_detail": _progress(case, left),
        "tumour": words.percent(case.tumour_probability or 0.0),
        "tumour_share": case.tumour_probability,
        "lesion": words.diameter(lesion) if lesion else "None outlined",
        "lesion_code": "outlined" if lesion else "none",
        "lesion_detail": f"{words.percent(lesion.area_fraction)} of head" if lesion else None,
    }


def _progress(case: CaseSummary, left: int) -> str | None:
    parts = []
    if left:
        parts.append(f"{left} of {case.scan_count} scans not analysed yet")
    if case.failed_count:
        parts.append(f"{case.failed_count} of {case.scan_count} scans failed")
    return ", ".join(parts) or None


def _wait(case: CaseSummary) -> Row:
    return {
        "waited": words.duration(case.waited_minutes),
        "wait_detail": words.against_target(case),
        "wait_code": case.wait_state.value,
        "received": case.received_at.isoformat(),
    }


def _assignee(case: CaseSummary, me: Reader) -> Row:
    who = case.assignee
    mine = who is not None and who.id == me.id
    is_over = case.status is CaseStatus.REPORTED
    says, action = None, None
    if not is_over and who is None:
        says, action = "Assign to me", "taken"
    elif not is_over and mine:
        says, action = "Release", "released"
    return {
        "assignee": "You" if mine else who.name if who else None,
        "assignee_detail": "unverified" if who and not mine and not who.verified else None,
        "assign": says,
        "assign_action": action,
    }


def _reason(reason: Reason) -> Row:
    points = f"+{reason.points:.0f}" if reason.points >= 0.5 else None
    # A line that is full must not part a number from its sign.
    return {"text": reason.text.replace(" %", "\u00a0%"), "points": points}
