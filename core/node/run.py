"""The node as a program: it receives and sends until it is told to stop."""

from __future__ import annotations

import logging
import os
import signal
import time
from types import FrameType

from core.config import NodeSettings, Settings
from core.node.archive import open_archive
from core.node.delivery import Deliverer
from core.node.quiet import log_quietly
from core.node.storage import StorageNode
from core.node.tls import server_context
from core.services import deliveries
from core.services.installation import Installation, open_installation
from core.services.readers import sign_in
from core.services.submit import receive

log = logging.getLogger(__name__)

# What is in hand when the node is told to stop: an object is stored within seconds.
_PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 0.2


class NodeError(Exception):
    """The node cannot be started as it is set up; the text says what to change."""


def run_node(settings: Settings, *, retry: bool = False) -> None:
    """Receive and send until SIGTERM or SIGINT; a second one ends at once.

    Args:
        settings: of the installation and the node.
        retry: whether results that were given up are sent again.

    Raises:
        NodeError: the node cannot be started with these settings.
        StoreError: the storage cannot be used.
    """
    log_quietly()
    signals: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if signals:
            os._exit(1)
        signals.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        _check(settings.node)
        installation = open_installation(settings)
        if retry:
            log.info("Results to be sent again: %d.", deliveries.retry_failed(installation))
        node = _storage_node(installation)
        deliverer = _deliverer(installation)
        _start(node, settings.node)
        if deliverer is not None:
            deliverer.start()
        _tell(settings.node, node.port)
        # Not a wait without end: a signal that comes just before it would not end it.
        while not signals:
            time.sleep(_LOOK_SECONDS)
        log.info("Stopping: what is in hand is finished.")
        node.stop(_PATIENCE_SECONDS)
        if deliverer is not None:
            deliverer.stop(_PATIENCE_SECONDS)
        installation.database.close()
        log.info("Stopped.")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check(settings: NodeSettings) -> None:
    if not settings.senders:
        raise NodeError(
            "Nobody is allowed to send. Please name the AE titles that may, separated by commas, "
            "in NEUROTRIAGE_NODE__SENDERS."
        )


def _storage_node(installation: Installation) -> StorageNode:
    settings = installation.settings.node
    account = sign_in(
        installation, f"node:{settings.ae_title}", f"DICOM node {settings.ae_title}", True
    )

    def take(data: bytes) -> None:
        receive(installation, account, data, keep_uids=True)

    try:
        return StorageNode(settings, take, server_context(settings))
    except OSError as error:
        raise _certificates(error) from error


def _deliverer(installation: Installation) -> Deliverer | None:
    settings = installation.settings.node
    if not settings.returns_results:
        return None
    try:
        return Deliverer(installation, open_archive(settings))
    except OSError as error:
        raise _certificates(error) from error


def _certificates(error: OSError) -> NodeError:
    why = error.strerror or getattr(error, "reason", None) or type(error).__name__
    return NodeError(
        f"A certificate or its key cannot be used ({why}). Please check "
        "NEUROTRIAGE_NODE__TLS_CERTIFICATE, NEUROTRIAGE_NODE__TLS_KEY, NEUROTRIAGE_NODE__TLS_CA "
        "and NEUROTRIAGE_NODE__ARCHIVE_CA: they name PEM files."
    )


def _start(node: StorageNode, settings: NodeSettings) -> None:
    try:
        node.start()
    except OSError as error:
        raise NodeError(
            f"The node cannot listen at {settings.bind}:{settings.port} ({error.strerror}). Please "
            "check NEUROTRIAGE_NODE__BIND and NEUROTRIAGE_NODE__PORT; another program may use "
            "the port."
        ) from error


def _tell(settings: NodeSettings, port: int) -> None:
    log.info(
        "%s listens at %s:%d, %s. Allowed to send: %s%s.",
        settings.ae_title,
        settings.bind,
        port,
        "with TLS" if settings.tls_certificate else "without TLS",
        ", ".join(settings.senders),
        f", from {', '.join(settings.networks)}" if settings.networks else "",
    )
    if settings.archive_url:
        # Without what may stand in an address beside the machine, such as a password.
        where = "the DICOMweb service of NEUROTRIAGE_NODE__ARCHIVE_URL"
    elif settings.archive_host:
        where = f"{settings.archive_ae_title} at {settings.archive_host}:{settings.archive_port}"
    else:
        where = "nowhere: no archive is set"
    log.info("Results go to %s.", where)
    log.info("Scoring is done by the application or by `python -m core worker`, not here.")
