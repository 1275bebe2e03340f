"""Where settings come from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAY = "from core.config import settings; print(settings().scoring_attempts)"


def test_the_file_beside_the_readme_counts_wherever_the_program_is_started(tmp_path):
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    (checkout / "core").mkdir(parents=True)
    elsewhere.mkdir()
    for name in ("__init__", "config", "errors", "node_settings"):
        shutil.copy(ROOT / "core" / f"{name}.py", checkout / "core")
    (checkout / ".env").write_text("NEUROTRIAGE_SCORING_ATTEMPTS=7\n")
    (elsewhere / ".env").write_text("NEUROTRIAGE_SCORING_ATTEMPTS=5\n")
    env = {name: value for name, value in os.environ.items() if "NEUROTRIAGE" not in name}
    for folder in (checkout, elsewhere):
        found = subprocess.run(
            [sys.executable, "-c", SAY],
            cwd=folder,
            env=env | {"PYTHONPATH": str(checkout)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.strip() == "7"
