"""pynetdicom's server with bounds: nobody who may connect can fill the memory or hold up others.

As it comes, pynetdicom reads messages and packets of any size, takes requests ahead of its answers
without end, waits for the TLS handshake of one client while others wait, and lets a connection on
which a packet stays half-sent live for ever.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

log = logging.getLogger(__name__)

# What the node asks senders to keep to, and the most it reads of one that does not.
PDU_BYTES = 256 * 1024
_LARGEST_PDU_BYTES = 1024 * 1024
_LARGEST_COMMAND_BYTES = 64 * 1024
_HANDSHAKE_SECONDS = 10.0
# Connections beyond the associations: they get an answer, which says that there are too many.
_SPARE_CONNECTIONS = 8
# Senders that write a packet in pieces wait for our system to acknowledge the first, which it puts
# off by 40 ms: most of the time that an object takes. Linux forgets this option after a while.
_QUICK_ACKNOWLEDGEMENT = getattr(socket, "TCP_QUICKACK", None)
_INVALID_PDU = "Evt19"  # of the state machine in PS3.8: the connection is aborted


def bare_address(address: str) -> str:
    """An address without its version's wrapping: ``::ffff:10.1.2.3`` is ``10.1.2.3``."""
    found = ip_address(address.split("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


class BoundedSocket(AssociationSocket):
    """Reads a packet of a sensible size within a sensible time, or ends the connection."""

    def recv(self, nr_bytes: int) -> bytearray:
        """So many bytes; fewer where the connection ended or the packet is too large."""
        connection = self.socket
        if nr_bytes > _LARGEST_PDU_BYTES or connection is None:
            return bytearray()
        found = bytearray(nr_bytes)
        rest = memoryview(found)
        give_up = time.monotonic() + (self.assoc.network_timeout or 0)
        while rest:
            if _QUICK_ACKNOWLEDGEMENT is not None:
                connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACKNOWLEDGEMENT, 1)
            count = connection.recv_into(rest)
            if not count:
                return found[: nr_bytes - len(rest)]
            rest = rest[count:]
            if rest and time.monotonic() > give_up:
                raise TimeoutError
        return found


class BoundedMessages(DIMSEServiceProvider):
    """Keeps of a message what the limit allows, and one byte more, which says that it is larger."""

    def __init__(self, association: Association, largest_bytes: int) -> None:
        super().__init__(association)
        self._largest = largest_bytes
        self._kept = 0
        self._command = 0

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take a part of a message; what follows beyond the limit is dropped as it comes."""
        try:
            self._shorten(primitive)
            # Several requests ahead of the answers: asynchronous operations were not negotiated.
            if self._command > _LARGEST_COMMAND_BYTES or self.msg_queue.qsize() > 1:
                raise ValueError
            super().receive_primitive(primitive)
        except Exception:  # it would end the thread and leave the connection open
            self.dul.event_queue.put(_INVALID_PDU)
            return
        if self.message is None:
            self._kept = self._command = 0

    def _shorten(self, primitive: P_DATA) -> None:
        parts = primitive.presentation_data_value_list
        for index, (context, data) in enumerate(parts):
            header, size = data[0], len(data) - 1
            if header & 1:  # a part of the command, not of the data set
                self._command += size
            elif (room := self._largest + 1 - self._kept) < size:
                parts[index] = context, data[: 1 + max(0, room)]
                self._kept = self._largest + 1
            else:
                self._kept += size


class NodeRequestHandler(RequestHandler):
    """Makes an association of a connection, after the TLS handshake where there is TLS."""

    server: NodeServer

    def handle(self) -> None:
        """Called in a thread of its own."""
        try:
            # Answers are small, and the sender waits for each.
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.request.settimeout(_HANDSHAKE_SECONDS)
            if self.server.tls is not None:
                self.request = self.server.tls.wrap_socket(self.request, server_side=True)
            self.request.settimeout(self.ae.network_timeout)
        except OSError as error:  # ssl.SSLError is one
            reason = getattr(error, "reason", None) or type(error).__name__
            log.warning("TLS handshake with %s failed: %s", self.client_address[0], reason)
            self.server.shutdown_request(self.request)
            return
        finally:
            self.server.handshake_over()
        super().handle()

    def _create_association(self) -> Association:
        association = super()._create_association()
        # The base offers no other way to choose the class; it adds no state of its own.
        association.dul.socket.__class__ = BoundedSocket
        association.dimse = BoundedMessages(association, self.server.object_bytes)
        # pynetdicom's reader of the connection would keep a program from ending that is told to.
        association.dul.daemon = True
        return association


class NodeServer(ThreadedAssociationServer):
    """Accepts connections from permitted addresses, as many as there is room for."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        *arguments: Any,
        tls: ssl.SSLContext | None,
        networks: Sequence[str],
        object_bytes: int,
        **options: Any,
    ) -> None:
        """Listen.

        Args:
            arguments: those of the base.
            tls: for connections by TLS; None for plain ones.
            networks: addresses or networks that may connect; empty for all.
            object_bytes: size of the largest data set.
            options: those of the base.

        Raises:
            OSError: the address cannot be listened at.
        """
        self.tls = tls
        self.object_bytes = object_bytes
        self._networks = [ip_network(network) for network in networks]
        self._handshakes = 0
        self._lock = threading.Lock()
        super().__init__(*arguments, request_handler=NodeRequestHandler, **options)

    def verify_request(self, request: socket.socket, client_address: Any) -> bool:
        """Whether somebody may connect now; otherwise the connection is closed at once."""
        address = ip_address(bare_address(client_address[0]))
        if self._networks and not any(address in network for network in self._networks):
            log.warning("Connection from %s refused: not a permitted address.", address)
            return False
        with self._lock:
            room = self.ae.maximum_associations + _SPARE_CONNECTIONS
            if self._handshakes + len(self.active_associations) >= room:
                log.warning("Connection from %s refused: too many connections.", address)
                return False
            self._handshakes += 1
        return True

    def handshake_over(self) -> None:
        """A connection is an association now, or is gone."""
        with self._lock:
            self._handshakes -= 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Where a connection could not become an association."""
        log.warning("The connection from %s broke.", client_address[0])
