"""Start-up time and peak memory, each runtime in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import json, resource, sys, time
started = time.perf_counter()
from pathlib import Path
import numpy as np
from core.inference import Engine
from core.types import Scan, ScanKind
engine = Engine.load(Path(sys.argv[1]), sys.argv[2])
loaded = time.perf_counter() - started
pixels = np.random.default_rng(0).uniform(0, 255, (256, 256, 1)).astype(np.float32)
engine.analyse([Scan(pixels, ScanKind.GRAY, "PNG", 8)])
first = time.perf_counter() - started
engine.analyse([Scan(pixels, ScanKind.GRAY, "PNG", 8)] * 8)
# Linux counts kilobytes, macOS bytes.
unit = 1024 if sys.platform != "darwin" else 1
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
print(json.dumps({"loaded_s": loaded, "first_result_s": first, "peak_mb": peak}))
"""


def startup(folder: Path, runtime: str) -> dict[str, float]:
    """Seconds to a loaded engine and to the first result (imports included), peak memory in MB."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(folder), runtime],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])
