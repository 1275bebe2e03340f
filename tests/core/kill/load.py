"""Load for the kill tests, and what must be true when it is over."""

import io
import random
import time
from collections import Counter

import numpy as np
from PIL import Image
from sqlalchemy import func, select

from core.services.installation import Installation
from core.services.scoring import rerank
from core.services.submit import Upload
from core.store import counters, scoring
from core.store.tables import AnalysisRow, CounterRow, ImageRow, ScanRow, StudyRow
from core.types import CaseStatus
from tests import dicoms

_MOST_WAITING = 40
_HOUR = 3600


def picture() -> bytes:
    """A small scan unlike any other; some with a lesion."""
    pixels = np.random.default_rng().integers(20, 160, (48, 40), dtype=np.uint8)
    if random.random() < 0.5:
        pixels[20:26, 12:18] = 220
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def _slice(random_values: np.random.Generator) -> np.ndarray:
    pixels = random_values.integers(20, 160, (48, 40), dtype=np.uint16)
    if random_values.random() < 0.5:
        pixels[20:26, 12:18] = 220
    return pixels


def study(name: str) -> list[Upload]:
    """Three DICOM slices of a study of that name, unlike any others."""
    volume = np.stack([_slice(np.random.default_rng()) for _ in range(3)])
    files = dicoms.mr_series(volume, study=name)
    return [Upload(f"{n}.dcm", data) for n, data in enumerate(files)]


def volume() -> Upload:
    """A NIfTI file of four slices, unlike any other."""
    values = np.stack([_slice(np.random.default_rng()) for _ in range(4)], axis=2)
    return Upload("volume.nii.gz", dicoms.nifti(values))


def upload(number: int, name: str) -> list[Upload]:
    """What is uploaded in the course of the test: pictures, studies and volumes in turn."""
    if number % 4 == 1:
        return study(f"{name}/{number}")
    if number % 4 == 3:
        return [volume()]
    return [Upload(f"{name}-{number}.png", picture())]


def waiting(installation: Installation) -> int:
    with installation.database.reading() as session:
        return scoring.waiting_count(session)


def wait_for_room(installation: Installation) -> None:
    """Wait while so much waits that uploading more would only make the test longer."""
    while waiting(installation) > _MOST_WAITING:
        time.sleep(0.05)


def wait_for_the_end(installation: Installation, seconds: float = 60) -> None:
    """Wait until nothing waits any more."""
    give_up = time.monotonic() + seconds
    while left := waiting(installation):
        assert time.monotonic() < give_up, f"{left} images still wait after {seconds} s"
        time.sleep(0.1)


def check_everything(installation: Installation) -> None:
    """Every image is scored exactly once, and every case and counter says so."""
    with installation.database.reading() as session:
        images = list(session.scalars(select(ImageRow)))
        analyses = list(session.scalars(select(AnalysisRow)))
        cases = list(session.scalars(select(StudyRow)))
        scans = Counter(session.scalars(select(ScanRow.study_id)))
    assert images
    assert {image.state for image in images} == {"scored"}
    assert {image.lease_owner for image in images} == {None}
    assert Counter(row.image_id for row in analyses) == Counter(image.id for image in images)
    for row in analyses:
        for key in (row.mask_key, row.thumbnail_key, *row.heat_map_keys.values()):
            installation.files.get(key)
    for case in cases:
        count = scans[case.id]
        assert (case.scan_count, case.scored_count, case.failed_count) == (count, count, 0)
        assert case.status == CaseStatus.NEW
        _check_place(installation, case)
    _check_counters(installation, cases)


def _check_place(installation: Installation, case: StudyRow) -> None:
    """A case that is placed anew stays where it is."""
    with installation.database.transaction() as session:
        rerank(session, installation.settings, case.id, time.time())
        again = session.get_one(StudyRow, case.id)
        assert (again.version, again.score) == (case.version, case.score)


def _check_counters(installation: Installation, cases: list[StudyRow]) -> None:
    with installation.database.reading() as session:
        kept = counters.counters(session, time.time())
        by_hour = {
            (name, bucket): value
            for name, bucket, value in session.execute(
                select(CounterRow.name, CounterRow.bucket, CounterRow.value)
            )
            if bucket
        }
        assert session.scalar(select(func.count()).select_from(StudyRow)) == len(cases)
    received = Counter(("open_received", int(case.received_at // _HOUR)) for case in cases)
    due = Counter(("open_due", int(case.due_at // _HOUR)) for case in cases)
    assert by_hour == received + due
    assert kept.waiting == kept.by_status[CaseStatus.NEW] == len(cases)
    assert kept.flagged == sum(case.flagged for case in cases)
    assert kept.images_to_score == 0
