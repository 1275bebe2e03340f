"""What the figures of a volume mean, in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from core.inference.volume_measure import VolumeMeasures
from core.triage.words import headline, percent
from core.types import ScanFinding, ScoringState, SlicePlace

_STATES = {
    ScoringState.QUEUED: "waits for the model",
    ScoringState.SCORED: "analysed",
    ScoringState.FAILED: "the model could not analyse it",
}
HOW_MEASURED = (
    "The volume adds up the outlined area of each slice times its share of the room between the "
    "slices, half way to each neighbour; gaps between slices count. The longest diameter lies in "
    "the plane of the slices: an oblique or upright extent may be longer. Both measure what the "
    "model outlined, which a reader has to check."
)


def geometry(places: Sequence[SlicePlace | None], size: tuple[int, int]) -> str:
    """Size of the slices and of what is between them.

    Args:
        places: of the slices, in order; None where not known.
        size: height and width of the slices in pixels.
    """
    height, width = size
    text = f"{width} × {height} pixels"
    known = [place for place in places if place is not None]
    if not known:
        return f"{text}; the files do not say where the slices lie, nor how large a pixel is"
    row, column = known[0].spacing_mm
    text += f" of {column:.3g} × {row:.3g} mm"
    if len(known) == len(places) > 1:
        positions = [place.position_mm for place in known]
        steps = [later - earlier for earlier, later in pairwise(positions)]
        low, high = min(steps), max(steps)
        far = f"{low:.3g}" if high - low < 0.05 * max(high, 1e-9) else f"{low:.3g} to {high:.3g}"
        text += f", slices {far} mm apart"
    if known[0].thickness_mm:
        text += f", {known[0].thickness_mm:.3g} mm thick"
    return text


def slice_finding(finding: ScanFinding | None, state: ScoringState) -> str:
    """What the model says of a slice, in a few words."""
    if finding is None:
        return _STATES[state][0].upper() + _STATES[state][1:]
    said = f"{headline(finding)}, tumour probability {percent(finding.tumour_probability)}"
    return said if finding.in_distribution else f"{said}; unlike the scans of the training"


def standing_out(finding: ScanFinding, index: int) -> str:
    """That a slice is suspicious although its series is not.

    Args:
        finding: of the slice.
        index: its place in the series, counted from 0.
    """
    return (
        f"Slice {index + 1} stands out: {slice_finding(finding, ScoringState.SCORED)}. The series "
        "as a whole is not read as suspicious, because too few of the slices beside it show the "
        "same. Please look at it."
    )


def states(waiting: int, failed: int, slices: int) -> str | None:
    """How many slices have no result; None where all have one."""
    parts = []
    if waiting:
        parts.append(f"{waiting} of {slices} slices wait for the model")
    if failed:
        verb = "was" if failed == 1 else "were"
        parts.append(f"{failed} of {slices} {verb} not analysed because of an error")
    return "; ".join(parts) + "." if parts else None


def volume(measures: VolumeMeasures) -> str:
    """The volume of the masked region, or why there is none."""
    regions = "one region" if measures.regions == 1 else f"{measures.regions} separate regions"
    in_slices = _slices(measures.masked_slices)
    if measures.volume_mm3 is None or measures.largest_mm3 is None:
        return (
            "Not known: it takes two or more analysed slices whose places and pixel spacing the "
            f"files give. Outlined: {regions} in {in_slices}."
        )
    text = f"{cubic_centimetres(measures.volume_mm3)} in {regions}, outlined in {in_slices}"
    if measures.regions > 1:
        text += f"; the largest region has {cubic_centimetres(measures.largest_mm3)}"
    return f"{text}."


def longest_diameter(measures: VolumeMeasures) -> str:
    """The longest diameter and where it is; slices are counted from 1."""
    where = f"in slice {measures.diameter_slice + 1}"
    if measures.diameter_mm is None:
        return f"{measures.diameter_px:.0f} px {where}; the files give no pixel spacing."
    return f"{measures.diameter_mm:.1f} mm {where}."


def ranges(indices: Sequence[int]) -> str:
    """Slices by number, counted from 1, neighbours put together: ``3–5, 9``.

    Args:
        indices: counted from 0, rising.
    """
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ", ".join(f"{a + 1}" if a == b else f"{a + 1}–{b + 1}" for a, b in runs)


def cubic_centimetres(mm3: float) -> str:
    """A volume in cm³, in as many digits as it is worth."""
    cm3 = mm3 / 1000
    return f"{cm3:.2f} cm³" if cm3 < 1 else f"{cm3:.1f} cm³"


def _slices(count: int) -> str:
    return "1 slice" if count == 1 else f"{count} slices"
