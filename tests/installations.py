"""Installations for tests: of their own storage, and of no settings but those given."""

from pathlib import Path
from typing import Any

from core.config import Settings
from core.services.installation import Installation, open_installation


def make_installation(tmp_path: Path, **settings: Any) -> Installation:
    """An installation in a temporary folder: SQLite throughout unless the settings name servers.

    Called again with the same folder it opens the same one, as another process would.
    """
    given = {"storage": tmp_path / "storage", "database_url": "", "queue_url": "", **settings}
    return open_installation(Settings(_env_file=None, **given))
