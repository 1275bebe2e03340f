"""What the commands of training share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer

from core.config import settings
from core.errors import DataError, NeuroTriageError


def data_root() -> Path:
    """The data folder that NEUROTRIAGE_DATA names.

    Raises:
        DataError: it is not set or no folder.
    """
    root = settings().data
    if root is None or not root.is_dir():
        raise DataError("Set NEUROTRIAGE_DATA to the folder that holds figshare/, lgg/, ...")
    return root


def guarded(action: Callable[[], object]) -> None:
    """Run; an expected error is one line on the terminal and exit status 2."""
    try:
        action()
    except (NeuroTriageError, ValueError) as error:
        typer.secho(str(error), err=True, fg=typer.colors.RED)
        raise typer.Exit(2) from error
