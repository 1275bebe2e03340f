"""The service that receives: C-STORE and C-ECHO.

An object is answered with success once ``receive`` has returned, which is when it lies on the disk
and in the database. Whatever else happens, the sender learns that it has to keep it.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from enum import IntEnum
from io import BytesIO
from typing import NoReturn
from weakref import WeakKeyDictionary

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import AE, evt, sop_class
from pynetdicom.association import Association
from pynetdicom.events import Event

from core.config import NodeSettings
from core.errors import InputError, StoreError
from core.node.limits import Pace
from core.node.transport import PDU_BYTES, NodeServer, bare_address
from core.services.faults import fault

log = logging.getLogger(__name__)

# Deflated transfer is left out: a few bytes of it may swell to any size before they are looked at.
TRANSFER_SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEGLosslessSV1,
    JPEGLossless,
    JPEGLSLossless,
    JPEG2000Lossless,
    RLELossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    JPEG2000,
)
STORAGE_CLASSES = (
    sop_class.MRImageStorage,
    sop_class.EnhancedMRImageStorage,
    sop_class.EnhancedMRColorImageStorage,
    sop_class.LegacyConvertedEnhancedMRImageStorage,
    sop_class.SecondaryCaptureImageStorage,
    sop_class.MultiFrameSingleBitSecondaryCaptureImageStorage,
    sop_class.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    sop_class.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    sop_class.MultiFrameTrueColorSecondaryCaptureImageStorage,
)
# A sender waits about half a minute for an answer; it is to get one well before.
_LONGEST_DELAY_SECONDS = 10.0
_NEGOTIATION_SECONDS = 15.0
# Answers that are on their way when the last object is stored.
_GRACE_SECONDS = 0.3
# For the associations to be aborted: each takes a tenth of a second.
_END_SECONDS = 15.0
# How often the thread that accepts connections looks whether it is to stop.
_LOOK_SECONDS = 0.1


class Status(IntEnum):
    """Answers to C-STORE (PS3.4 B.2.3)."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    OUT_OF_RESOURCES = 0xA700
    DOES_NOT_MATCH_CLASS = 0xA900
    CANNOT_UNDERSTAND = 0xC000


class _Refused(Exception):
    def __init__(self, status: Status, comment: str) -> None:
        super().__init__(comment)
        self.status = status


class StorageNode:
    """Listens, and hands over what comes; ``start`` and ``stop`` belong to the same thread."""

    def __init__(
        self, settings: NodeSettings, receive: Callable[[bytes], None], tls: ssl.SSLContext | None
    ) -> None:
        """Set up a node that does not listen yet.

        Args:
            settings: whom it lets in, and how much.
            receive: takes one object as a DICOM file, durably; called in several threads at once.
                ``InputError`` where the object cannot be used, ``StoreError`` where it cannot be
                stored now.
            tls: for connections by TLS; None for plain ones.
        """
        self._settings = settings
        self._receive = receive
        self._tls = tls
        self._pace = Pace(settings.objects_per_minute)
        self._stopping = threading.Event()
        self._in_hand = 0
        self._changed = threading.Condition()
        self._counts: WeakKeyDictionary[Association, Counter[Status]] = WeakKeyDictionary()
        self._ae = AE(ae_title=settings.ae_title)
        self._ae.maximum_associations = settings.associations
        self._ae.maximum_pdu_size = PDU_BYTES
        self._ae.require_calling_aet = list(settings.senders)
        self._ae.require_called_aet = True
        self._ae.network_timeout = settings.idle_seconds
        self._ae.acse_timeout = _NEGOTIATION_SECONDS
        self._ae.add_supported_context(sop_class.Verification)
        for storage_class in STORAGE_CLASSES:
            self._ae.add_supported_context(storage_class, list(TRANSFER_SYNTAXES))
        self._server: NodeServer | None = None

    @property
    def port(self) -> int:
        """The port listened at; chosen by the system where the setting is 0."""
        if self._server is None:
            raise RuntimeError("the node is not started")
        return self._server.server_address[1]

    def start(self) -> None:
        """Listen, in threads of its own.

        Raises:
            ValueError: no sender is allowed.
            OSError: the address cannot be listened at.
        """
        if not self._settings.senders:  # pynetdicom takes an empty list as "everybody"
            raise ValueError("no sender is allowed")
        handlers = [
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_RELEASED, self._ended),
            (evt.EVT_ABORTED, self._ended),
            (evt.EVT_CONN_CLOSE, self._ended),
            (evt.EVT_C_STORE, self._store),
        ]
        self._server = self._ae.make_server(
            (self._settings.bind, self._settings.port),
            evt_handlers=handlers,
            server_class=NodeServer,
            tls=self._tls,
            networks=self._settings.networks,
            object_bytes=self._settings.object_bytes,
        )
        self._ae._servers.append(self._server)  # where its shutdown looks for it
        threading.Thread(
            target=self._server.serve_forever, args=(_LOOK_SECONDS,), name="node", daemon=True
        ).start()

    def stop(self, patience: float) -> None:
        """Take nothing more, finish the objects in hand, and end the associations.

        Args:
            patience: longest wait for the objects in hand, in seconds.
        """
        if self._server is None or self._stopping.is_set():
            return
        self._stopping.set()
        self._server.shutdown()
        with self._changed:
            self._changed.wait_for(lambda: not self._in_hand, patience)
        if self._ae.active_associations:
            time.sleep(_GRACE_SECONDS)
        # It waits without end for a connection that neither goes on nor closes.
        ending = threading.Thread(target=self._ae.shutdown, name="node-end", daemon=True)
        ending.start()
        ending.join(_END_SECONDS)

    def _store(self, event: Event) -> Dataset:
        """Answer a C-STORE request."""
        answer = Dataset()
        with self._changed:
            self._in_hand += 1
        try:
            self._take(event)
            status = Status.SUCCESS
        except _Refused as refusal:
            status = refusal.status
            answer.ErrorComment = _comment(str(refusal))
        finally:
            with self._changed:
                self._in_hand -= 1
                self._changed.notify_all()
        self._counts.setdefault(event.assoc, Counter())[status] += 1
        answer.Status = int(status)
        return answer

    def _take(self, event: Event) -> None:
        """Store an object, or raise ``_Refused``."""
        self._wait_for_turn(bare_address(event.assoc.requestor.address))
        stream: BytesIO = event.request.DataSet
        if stream.getbuffer().nbytes > self._settings.object_bytes:
            megabytes = self._settings.object_bytes // 1_000_000
            raise _Refused(Status.CANNOT_UNDERSTAND, f"The object has more than {megabytes} MB")
        try:
            data = event.encoded_dataset()
            _check_class(event, data)
            self._receive(data)
        except InputError as error:
            raise _Refused(Status.CANNOT_UNDERSTAND, str(error)) from error
        except StoreError as error:
            log.error("An object could not be stored: %s", error)
            reason = "It cannot be stored now; please send it again later"
            raise _Refused(Status.OUT_OF_RESOURCES, reason) from error
        except _Refused:
            raise
        except Exception as error:
            log.error("An object could not be taken: %s", fault(error))
            reason = "An error in the receiving program"
            raise _Refused(Status.PROCESSING_FAILURE, reason) from error

    def _wait_for_turn(self, address: str) -> None:
        delay = self._pace.delay(address, _LONGEST_DELAY_SECONDS)
        if delay is None:
            reason = "Too many objects a minute; please send it again later"
            raise _Refused(Status.OUT_OF_RESOURCES, reason)
        if self._stopping.wait(delay):
            reason = "The node is being stopped; please send it again later"
            raise _Refused(Status.OUT_OF_RESOURCES, reason)

    def _accepted(self, event: Event) -> None:
        log.info("Association of %s accepted.", _who(event))

    def _rejected(self, event: Event) -> None:
        log.warning(
            "Association of %s rejected: not an allowed AE title, a wrong called AE title, "
            "or too many associations.", _who(event),
        )  # fmt: skip

    def _ended(self, event: Event) -> None:
        """Log once what an association brought, however it ended."""
        counts = self._counts.pop(event.assoc, None)
        if counts:
            stored = counts.pop(Status.SUCCESS, 0)
            refused = ", ".join(f"{n} refused (0x{s:04X})" for s, n in sorted(counts.items()))
            log.info(
                "Association of %s: %d objects stored%s.",
                _who(event), stored, f", {refused}" if refused else "",
            )  # fmt: skip


def _check_class(event: Event, data: bytes) -> None:
    """Refuse an object that is not the one, or not of the class, that was announced."""
    try:
        found = dcmread(
            BytesIO(data), stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID"]
        )
        uids = found.get("SOPClassUID"), found.get("SOPInstanceUID")
    except Exception as error:  # whatever pydicom raises on bytes that are no data set
        refusal = "The data set cannot be read"
        raise _Refused(Status.CANNOT_UNDERSTAND, refusal) from error
    request = event.request
    announced = request.AffectedSOPClassUID, request.AffectedSOPInstanceUID
    if uids != announced or announced[0] != event.context.abstract_syntax:
        _mismatch()


def _mismatch() -> NoReturn:
    raise _Refused(Status.DOES_NOT_MATCH_CLASS, "The data set is not what was announced")


def _comment(text: str) -> str:
    """A reason as an error comment takes it: LO, 64 characters of ASCII without a backslash."""
    plain = text.encode("ascii", "replace").decode().replace("\\", "/")
    return plain if len(plain) <= 64 else f"{plain[:61]}..."


def _who(event: Event) -> str:
    """AE title and address of the other side, safe to be logged."""
    requestor = event.assoc.requestor
    title = "".join(c if c.isascii() and c.isprintable() else "?" for c in requestor.ae_title)
    return f"{title.strip()[:16] or '(no AE title)'} ({bare_address(requestor.address)})"
