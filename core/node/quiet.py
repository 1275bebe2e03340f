"""What libraries would write about what they read is kept out of the log: it may name a patient."""

from __future__ import annotations

import logging
import sys
import threading
import warnings

from core.services.faults import fault
from core.services.programs import log_to_stderr

# Their messages quote values of data sets, such as one that does not conform.
_TALKATIVE = ("pynetdicom", "pydicom", "highdicom", "dicomweb_client", "urllib3")
_SILENT = logging.CRITICAL + 1


def log_quietly() -> None:
    """Write what this program says to standard error, and nothing of what libraries say."""
    log_to_stderr()
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(_SILENT)
    warnings.simplefilter("ignore")
    threading.excepthook = _log_thread_end


def _log_thread_end(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is not None and not sys.is_finalizing():
        logging.getLogger(__name__).error("A thread ended: %s", fault(arguments.exc_value))
