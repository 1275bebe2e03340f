"""An engine without weights, synthetic scans and cases, for tests of what stands around them."""

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime
from types import SimpleNamespace

import cv2
import numpy as np
from PIL import Image

from core.types import (
    CLASSES,
    Analysis,
    Band,
    CaseStatus,
    CaseSummary,
    Lesion,
    Reason,
    RequestedPriority,
    Scan,
    TumourClass,
    WaitState,
)


class FakeEngine:
    """Finds a glioma where a scan has a bright spot; calls a scan without any contrast strange."""

    model_version = "fake-1"

    def __init__(self) -> None:
        self.manifest = SimpleNamespace(
            calibration=SimpleNamespace(decision_threshold=0.4), preprocessing_version="1"
        )
        self.batches: list[int] = []

    def analyse(
        self,
        scans: Sequence[Scan],
        heat_map_class: TumourClass | None = None,
    ) -> list[Analysis]:
        self.batches.append(len(scans))
        return [self._one(scan, heat_map_class) for scan in scans]

    def _one(self, scan: Scan, heat_map_class: TumourClass | None) -> Analysis:
        gray = scan.pixels.mean(axis=2)
        spot = (gray > 200) & (gray < 240)
        found = bool(spot.any())
        shares = (0.9, 0.05, 0.03, 0.02) if found else (0.03, 0.02, 0.94, 0.01)
        probabilities = dict(zip(CLASSES, shares, strict=True))
        predicted = TumourClass.GLIOMA if found else TumourClass.NO_TUMOR
        heat = cv2.GaussianBlur(spot.astype(np.float32), (0, 0), max(gray.shape) / 20)
        heat = heat / heat.max() if found else heat
        return Analysis(
            probabilities=probabilities,
            predicted=predicted,
            tumour_probability=1 - probabilities[TumourClass.NO_TUMOR],
            suspected=found,
            mask=np.where(spot, 255, 0).astype(np.uint8),
            mask_area_fraction=float(spot.mean()),
            heat_maps={c: heat * p / max(shares) for c, p in probabilities.items()},
            heat_map_class=heat_map_class or predicted,
            ood_score=float(np.ptp(gray) == 0),
            in_distribution=bool(np.ptp(gray) > 0),
            kind=scan.kind,
            model_version=self.model_version,
            elapsed_ms=1.5,
        )


def scan_png(
    height: int = 120, width: int = 100, lesion: bool = True, blank: bool = False
) -> bytes:
    """A PNG that looks a little like a slice, with or without a bright spot."""
    y, x = np.mgrid[0:height, 0:width]
    radius = np.hypot((y / height - 0.5) / 0.44, (x / width - 0.5) / 0.38)
    picture = np.where(radius < 1, 90 + 25 * np.sin(x / width * 25) * np.cos(y / height * 21), 0)
    picture = np.where((radius > 0.9) & (radius < 1), 170, picture)
    if lesion:
        spot = np.hypot(y / height - 0.4, x / width - 0.62) < 0.09
        picture = np.where(spot, 220, picture)
    if blank:
        picture = np.zeros_like(picture)
    out = io.BytesIO()
    Image.fromarray(picture.astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def case_summary(**changes) -> CaseSummary:
    """A new case with a glioma, twelve minutes old; ``changes`` replace any of its fields."""
    values = dict(
        id=7,
        patient_reference="P-12",
        study_date=date(2026, 3, 4),
        site="North",
        requested=RequestedPriority.ROUTINE,
        urgency=None,
        received_at=datetime(2026, 3, 5, 8, 30, tzinfo=UTC),
        due_at=datetime(2026, 3, 5, 9, 30, tzinfo=UTC),
        waited_minutes=12.3,
        wait_state=WaitState.ON_TIME,
        status=CaseStatus.NEW,
        assignee=None,
        score=61.2,
        band=Band.IMMEDIATE,
        reasons=(Reason("glioma", "Glioma 91 %", 55), Reason("lesion", "Small lesion", 6)),
        flagged=False,
        predicted=TumourClass.GLIOMA,
        probability=0.912,
        tumour_probability=0.953,
        lesion=Lesion(120, 14.2, 0.0123, 80.1, 11.6),
        thumbnail_key=None,
        model_version="fake-1",
        scan_count=1,
        scored_count=1,
        failed_count=0,
        version=1,
    )
    return CaseSummary(**(values | changes))
