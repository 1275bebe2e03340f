"""What the machine is doing: a busy one is not measured on."""

from __future__ import annotations

import os
import time
from pathlib import Path

BUSY_SHARE = 0.15
_STAT = Path("/proc/stat")


def busy_share(seconds: float = 2.0) -> float:
    """Share of all cores that others used during the last ``seconds``, 0 to 1.

    Without /proc/stat (macOS, Windows) the one-minute load average per core stands in; where that
    is absent too, 0.
    """
    if _STAT.exists():
        idle, total = _ticks()
        time.sleep(seconds)
        later_idle, later_total = _ticks()
        return 1 - (later_idle - idle) / max(1, later_total - total)
    if hasattr(os, "getloadavg"):
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    return 0.0


def _ticks() -> tuple[int, int]:
    values = [int(v) for v in _STAT.read_text().splitlines()[0].split()[1:9]]
    return values[3] + values[4], sum(values)
