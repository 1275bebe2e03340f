"""What findings, cases and their states mean, in words for the people who read them."""

from __future__ import annotations

from core.types import (
    Analysis,
    Band,
    CaseStatus,
    CaseSummary,
    Lesion,
    Reader,
    RequestedPriority,
    ScanFinding,
    ScanKind,
    TumourClass,
    WaitState,
)

DISCLAIMER = "Research and demonstration use, not a medical device."

CLASS_NAMES: dict[TumourClass, str] = {
    TumourClass.GLIOMA: "Glioma",
    TumourClass.MENINGIOMA: "Meningioma",
    TumourClass.NO_TUMOR: "None of the three",
    TumourClass.PITUITARY: "Pituitary tumour",
}

STATUS_NAMES: dict[CaseStatus, str] = {
    CaseStatus.NEW: "New",
    CaseStatus.IN_REVIEW: "In review",
    CaseStatus.NEEDS_SECOND_READER: "Needs second reader",
    CaseStatus.REPORTED: "Reported",
    CaseStatus.FAILED: "Failed",
}

BAND_NAMES: dict[Band, str] = {
    Band.IMMEDIATE: "Immediate",
    Band.SOON: "Soon",
    Band.ROUTINE: "Routine",
}

REQUESTED_NAMES: dict[RequestedPriority, str] = {
    RequestedPriority.ROUTINE: "Routine",
    RequestedPriority.URGENT: "Urgent",
    RequestedPriority.EMERGENCY: "Emergency",
}

WAIT_NAMES: dict[WaitState, str] = {
    WaitState.ON_TIME: "On time",
    WaitState.DUE_SOON: "Due soon",
    WaitState.OVER_TARGET: "Over target",
}

Finding = Analysis | ScanFinding


def account_name(reader: Reader) -> str:
    """A reader's name, marked where no identity provider vouches for it."""
    return reader.name if reader.verified else f"{reader.name} (unverified)"


def percent(share: float) -> str:
    """A share of 0 to 1 as a percentage; the ends are never claimed to be certain."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if share > 0.999:
        return "> 99.9 %"
    return f"{share * 100:.1f} %"


def duration(minutes: float) -> str:
    """A time span in its two largest units, rounded down: a wait is never called longer than it is.

    Args:
        minutes: 0 or more.
    """
    whole = int(minutes)
    if whole < 1:
        return "under 1 min"
    days, rest = divmod(whole, 24 * 60)
    hours, left = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {left} min" if left else f"{hours} h"
    return f"{left} min"


def against_target(case: CaseSummary) -> str:
    """A case's waiting time against its target, in words that need no colour."""
    target = (case.due_at - case.received_at).total_seconds() / 60
    left = target - case.waited_minutes
    if case.status is CaseStatus.REPORTED:
        kept = "late" if left < 0 else "on time"
        return f"reported {kept}, target {duration(target)}"
    if left < 0:
        return f"over the target of {duration(target)} by {duration(-left)}"
    return f"due in {duration(left)}, target {duration(target)}"


def diameter(lesion: Lesion) -> str:
    """The longest diameter, in millimetres where the pixel spacing is known."""
    if lesion.diameter_mm is not None:
        return f"{lesion.diameter_mm:.0f} mm"
    return f"{lesion.diameter_px:.0f} px"


def measurements(lesion: Lesion) -> str:
    """Area and longest diameter of a masked region, in millimetres where they are known."""
    pixels = f"{lesion.area_px} px"
    across = f"{lesion.diameter_px:.1f} px"
    if lesion.area_mm2 is None or lesion.diameter_mm is None:
        return (
            f"Area {pixels}, longest diameter {across}; the file gives no pixel spacing, hence no "
            "millimetres."
        )
    return (
        f"Area {lesion.area_mm2:.0f} mm² ({pixels}), longest diameter {lesion.diameter_mm:.1f} mm "
        f"({across})."
    )


def headline(finding: Finding) -> str:
    """The result in one line. "None of the three" is never called normal."""
    if not finding.suspected:
        return "None of the three suspected"
    if finding.predicted is TumourClass.NO_TUMOR:
        likeliest = CLASS_NAMES[likeliest_tumour(finding)].lower()
        return f"Tumour suspected, type uncertain (most likely {likeliest})"
    return f"{CLASS_NAMES[finding.predicted]} suspected"


def likeliest_tumour(finding: Finding) -> TumourClass:
    """The most probable of the three tumours."""
    tumours = {c: p for c, p in finding.probabilities.items() if c is not TumourClass.NO_TUMOR}
    return max(tumours, key=tumours.__getitem__)


def contradiction(finding: ScanFinding) -> str | None:
    """How class and mask contradict each other; None where they do not."""
    if finding.suspected == (finding.lesion is not None):
        return None
    if finding.suspected:
        return "Tumour suspected but no region outlined"
    return "Outlined region although no tumour is suspected"


def explanation(finding: Finding, decision_threshold: float) -> str:
    """How the headline came about."""
    side = "at or above" if finding.suspected else "below"
    text = (
        f"The tumour probability, {percent(finding.tumour_probability)}, is {side} the decision "
        f"threshold of {percent(decision_threshold)}. It is the sum over glioma, meningioma and "
        "pituitary tumour."
    )
    if not finding.suspected:
        text += " This does not mean a scan without disease: nothing else is looked for."
    return text


def distribution_warning(finding: Finding) -> str | None:
    """A warning where the scan is unlike those of the training; None where it is not."""
    if finding.in_distribution:
        return None
    return (
        "This picture is unlike the scans the model was trained on. Do not rely on the "
        "probabilities, the mask or the heat map. Please check that it is a single brain MRI slice."
    )


def mask_meaning(finding: Finding) -> str:
    """What the mask outlines, which depends on the sequence and on the training's masks."""
    area = _masked_fraction(finding)
    if area is None:
        return "No region was outlined."
    region = (
        "signal abnormality on FLAIR (the picture was read as a composite of sequences)"
        if finding.kind is ScanKind.COMPOSITE
        else "enhancing tumour, as on T1-weighted scans with contrast; on other sequences the "
        "outline is less reliable"
    )
    return f"The mask outlines {region}. Area: {percent(area)} of the head."


def heat_map_meaning(explained: TumourClass) -> str:
    """What a heat map shows.

    Args:
        explained: the class that the heat map explains.
    """
    return (
        "Grad-CAM: where the classifier found support for "
        f"“{CLASS_NAMES[explained].lower()}”. It is no outline of a tumour."
    )


def _masked_fraction(finding: Finding) -> float | None:
    """Masked share of the head, 0 to 1; None where nothing is masked."""
    if isinstance(finding, Analysis):
        return finding.mask_area_fraction if finding.mask.any() else None
    return None if finding.lesion is None else finding.lesion.area_fraction
