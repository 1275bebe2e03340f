"""``python -m train``; ``--help`` lists the commands."""

from __future__ import annotations

from train.cli import app

if __name__ == "__main__":
    app()
