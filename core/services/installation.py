"""One installation: its settings, database, files and queue. Every other service takes it first."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from sqlalchemy.engine import URL

from core import config
from core.config import Settings
from core.imaging.deidentify.pseudonyms import Pseudonyms, load_pseudonyms
from core.jobs.queue import Queue
from core.services.rules import apply_rules
from core.store.database import Database
from core.store.files import FileStore

_DATABASE = "neurotriage.db"
_FILES = "files"
_KEY = "pseudonyms.key"


@dataclass(frozen=True)
class Installation:
    """What services work on. Threads may share one; every process opens its own.

    Attributes:
        settings: everything an installation may set.
        database: the rows.
        files: pictures, masks and heat maps.
        queue: the hints that wake workers.
        pseudonyms: of the patients and UIDs in DICOM and NIfTI files.
        identity: what caches that serve several installations tell them apart by: numbers of cases
            and series begin with 1 in each.
    """

    settings: Settings
    database: Database
    files: FileStore
    queue: Queue
    pseudonyms: Pseudonyms
    identity: str = field(default_factory=lambda: secrets.token_hex(8), compare=False)


def open_installation(settings: Settings | None = None) -> Installation:
    """Open the installation of the given settings, or of the process's.

    Raises:
        StoreError: storage, database or queue cannot be used; the text says what to do.
    """
    settings = settings or config.settings()
    files = FileStore(settings.storage / _FILES)
    address = settings.database_url.get_secret_value() or URL.create(
        "sqlite", database=str(settings.storage / _DATABASE)
    )
    database = Database.open(address)
    apply_rules(database, settings, now())
    return Installation(
        settings=settings,
        database=database,
        files=files,
        queue=Queue.open(settings.queue_url.get_secret_value(), settings.storage),
        pseudonyms=load_pseudonyms(
            settings.storage / _FILES / _KEY, settings.pseudonym_key.get_secret_value()
        ),
    )


def now() -> float:
    """Seconds since 1970, as all times are stored."""
    return time.time()
