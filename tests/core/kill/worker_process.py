"""``python -m core worker`` with the slow fake engine; takes the same options."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from core import cli
from core.services import analyse
from tests.core.kill.slow_engine import SlowEngine

# Outside the guard: the worker's processes read this file again, each from its beginning.
analyse.Engine.load = lambda *_, **__: SlowEngine()

if __name__ == "__main__":
    cli.app(["worker", *sys.argv[1:]])
