"""One upload on its way into the store: each file is stored, or listed with the reason why not.

Names of files often say who the patient is, those of ordinary pictures too, and no rule tells which
do. So none is stored: in the list of the upload a file is "File 12 of the upload". The session that
sends it is told the name, and shows it for as long as it lasts.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from core.errors import InputError, StoreError
from core.imaging import DirectoryFileError
from core.services.arrivals import FAULT, Arrival
from core.services.details import one_line
from core.services.faults import fault
from core.services.installation import Installation, now
from core.services.intake import Intake
from core.services.receipt import take_file
from core.store import batches
from core.types import BatchItem, ItemOutcome, Reader, StudyDetails

log = logging.getLogger(__name__)

_LONGEST_NAME = 400


@dataclass(eq=False)
class Batch:
    """An upload on its way into the store.

    Attributes:
        installation: where to.
        reader: the account that uploads.
        details: what the sender says, checked.
        id: its row.
    """

    installation: Installation
    reader: Reader
    details: StudyDetails
    id: int
    _count: int = 0
    _listing: str | None = None

    def take_in(self, arrival: Arrival, number: int) -> BatchItem | None:
        """Store one file, or list it with the reason why not.

        Returns:
            What became of it; None for a DICOMDIR, which is of no interest beside its files.
        """
        name, stored_name = _clean_name(arrival.name), f"File {number} of the upload"
        problem = arrival.problem
        if arrival.data is not None:
            try:
                file = take_file(self.installation, arrival.data)
                with self.installation.database.transaction() as session:
                    intake = Intake(session, self.installation, self.reader, self.details, self.id)
                    item = intake.link(name, stored_name, file)
                self._count += 1
                return item
            except DirectoryFileError as error:
                self._listing = str(error)
                return None
            except InputError as error:
                problem = str(error)
            except StoreError as error:
                log.error("A file of upload %d could not be stored: %s", self.id, error)
                problem = f"The file could not be stored; please send it again. {error}"
            except Exception as error:
                # Without the name, and without the error's text: they may say who the patient is.
                log.error("A file of upload %d could not be stored: %s", self.id, fault(error))
                problem = FAULT
        return self._refuse(name, stored_name, problem)

    def finish(self) -> BatchItem | None:
        """Note that all files are dealt with.

        Returns:
            The refusal of a DICOMDIR, where nothing else came.
        """
        item = None
        if self._listing is not None and not self._count:
            item = self._refuse("DICOMDIR", "DICOMDIR", self._listing)
        with self.installation.database.transaction() as session:
            batches.finish_batch(session, self.id, now())
        return item

    def _refuse(self, name: str, stored_name: str, problem: str | None) -> BatchItem:
        self._count += 1
        with self.installation.database.transaction() as session:
            batches.add_item(session, self.id, stored_name, ItemOutcome.REJECTED, problem, None)
        return BatchItem(name, ItemOutcome.REJECTED, problem, None)


def _clean_name(name: str) -> str:
    """A file's name as it is listed; a long one keeps its beginning and its end."""
    line = one_line(name) or "(without a name)"
    if len(line) <= _LONGEST_NAME:
        return line
    half = (_LONGEST_NAME - 1) // 2
    return f"{line[:half]}…{line[-half:]}"
