"""An upload whose process is killed: nothing is half stored, and sending it again completes it."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.services.readers import add_reader
from core.services.submit import Upload, submit
from core.store.tables import ImageRow, ScanRow, SeriesRow, StudyRow
from core.types import StudyDetails
from tests import dicoms
from tests.fakes import scan_png
from tests.installations import make_installation

ROOT = Path(__file__).resolve().parents[3]
PICTURES, SLICES, FRAMES = 30, 24, 12
FILES, IMAGES = PICTURES + SLICES + 1, PICTURES + SLICES + FRAMES
KILLS = 4
SENDER = """
import sys
from pathlib import Path
from core.services.readers import readers
from core.services.submit import submit
from core.types import StudyDetails
from tests.core.services.test_submit_killed import uploads
from tests.installations import make_installation
installation = make_installation(Path(sys.argv[1]))
print("ready", flush=True)
submit(installation, readers(installation)[0], uploads(), StudyDetails())
"""


def uploads():
    """Pictures, and between them a study slice by slice and a volume in one file."""
    for n in range(PICTURES):
        yield Upload(f"{n}.png", scan_png(64, 48 + n))
        if n == PICTURES // 2:
            series = dicoms.mr_series(dicoms.head_volume(SLICES, 48, 40))
            yield from (Upload("x.dcm", data) for data in series)
            yield Upload("x.nii.gz", dicoms.nifti(dicoms.head_volume(FRAMES, 48, 40).T))


def stored(installation):
    """Content keys of the images, and how many scans there are."""
    with installation.database.reading() as session:
        keys = list(session.scalars(select(ImageRow.content_key)))
        scans = list(session.scalars(select(ScanRow.id)))
    return keys, len(scans)


@pytest.mark.slow
def test_a_killed_upload_leaves_nothing_half_stored_and_is_completed_by_another(tmp_path):
    installation = make_installation(tmp_path)
    reader = add_reader(installation, "Dr Adams")
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", SENDER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
        ) as sender:
            assert sender.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0, 0.6))
            sender.kill()
        keys, scans = stored(installation)
        assert len(keys) == scans, f"seed {seed}"
        assert sum(count % FRAMES for count in Counter(keys).values() if count > 1) == 0
        assert all(installation.files.get(key) for key in keys), f"seed {seed}"
    batch = submit(installation, reader, uploads(), StudyDetails())
    assert (batch.received + batch.linked, batch.rejected) == (FILES, 0)
    keys, scans = stored(installation)
    assert (len(keys), scans) == (IMAGES, IMAGES), f"seed {seed}"
    with installation.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(StudyRow)) == PICTURES + 2
        assert session.scalar(select(func.count()).select_from(SeriesRow)) == 2
    installation.database.close()
