"""Tables for spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable
from datetime import datetime

from core.triage.words import (
    BAND_NAMES,
    CLASS_NAMES,
    REQUESTED_NAMES,
    STATUS_NAMES,
    WAIT_NAMES,
    account_name,
)
from core.types import CaseSummary, Lesion

Cell = str | int | float | None

# A spreadsheet runs a cell that starts so, and the full-width forms too. Where it expects other
# separators than ours, it finds such a start in the middle of a cell as well.
_FORMULA = re.compile(r"(^|[,;\t\r\n])(?=[=+\-@\t\r\n＝＋－＠])")

# A byte order mark: without it Excel reads UTF-8 as the machine's old code page.
_BOM = "\ufeff"

_COLUMNS: dict[str, Callable[[CaseSummary], Cell]] = {
    "Case": lambda case: case.id,
    "Patient reference": lambda case: case.patient_reference,
    "Study date": lambda case: case.study_date.isoformat() if case.study_date else None,
    "Site": lambda case: case.site,
    "Status": lambda case: STATUS_NAMES[case.status],
    "Assignee": lambda case: account_name(case.assignee) if case.assignee else None,
    "Priority (points, waiting included)": lambda case: round(case.score, 1),
    "Urgency": lambda case: BAND_NAMES[case.band],
    "Requested priority": lambda case: REQUESTED_NAMES[case.requested],
    "Urgency corrected by a reader": lambda case: (
        REQUESTED_NAMES[case.urgency] if case.urgency else None
    ),
    "Reasons": lambda case: "; ".join(reason.text for reason in case.reasons),
    "Needs a human look": lambda case: "yes" if case.flagged else "no",
    "Received (UTC)": lambda case: _time(case.received_at),
    "Target over (UTC)": lambda case: _time(case.due_at),
    "Waited (minutes)": lambda case: round(case.waited_minutes, 1),
    "Against the target": lambda case: WAIT_NAMES[case.wait_state],
    "Model: predicted class": lambda case: CLASS_NAMES[case.predicted] if case.predicted else None,
    "Model: its probability (0 to 1)": lambda case: _rounded(case.probability, 4),
    "Model: tumour probability (0 to 1)": lambda case: _rounded(case.tumour_probability, 4),
    "Lesion area (% of the head)": lambda case: _size(case, lambda one: one.area_fraction * 100, 2),
    "Lesion area (px)": lambda case: _size(case, lambda one: one.area_px, 0),
    "Lesion area (mm²)": lambda case: _size(case, lambda one: one.area_mm2, 1),
    "Longest diameter (px)": lambda case: _size(case, lambda one: one.diameter_px, 1),
    "Longest diameter (mm)": lambda case: _size(case, lambda one: one.diameter_mm, 1),
    "Scans": lambda case: case.scan_count,
    "Scans analysed": lambda case: case.scored_count,
    "Scans that failed": lambda case: case.failed_count,
    "Model version (research use, not a medical device)": lambda case: case.model_version,
}


def worklist_csv(rows: Iterable[CaseSummary]) -> bytes:
    """The worklist as a table: one case a line, units in the header, UTF-8 with a byte order mark.

    No cell runs as a formula: where a spreadsheet would take one as such, an apostrophe stands
    before it.

    Args:
        rows: the cases, in the order of the lines; read once, none is held.
    """
    out = io.StringIO(newline="")
    out.write(_BOM)
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    writer.writerows([_safe(column(case)) for column in _COLUMNS.values()] for case in rows)
    return out.getvalue().encode("utf-8")


def _safe(cell: Cell) -> Cell:
    return _FORMULA.sub(r"\1'", cell) if isinstance(cell, str) else cell


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M:%S")


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _size(case: CaseSummary, figure: Callable[[Lesion], float | None], digits: int) -> float | None:
    return None if case.lesion is None else _rounded(figure(case.lesion), digits)
