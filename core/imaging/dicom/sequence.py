"""What kind of pictures a series holds, told from the acquisition's figures.

Descriptions and names of protocols are free text, in any language and at times with a patient's
name in it, so they are not looked at. Where the figures do not decide, nothing is said. The limits
are those of clinical protocols at 1.5 and 3 tesla.
"""

from __future__ import annotations

from core.imaging.dicom.values import Attributes

# DICOM's own codes for the contrast of enhanced MR objects (PS3.3 C.8.13.3.1.1).
_CONTRASTS = {
    "DIFFUSION": "Diffusion", "FLOW_ENCODED": "Angiography", "FLUID_ATTENUATED": "FLAIR",
    "PERFUSION": "Perfusion", "PROTON_DENSITY": "PD", "STIR": "STIR", "T1": "T1", "T2": "T2",
    "T2_STAR": "T2*", "TOF": "Angiography",
}  # fmt: skip
# Parts of ImageType that name a map computed from the pictures.
_MAPS = {"ADC": "ADC map", "FA": "FA map", "CBF": "Perfusion map", "CBV": "Perfusion map"}
# What scanners write where nothing was given.
_NO_AGENT = frozenset({
    "", "0", "N", "N/A", "NA", "NO", "NONE", "NOT GIVEN", "NULL", "OHNE", "SANS", "UNENHANCED",
    "WITHOUT",
})  # fmt: skip
_ENHANCING = frozenset({"T1", "T2", "FLAIR", "PD", "T2*"})
_LONG_TR, _SHORT_TR = 1800.0, 1100.0  # ms, of spin echoes
_LONG_TE, _SHORT_TE = 70.0, 40.0  # ms
_FLUID_TI, _FAT_TI = 1400.0, 350.0  # ms, between them what T1 weighting uses


def sequence_of(attributes: Attributes) -> str | None:
    """The kind of pictures, such as ``T1 with contrast`` or ``FLAIR``; None where not known."""
    kind = _kind(attributes)
    if kind in _ENHANCING and _has_agent(attributes):
        return f"{kind} with contrast"
    return kind


def names_agent(text: str) -> bool:
    """Whether the free text of a contrast agent names one, or says that there was none."""
    return text.strip().upper() not in _NO_AGENT


def echo_time_ms(attributes: Attributes) -> float | None:
    """The echo time of single-frame and of enhanced objects."""
    found = attributes.number("EffectiveEchoTime")
    return attributes.number("EchoTime") if found is None else found


def inversion_time_ms(attributes: Attributes) -> float | None:
    """The first inversion time of single-frame and of enhanced objects; None without one."""
    found = attributes.number("InversionTimes") or attributes.number("InversionTime")
    return found if found and found > 0 else None


def b_value(attributes: Attributes) -> float | None:
    """The diffusion weight in s/mm2, by the standard's attribute."""
    return attributes.number("DiffusionBValue")


def _kind(attributes: Attributes) -> str | None:
    types = {part.upper() for part in _types(attributes)}
    for part, name in _MAPS.items():
        if part in types:
            return name
    contrast = (attributes.text("AcquisitionContrast") or "").upper()
    if contrast in _CONTRASTS:
        return _CONTRASTS[contrast]
    name = (attributes.text("SequenceName") or "").lower().lstrip("*")
    if b_value(attributes) is not None or name.startswith("ep_b") or "DIFFUSION" in types:
        return "Diffusion"
    if (attributes.text("AngioFlag") or "").upper() == "Y":
        return "Angiography"
    return _by_times(attributes)


def _types(attributes: Attributes) -> tuple[str, ...]:
    return (*attributes.texts("ImageType"), *attributes.texts("FrameType"))


def _by_times(attributes: Attributes) -> str | None:
    te, tr = echo_time_ms(attributes), attributes.number("RepetitionTime")
    if te is None or tr is None or te < 0 or tr <= 0:
        return None
    ti = inversion_time_ms(attributes)
    if ti is not None:
        if ti >= _FLUID_TI and tr >= 2 * _LONG_TR:
            return "FLAIR"
        if ti <= _FAT_TI and tr >= _LONG_TR:
            return "STIR"
        return "T1" if te < _SHORT_TE else None
    if _is_gradient_echo(attributes):
        return _gradient_echo(te, tr, attributes.number("FlipAngle"))
    if te <= _SHORT_TE:
        if tr <= _SHORT_TR:
            return "T1"
        return "PD" if tr >= _LONG_TR else None
    return "T2" if te >= _LONG_TE and tr >= _LONG_TR else None


def _is_gradient_echo(attributes: Attributes) -> bool:
    parts = {part.upper() for part in attributes.texts("ScanningSequence")}
    pulses = (attributes.text("EchoPulseSequence") or "").upper()
    return pulses == "GRADIENT" or ("GR" in parts and "SE" not in parts)


def _gradient_echo(te: float, tr: float, flip: float | None) -> str | None:
    if te >= 12:
        return "T2*"
    # Weighting by T1 needs a flip angle above the Ernst angle of so short a repetition; prepared
    # volumes (MP-RAGE) that do not tell their inversion time have a long one and a small angle.
    if te <= 8 and (tr >= 1200 or (flip is not None and flip >= 9)):
        return "T1"
    return None


def _has_agent(attributes: Attributes) -> bool:
    agent = attributes.text("ContrastBolusAgent") or ""
    volume = attributes.number("ContrastBolusVolume") or 0.0
    coded = attributes.item("ContrastBolusAgentSequence") is not None
    return names_agent(agent) or volume > 0 or coded
