"""How much a lesion has grown or shrunk since an earlier scan, and when that cannot be said."""

from __future__ import annotations

from dataclasses import dataclass

from core.types import Lesion, ScanFinding

_OTHER_KIND = (
    "Not comparable: one scan is a single sequence, the other a composite of sequences, so the "
    "masks outline different things."
)
_ONE_SLICE = (
    "Each scan is one slice: another slice position changes the size too. Please compare the "
    "pictures."
)
_OTHER_MODEL = "The earlier scan was outlined by another version of the model."
_NO_MILLIMETRES = (
    "At least one file gives no pixel spacing, so there are no millimetres to compare. The share "
    "of the head depends on the slice and is a rough guide only."
)


@dataclass(frozen=True)
class Measure:
    """One size, then and now.

    Attributes:
        name: what is measured.
        unit: of both figures.
        before: the earlier one.
        now: the present one.
    """

    name: str
    unit: str
    before: float
    now: float

    @property
    def change(self) -> float:
        """By how much it grew, in ``unit``; negative where it shrank."""
        return self.now - self.before

    @property
    def relative(self) -> float | None:
        """That as a share of the earlier size; None where there was nothing."""
        return self.change / self.before if self.before else None


@dataclass(frozen=True)
class SizeChange:
    """The size of a lesion against an earlier scan.

    Attributes:
        measures: what can be compared; empty where nothing can.
        remark: what to bear in mind, or why nothing can be compared, in words.
    """

    measures: tuple[Measure, ...]
    remark: str


def size_change(before: ScanFinding | None, now: ScanFinding | None) -> SizeChange:
    """Compare the masked regions of two scans of one patient.

    Args:
        before: what the model says of the earlier scan; None where it has not analysed it.
        now: likewise of the present one.
    """
    if before is None or now is None:
        which = "present" if now is None else "earlier"
        return SizeChange((), f"Not comparable: the {which} scan is not analysed.")
    if before.kind is not now.kind:
        return SizeChange((), _OTHER_KIND)
    if before.lesion is None and now.lesion is None:
        return SizeChange((), "No region was outlined then or now.")
    if before.lesion is None or now.lesion is None:
        what = "then, none now" if now.lesion is None else "now, none then"
        return SizeChange((), f"A region was outlined {what}. {_ONE_SLICE}")
    remark = _ONE_SLICE
    if before.model_version != now.model_version:
        remark = f"{_OTHER_MODEL} {remark}"
    measures = _millimetres(before.lesion, now.lesion)
    if measures:
        return SizeChange(measures, remark)
    share = Measure(
        "Share of the head", "%", before.lesion.area_fraction * 100, now.lesion.area_fraction * 100
    )
    return SizeChange((share,), f"{_NO_MILLIMETRES} {remark}")


def _millimetres(before: Lesion, now: Lesion) -> tuple[Measure, ...]:
    areas, diameters = (before.area_mm2, now.area_mm2), (before.diameter_mm, now.diameter_mm)
    if None in areas or None in diameters:
        return ()
    return (
        Measure("Area", "mm²", *areas),
        Measure("Longest diameter", "mm", *diameters),
    )
