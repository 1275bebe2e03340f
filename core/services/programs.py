"""What programs that work beside the application have in common: their log and their name."""

from __future__ import annotations

import logging
import os
import secrets
import socket


def log_to_stderr() -> None:
    """Write the log of this process to standard error."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s [%(process)d] %(levelname)s %(name)s: %(message)s"
    )
    # They would write lines for every hint and at every start.
    for name in ("huey", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def lease_owner() -> str:
    """A name to hold leases by, another one at every call."""
    return f"{socket.gethostname()[:80]}:{os.getpid()}:{secrets.token_hex(4)}"
