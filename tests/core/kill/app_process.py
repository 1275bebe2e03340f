"""Stands for the application: uploads scans and scores them in a thread, until it is killed.

``app_process.py upload`` writes a line for every upload that was received; ``app_process.py wait``
uploads nothing.
"""

import itertools
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from core.services.installation import open_installation
from core.services.readers import sign_in
from core.services.submit import submit
from core.services.workers import start_embedded_worker
from core.types import StudyDetails
from tests.core.kill.load import upload, wait_for_room
from tests.core.kill.slow_engine import SlowEngine


def main(uploads: bool) -> None:
    installation = open_installation()
    start_embedded_worker(installation, SlowEngine)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    reader = sign_in(installation, "local:uploader", "Uploader", False)
    for number in itertools.count():
        if not uploads:
            time.sleep(60)
            continue
        wait_for_room(installation)
        details = StudyDetails(patient_reference=f"P-{number % 7}")
        batch = submit(installation, reader, upload(number, str(os.getpid())), details)
        sys.stdout.write(f"{batch.batch_id} {batch.files}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(uploads=sys.argv[1] == "upload")
