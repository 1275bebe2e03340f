"""Runs processes that write down when they start and end: ``supervised.py FOLDER PROCESSES``."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from core.jobs.processes import supervise, wait_for_end

FINAL_STATUS = 9


def work(folder: Path) -> None:
    if (folder / "useless").exists():
        sys.exit(FINAL_STATUS)
    note = folder / str(os.getpid())
    note.write_text("started")
    wait_for_end()
    note.write_text("ended")


if __name__ == "__main__":
    sys.exit(supervise(work, Path(sys.argv[1]), int(sys.argv[2]), FINAL_STATUS))
