"""Cases that wait for the model and are looked at afterwards, and an engine that fails."""

import io
import time

import numpy as np
from PIL import Image

from core.services.installation import Installation
from core.services.scoring import rerank
from core.store import counters, images, studies
from core.store import scoring as store
from core.triage.priority import case_priority
from core.triage.queueing import rate_per_second
from core.types import RequestedPriority, StudyDetails
from tests.core.services.sent_series import entries_of, scans_of
from tests.fakes import FakeEngine, scan_png


class Cases:
    """Cases of an installation: made and looked at."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.count = 0

    def add(self, *pictures: bytes, spacing=None, requested=RequestedPriority.ROUTINE) -> int:
        """A new case of these pictures."""
        self.count += 1
        details = StudyDetails(patient_reference=f"P-{self.count}", requested=requested)
        rules, now = self.installation.settings.priority, time.time()
        rate = rate_per_second(rules)
        empty = case_priority([], failed=0, waiting=0, requested=requested, rules=rules)
        keys = [self.installation.files.put(picture) for picture in pictures]
        with self.installation.database.transaction() as session:
            found = [
                images.find_or_create_images(
                    session, content_key=key, source_format="PNG", height=120, width=100,
                    spacing=spacing, queue_rank=0, now=now,
                )[0][0]
                for key in keys
            ]  # fmt: skip
            study_id, _ = studies.find_or_create_study(
                session, study_key=f"case {self.count}", details=details, priority=empty,
                rate_per_second=rate, now=now,
            )  # fmt: skip
            for image_id in found:
                images.link_scans(session, study_id, [images.NewScan(image_id)], now)
            rerank(session, self.installation.settings, study_id, now)
        return study_id

    def case(self, study_id: int):
        rules = self.installation.settings.priority
        with self.installation.database.reading() as session:
            rate, share = rate_per_second(rules), rules.amber_share
            return studies.get_case(session, study_id, time.time(), rate, share)

    def scans(self, study_id: int):
        return scans_of(self.installation, study_id)

    def history(self, study_id: int) -> list[tuple[str, str]]:
        return [(entry.action, entry.text) for entry in entries_of(self.installation, study_id)]

    def counters(self):
        with self.installation.database.reading() as session:
            return counters.counters(session, time.time())

    def stored(self, key: str) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(self.installation.files.get(key))))

    def retry(self, study_id: int) -> None:
        """What the retry button does."""
        with self.installation.database.transaction() as session:
            for scan in images.scans_of_study(session, study_id):
                store.requeue_failed(session, scan.image_id)
            rerank(session, self.installation.settings, study_id, time.time())


class FragileEngine(FakeEngine):
    """Fails on blank scans as long as it is told to."""

    fails = True

    def analyse(self, scans, *arguments, **options):
        if self.fails and any(np.ptp(scan.pixels) == 0 for scan in scans):
            raise RuntimeError("the network choked")
        return super().analyse(scans, *arguments, **options)


def distinct(count: int, **options) -> list[bytes]:
    """Scans that differ in their size."""
    return [scan_png(60 + n, 50, **options) for n in range(count)]
