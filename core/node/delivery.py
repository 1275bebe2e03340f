"""Sends the results of what the node received back to the archive, until it is stopped."""

from __future__ import annotations

import logging
import threading

from core.errors import NeuroTriageError
from core.node.archive import Archive, ArchiveError
from core.node.patient import with_patient
from core.services import deliveries
from core.services.deliveries import Delivery, SentReport
from core.services.faults import fault
from core.services.installation import Installation, now
from core.services.programs import lease_owner
from core.services.results import series_results

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 60.0
# Analyses of so long ago are looked at when the node starts, and later those since the last look.
_LOOK_BACK_SECONDS = 30 * 24 * 3600.0
# Clocks of several machines differ, and a transaction may take a while.
_OVERLAP_SECONDS = 300.0
_DICOM = "application/dicom"
_UNKNOWN = "The archive does not know the study."
_FAULT = "An error in the program, which its log describes."


class Deliverer:
    """A thread that looks for results and sends them."""

    def __init__(self, installation: Installation, archive: Archive) -> None:
        """Set up a thread that does not run yet.

        Args:
            installation: where the results are.
            archive: where they go.
        """
        self._installation = installation
        self._archive = archive
        self._owner = lease_owner()
        self._since = now() - _LOOK_BACK_SECONDS
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="deliveries", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, patience: float) -> None:
        """Have it finish what it is sending; what it does not finish in time is sent later."""
        self._stop.set()
        self._thread.join(patience)

    def work(self) -> int:
        """Send everything that is to be sent now; says how much was tried.

        Raises:
            StoreError: the database is in trouble; nothing is lost.
        """
        at = now()
        deliveries.queue_finished(self._installation, self._since)
        self._since = at - self._installation.settings.node.quiet_seconds - _OVERLAP_SECONDS
        count = 0
        while not self._stop.is_set():
            delivery = deliveries.take(self._installation, self._owner)
            if delivery is None:
                break
            self._deliver(delivery)
            count += 1
        return count

    def _run(self) -> None:
        pause = _PAUSE_SECONDS
        while not self._stop.is_set():
            try:
                self.work()
                pause = _PAUSE_SECONDS
            except NeuroTriageError as error:
                log.error("Results cannot be sent now: %s", error)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            except Exception as error:  # the thread must not end
                log.error("Results cannot be sent now: %s", fault(error))
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            self._stop.wait(pause)

    def _deliver(self, delivery: Delivery) -> None:
        try:
            what, report = self._send(delivery)
        except NeuroTriageError as error:
            reason = str(error)
        except Exception as error:  # one that cannot be sent must not hold up the others
            log.error("Results of series %d: %s", delivery.series_id, fault(error))
            reason = _FAULT
        else:
            deliveries.sent(self._installation, delivery, self._owner, what, report)
            log.info("Results of series %d sent (%s).", delivery.series_id, what)
            return
        again = deliveries.not_sent(self._installation, delivery, self._owner, reason)
        log.warning(
            "Results of series %d not sent, %s: %s",
            delivery.series_id, "to be tried again" if again else "given up", reason,
        )  # fmt: skip

    def _send(self, delivery: Delivery) -> tuple[str, SentReport | None]:
        """Send the results of a series; says what they were, and which report was among them."""
        study = self._archive.study(delivery.study_uid)
        if study is None:
            raise ArchiveError(_UNKNOWN)
        files = [
            file
            for file in series_results(self._installation, delivery.series_id)
            if file.media_type == _DICOM
        ]
        datasets = [with_patient(file.data, study) for file in files]
        if not datasets:
            raise ArchiveError("There are no results that an archive keeps.")
        self._archive.store(datasets)
        reports = [
            SentReport(str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID))
            for dataset in datasets
            if dataset.Modality == "SR"
        ]
        what = " and ".join(sorted(f"DICOM {dataset.Modality}" for dataset in datasets))
        return what, next(iter(reports), None)
