"""Serves the application with the fake engine: ``python serve_fake.py streamlit-run-options``."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from streamlit.web import cli  # noqa: E402

from core.services import analyse  # noqa: E402
from tests.fakes import FakeEngine  # noqa: E402

analyse.Engine.load = lambda *_, **__: FakeEngine()
sys.exit(cli.main(["run", str(ROOT / "streamlit_app.py"), *sys.argv[1:]]))
