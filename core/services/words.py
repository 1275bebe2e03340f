"""What results mean, in words for the people who read them."""

from __future__ import annotations

from core.types import Analysis, ScanKind, TumourClass

DISCLAIMER = "Research and demonstration use, not a medical device."

CLASS_NAMES: dict[TumourClass, str] = {
    TumourClass.GLIOMA: "Glioma",
    TumourClass.MENINGIOMA: "Meningioma",
    TumourClass.NO_TUMOR: "None of the three",
    TumourClass.PITUITARY: "Pituitary tumour",
}


def percent(share: float) -> str:
    """A share of 0 to 1 as a percentage; the ends are never claimed to be certain."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if share > 0.999:
        return "> 99.9 %"
    return f"{share * 100:.1f} %"


def headline(analysis: Analysis) -> str:
    """The result in one line. "None of the three" is never called normal."""
    if not analysis.suspected:
        return "None of the three suspected"
    if analysis.predicted is TumourClass.NO_TUMOR:
        return f"Tumour suspected, type uncertain (most likely {_likeliest(analysis).lower()})"
    return f"{CLASS_NAMES[analysis.predicted]} suspected"


def explanation(analysis: Analysis, decision_threshold: float) -> str:
    """How the headline came about."""
    side = "at or above" if analysis.suspected else "below"
    text = (
        f"The tumour probability, {percent(analysis.tumour_probability)}, is {side} the decision "
        f"threshold of {percent(decision_threshold)}. It is the sum over glioma, meningioma and "
        "pituitary tumour."
    )
    if not analysis.suspected:
        text += " This does not mean a scan without disease: nothing else is looked for."
    return text


def distribution_warning(analysis: Analysis) -> str | None:
    """A warning where the scan is unlike those of the training; None where it is not."""
    if analysis.in_distribution:
        return None
    return (
        "This picture is unlike the scans the model was trained on. Do not rely on the "
        "probabilities, the mask or the heat map. Please check that it is a single brain MRI slice."
    )


def mask_meaning(analysis: Analysis) -> str:
    """What the mask outlines, which depends on the sequence and on the training's masks."""
    if not analysis.mask.any():
        return "No region was outlined."
    region = (
        "signal abnormality on FLAIR (the picture was read as a composite of sequences)"
        if analysis.kind is ScanKind.COMPOSITE
        else "enhancing tumour, as on T1-weighted scans with contrast; on other sequences the "
        "outline is less reliable"
    )
    return f"The mask outlines {region}. Area: {percent(analysis.mask_area_fraction)} of the head."


def heat_map_meaning(analysis: Analysis) -> str:
    """What the heat map shows."""
    return (
        "Grad-CAM: where the classifier found support for "
        f"“{CLASS_NAMES[analysis.heat_map_class].lower()}”. It is no outline of a tumour."
    )


def _likeliest(analysis: Analysis) -> str:
    tumours = {c: p for c, p in analysis.probabilities.items() if c is not TumourClass.NO_TUMOR}
    return CLASS_NAMES[max(tumours, key=tumours.__getitem__)]
