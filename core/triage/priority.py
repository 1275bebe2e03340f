"""How urgent a case is, in points, and why.

A scan's score is what its calibrated probabilities p lead to expect:

    sum over the tumour classes of p(class) x points of the class
  + contradiction x p(no_tumor) where a region is outlined, x (1 - p(no_tumor)) where none is
  + low_confidence x (1 - highest p)
  + lesion_size x min(1, share of the head / full_size_fraction) where a region is outlined

that is: how bad the finding is, how likely class and mask contradict each other, and how likely
the class is wrong. A step at some probability would let a surer glioma fall behind a doubtful one;
this way more glioma never means fewer points (``PriorityRules`` refuses points with which it
could). A scan unlike those of the training gets ``unlike_training`` at least: its probabilities
are not trusted to sink it, and what they would have given it stays.

A case's score is the highest of its scans (``not_analysed`` at least where one of them failed)
plus the points of the requested urgency. Waiting is added where it is shown, see ``queueing``.

Of a series one slice counts, see ``volumes``. One that stands out from it does not, but where both
networks see a tumour there, that is, where it is outlined and its class is confident, the case gets
``standing_out`` at least. Were less enough, most series of thin slices would be lifted: among
hundreds one is easily misread.

The decision threshold and ``confident_probability`` only decide what is said. The points of the
reasons add up to the score; shares too small to be said are with the reason for the class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.config import PriorityRules
from core.triage import words
from core.triage.words import REQUESTED_NAMES, headline, percent
from core.types import (
    Band,
    Priority,
    Reason,
    RequestedPriority,
    ScanFinding,
    TumourClass,
)

# Reasons for a human look although the probabilities do not ask for it.
_FLAGS = frozenset(
    {"unlike_training", "class_mask_contradiction", "low_confidence", "standing_out", "failed"}
)
# What another scan than the leading one need not repeat.
_LEADING_ONLY = frozenset({"lesion_size", "none_suspected"})


def case_priority(
    findings: Sequence[ScanFinding | None],
    *,
    failed: int,
    waiting: int,
    requested: RequestedPriority,
    rules: PriorityRules,
    urgency: RequestedPriority | None = None,
    standing_out: Sequence[ScanFinding] = (),
) -> Priority:
    """How urgent a case is at receipt.

    Args:
        findings: of its scans; None for a scan without one.
        failed: scans that the model could not analyse.
        waiting: scans that the model has still to look at; they may have a finding of an earlier
            model.
        requested: the urgency the sender asked for.
        rules: the points.
        urgency: what a reader corrected it to; replaces ``requested``.
        standing_out: of slices that are suspicious although their series is not; None of these is
            among the ``findings``.
    """
    scans = {i: _scan_reasons(f, rules) for i, f in enumerate(findings) if f is not None}
    leading = max(scans, key=lambda index: _points(scans[index]), default=None)
    reasons = [] if leading is None else list(scans[leading])
    for index, others in scans.items():
        if index != leading:
            reasons += _also(others, {reason.code for reason in reasons})
    sure = [one for one in standing_out if _is_sure(one, rules)]
    if sure:
        lift = max(0.0, rules.standing_out - _points(reasons))
        worst = max(sure, key=lambda one: scan_points(one, rules))
        reasons.append(Reason("standing_out", _standing_out_text(worst), lift))
    if failed:
        lift = max(0.0, rules.not_analysed - _points(reasons))
        reasons.append(Reason("failed", _failed_text(failed), lift))
    asked = urgency or requested
    if urgency is not None or asked is not RequestedPriority.ROUTINE:
        how = "Requested as {}" if urgency is None else "Set to {} by a reader"
        text = how.format(REQUESTED_NAMES[asked].lower())
        reasons.append(Reason("requested", text, requested_points(asked, rules)))
    if waiting or not (scans or failed):
        text = (
            f"{waiting} of {len(findings)} scans still to be analysed"
            if scans or failed
            else "Waiting for the analysis"
        )
        reasons.append(Reason("waiting", text, 0.0))
    score = _points(reasons)
    band = _band(score, rules)
    return Priority(
        score=score,
        band=band,
        target_minutes=_target_minutes(band, rules),
        flagged=any(reason.code in _FLAGS for reason in reasons),
        reasons=tuple(sorted(reasons, key=lambda reason: -reason.points)),
        leading=leading,
    )


def scan_points(finding: ScanFinding, rules: PriorityRules) -> float:
    """The score of one scan."""
    return _points(_scan_reasons(finding, rules))


def requested_points(requested: RequestedPriority, rules: PriorityRules) -> float:
    """Points that a requested urgency adds."""
    points = {
        RequestedPriority.ROUTINE: 0.0,
        RequestedPriority.URGENT: rules.urgent,
        RequestedPriority.EMERGENCY: rules.emergency,
    }
    return points[requested]


def _scan_reasons(finding: ScanFinding, rules: PriorityRules) -> list[Reason]:
    """The reasons of one scan; their points add up to its score."""
    no_tumor = finding.probabilities[TumourClass.NO_TUMOR]
    highest = max(finding.probabilities.values())
    expected = _expected_points(finding, rules)
    contradiction = rules.contradiction * (no_tumor if finding.lesion else 1 - no_tumor)
    doubt = rules.low_confidence * (1 - highest)
    flags = []
    contradicted = words.contradiction(finding)
    if contradicted:
        flags.append(Reason("class_mask_contradiction", contradicted, contradiction))
    else:
        expected += contradiction
    if highest < rules.confident_probability:
        text = f"Low confidence ({percent(highest)} for the most likely class): please look"
        flags.append(Reason("low_confidence", text, doubt))
    else:
        expected += doubt
    size = _size_reasons(finding, rules)
    if not finding.in_distribution:
        lift = max(0.0, rules.unlike_training - _points([*flags, *size]) - expected)
        text = "Unlike the scans of the training: please look"
        flags.insert(0, Reason("unlike_training", text, lift))
    if finding.suspected:
        return [Reason(*_suspicion(finding), expected), *flags, *size]
    if flags:  # A calm word would contradict them.
        first = replace(flags[0], points=flags[0].points + expected)
        return [first, *flags[1:], *size]
    return [Reason("none_suspected", headline(finding), expected), *size]


def _expected_points(finding: ScanFinding, rules: PriorityRules) -> float:
    points = {
        TumourClass.GLIOMA: rules.glioma,
        TumourClass.MENINGIOMA: rules.meningioma,
        TumourClass.PITUITARY: rules.pituitary,
    }
    return sum(finding.probabilities[name] * value for name, value in points.items())


def _suspicion(finding: ScanFinding) -> tuple[str, str]:
    """Code and text of a suspicion."""
    if finding.predicted is TumourClass.NO_TUMOR:
        return "tumour", headline(finding)
    probability = finding.probabilities[finding.predicted]
    return str(finding.predicted), f"{headline(finding)} ({percent(probability)})"


def _size_reasons(finding: ScanFinding, rules: PriorityRules) -> list[Reason]:
    """The lesion's size as a reason; empty where nothing is outlined."""
    if finding.lesion is None:
        return []
    fraction = finding.lesion.area_fraction
    share = min(1.0, fraction / rules.full_size_fraction)
    lesion = "Large lesion" if share == 1 else "Lesion"
    name = lesion if finding.suspected else "Outlined region"
    text = f"{name}: {percent(fraction)} of the head"
    return [Reason("lesion_size", text, rules.lesion_size * share)]


def _also(reasons: Sequence[Reason], said: set[str]) -> list[Reason]:
    """What a scan that does not lead has to say beyond what is said already."""
    return [
        Reason(reason.code, f"Another scan: {reason.text[0].lower()}{reason.text[1:]}", 0.0)
        for reason in reasons
        if reason.code not in said | _LEADING_ONLY
    ]


def _is_sure(finding: ScanFinding, rules: PriorityRules) -> bool:
    """Whether both networks see a tumour, and the classifier is confident."""
    highest = max(finding.probabilities.values())
    outlined = finding.suspected and finding.lesion is not None
    return outlined and highest >= rules.confident_probability


def _standing_out_text(finding: ScanFinding) -> str:
    text = _suspicion(finding)[1]
    return f"One slice stands out from its series: {text[0].lower()}{text[1:]}, please look"


def _failed_text(failed: int) -> str:
    scans = "One scan" if failed == 1 else f"{failed} scans"
    return f"{scans} could not be analysed: please look"


def _points(reasons: Sequence[Reason]) -> float:
    return sum(reason.points for reason in reasons)


def _band(score: float, rules: PriorityRules) -> Band:
    if score >= rules.immediate_from:
        return Band.IMMEDIATE
    return Band.SOON if score >= rules.soon_from else Band.ROUTINE


def _target_minutes(band: Band, rules: PriorityRules) -> float:
    targets = {
        Band.IMMEDIATE: rules.immediate_target_minutes,
        Band.SOON: rules.soon_target_minutes,
        Band.ROUTINE: rules.routine_target_minutes,
    }
    return targets[band]
