"""Which state of the project's code made a result."""

from __future__ import annotations

import subprocess

from core.config import PROJECT_ROOT


def commit() -> str | None:
    """The commit that is checked out; None outside of a repository."""
    return _git("rev-parse", "HEAD")


def train_changed() -> bool:
    """Whether files of ``train`` differ from the commit."""
    return bool(_git("status", "--porcelain", "--", "train"))


def _git(*arguments: str) -> str | None:
    try:
        found = subprocess.run(
            ["git", *arguments], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
