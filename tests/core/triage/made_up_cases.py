"""Cases of made-up findings, single and drawn at random, and their priority."""

from collections.abc import Sequence

from hypothesis import strategies as st

from core.config import PriorityRules
from core.triage.priority import case_priority
from core.types import CLASSES, Lesion, Priority, RequestedPriority, ScanFinding, ScanKind

RULES = PriorityRules()
THRESHOLD = 0.3
G, M, N, P = CLASSES


def finding(
    glioma: float = 0.0,
    meningioma: float = 0.0,
    pituitary: float = 0.0,
    lesion: float | None = None,
    in_distribution: bool = True,
) -> ScanFinding:
    """A finding with these probabilities; the rest is no_tumor. ``lesion`` is its share."""
    tumour = glioma + meningioma + pituitary
    shares = {G: glioma, M: meningioma, N: 1 - tumour, P: pituitary}
    return ScanFinding(
        probabilities=shares,
        predicted=max(shares, key=shares.__getitem__),
        tumour_probability=tumour,
        suspected=tumour >= THRESHOLD,
        lesion=None if lesion is None else Lesion(100, 12.0, lesion),
        in_distribution=in_distribution,
        kind=ScanKind.GRAY,
        model_version="1",
    )


def priority(
    *findings: ScanFinding | None,
    failed: int = 0,
    waiting: int = 0,
    requested: RequestedPriority = RequestedPriority.ROUTINE,
    urgency: RequestedPriority | None = None,
    rules: PriorityRules = RULES,
    standing_out: Sequence[ScanFinding] = (),
) -> Priority:
    return case_priority(
        findings,
        failed=failed,
        waiting=waiting,
        requested=requested,
        rules=rules,
        urgency=urgency,
        standing_out=standing_out,
    )


def texts(found: Priority) -> list[str]:
    return [reason.text for reason in found.reasons]


CALM = finding(glioma=0.01, meningioma=0.01, pituitary=0.01)
GLIOMA = finding(glioma=0.87, meningioma=0.1, lesion=0.09)

shares = st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda v: sum(v) > 0.01)
lesions = st.none() | st.floats(0, 1)
requests = st.sampled_from(RequestedPriority)


@st.composite
def findings(draw: st.DrawFn) -> ScanFinding:
    values = draw(shares)
    g, m, p = (value / sum(values) for value in values[:3])
    return finding(g, m, p, draw(lesions), draw(st.booleans()))


@st.composite
def rule_sets(draw: st.DrawFn) -> PriorityRules:
    """Any rules that are accepted."""
    points = st.floats(0, 100)
    glioma = draw(points)
    meningioma, pituitary = draw(st.floats(0, glioma)), draw(st.floats(0, glioma))
    low_confidence = draw(st.floats(0, glioma - max(meningioma, pituitary)))
    urgent = draw(points)
    return PriorityRules(
        glioma=glioma,
        meningioma=meningioma,
        pituitary=pituitary,
        low_confidence=low_confidence,
        contradiction=draw(st.floats(0, glioma - low_confidence)),
        lesion_size=draw(points),
        full_size_fraction=draw(st.floats(0.01, 1)),
        confident_probability=draw(st.floats(0.1, 0.9)),
        unlike_training=draw(points),
        not_analysed=draw(points),
        urgent=urgent,
        emergency=draw(st.floats(urgent, 200)),
    )


cases = st.lists(st.none() | findings(), max_size=4)
