"""Cases and what readers do with them. A case is one study: its scans are read together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from core.types.scans import ScanKind, TumourClass


class RequestedPriority(StrEnum):
    """How urgent the sender, or a reader who corrected it, calls a study."""

    ROUTINE = "routine"
    URGENT = "urgent"
    EMERGENCY = "emergency"


class CaseStatus(StrEnum):
    """Where a case stands. The model never sets anything but ``NEW`` and ``FAILED``."""

    NEW = "new"
    IN_REVIEW = "in_review"
    NEEDS_SECOND_READER = "needs_second_reader"
    REPORTED = "reported"
    FAILED = "failed"


class ScoringState(StrEnum):
    """How far the model is with an image."""

    QUEUED = "queued"
    SCORED = "scored"
    FAILED = "failed"


class Band(StrEnum):
    """The urgency that a score stands for; each band has a target for the waiting time."""

    IMMEDIATE = "immediate"
    SOON = "soon"
    ROUTINE = "routine"


class WaitState(StrEnum):
    """Waiting time against the target."""

    ON_TIME = "on_time"
    DUE_SOON = "due_soon"
    OVER_TARGET = "over_target"


@dataclass(frozen=True)
class Reader:
    """An account that reads cases.

    Attributes:
        id: row of the account.
        name: as shown.
        verified: whether an identity provider vouches for it.
    """

    id: int
    name: str
    verified: bool


@dataclass(frozen=True)
class StudyDetails:
    """What the sender says of the uploaded scans; all of it is optional.

    Attributes:
        patient_reference: a pseudonym, never a name.
        study_date: day of the examination.
        site: where it was made.
        indication: why it was made.
        requested: the urgency the sender asks for.
    """

    patient_reference: str | None = None
    study_date: date | None = None
    site: str | None = None
    indication: str | None = None
    requested: RequestedPriority = RequestedPriority.ROUTINE


@dataclass(frozen=True)
class Lesion:
    """Size of the masked region.

    Attributes:
        area_px: masked pixels of the uploaded picture.
        diameter_px: longest diameter of the largest connected region, in pixels.
        area_fraction: masked area over the area of the head, 0 to 1.
        area_mm2: area in square millimetres, where the pixel spacing is known.
        diameter_mm: longest diameter in millimetres, where the pixel spacing is known.
    """

    area_px: int
    diameter_px: float
    area_fraction: float
    area_mm2: float | None = None
    diameter_mm: float | None = None


@dataclass(frozen=True)
class ScanFinding:
    """What the model says of one scan, without its pictures: what triage looks at.

    Attributes:
        probabilities: calibrated probability per class, summing to 1.
        predicted: the most probable class.
        tumour_probability: 1 minus the probability of ``no_tumor``.
        suspected: whether ``tumour_probability`` reaches the decision threshold.
        lesion: size of the mask; None where nothing is masked.
        in_distribution: False where the scan is unlike those of the training.
        kind: gray or composite, hence what the mask outlines.
        model_version: identity of the weights that said so.
    """

    probabilities: dict[TumourClass, float]
    predicted: TumourClass
    tumour_probability: float
    suspected: bool
    lesion: Lesion | None
    in_distribution: bool
    kind: ScanKind
    model_version: str


@dataclass(frozen=True)
class Reason:
    """Why a case stands where it stands.

    Attributes:
        code: stable name, such as ``glioma`` or ``class_mask_contradiction``.
        text: the reason in words.
        points: what it adds to the score; 0 for what is only said.
    """

    code: str
    text: str
    points: float


@dataclass(frozen=True)
class Priority:
    """How urgent a case is at the moment of its receipt; waiting adds to it, linear in time.

    Attributes:
        score: points, 0 and up.
        band: the urgency the score stands for.
        target_minutes: how long the case may wait.
        flagged: whether a human should look although the probabilities do not say so (low
            confidence, unlike the training, contradiction, failed scan).
        reasons: largest share first.
        leading: index of the scan that decided, in the order given; None where none is scored.
    """

    score: float
    band: Band
    target_minutes: float
    flagged: bool
    reasons: tuple[Reason, ...]
    leading: int | None


@dataclass(frozen=True)
class Reading:
    """A reader's decision on a case, as the rules of reporting see it.

    Attributes:
        reader_id: the account.
        finding: the class the reader gave.
        asks_second: whether the reader asked for a second reader.
    """

    reader_id: int
    finding: TumourClass
    asks_second: bool = False


@dataclass(frozen=True)
class Decision:
    """A decision as it was recorded.

    Attributes:
        id: its row.
        reader: who decided.
        finding: the class the reader gave.
        model_finding: the class the model had given; None where no scan was scored.
        model_version: of the analysis the reader saw; None where there was none.
        urgency: the urgency the reader corrected it to; None where it was left.
        mask_wrong: whether the reader marked the mask as wrong.
        asks_second: whether the reader asked for a second reader.
        status_after: where the case stood afterwards.
        decided_at: when, in UTC.
    """

    id: int
    reader: Reader
    finding: TumourClass
    model_finding: TumourClass | None
    model_version: str | None
    urgency: RequestedPriority | None
    mask_wrong: bool
    asks_second: bool
    status_after: CaseStatus
    decided_at: datetime


@dataclass(frozen=True)
class Note:
    """A reader's note on a case."""

    id: int
    reader: Reader
    text: str
    written_at: datetime


@dataclass(frozen=True)
class HistoryEntry:
    """One line of the audit log: who did what, when.

    Attributes:
        at: when, in UTC.
        who: the account's name, with "(unverified)" where no identity provider vouches for it;
            "system" for what no person did.
        action: stable name, such as ``decision``.
        text: what happened, in words.
    """

    at: datetime
    who: str
    action: str
    text: str
