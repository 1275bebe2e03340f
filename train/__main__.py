"""``python -m train``: classifier, segmenter, evaluate, export."""

from __future__ import annotations

from train.cli import app

if __name__ == "__main__":
    app()
