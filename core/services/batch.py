"""One upload on its way into the store: each file is stored, or listed with the reason why not."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from core.errors import InputError, StoreError
from core.imaging import DirectoryFileError
from core.services.arrivals import FAULT, Arrival
from core.services.details import one_line
from core.services.faults import fault
from core.services.installation import Installation, now
from core.services.intake import Intake
from core.services.receipt import from_hospital, take_file
from core.store import batches
from core.types import BatchItem, ItemOutcome, Reader, StudyDetails

log = logging.getLogger(__name__)

_LONGEST_NAME = 400


@dataclass(eq=False)
class _Names:
    """What the list of an upload calls its files.

    The names of hospital files, and of what lies in one archive with them, often say who the
    patient is. Only names of ordinary pictures that were read are kept; every other file, and all
    that is refused, is "File 12 of the upload". Whether an archive holds hospital files is known at
    its end only, so that its pictures get their names then.
    """

    _archive: int | None = None
    _private: bool = False
    _given: dict[int, str] = field(default_factory=dict)

    def stored(self, arrival: Arrival, number: int) -> str:
        """The name for now of a file, should it be read; to be asked for each in its turn."""
        if arrival.archive != self._archive:
            self._archive, self._private, self._given = arrival.archive, False, {}
        private = from_hospital(arrival.name, arrival.data)
        self._private = self._private or private
        if private or arrival.archive is not None:
            return _neutral_name(number)
        return _clean_name(arrival.name)

    def note(self, arrival: Arrival, item_id: int) -> None:
        """A picture was listed under a name that it may have for now only."""
        if arrival.archive is not None:
            self._given[item_id] = _clean_name(arrival.name)

    def finished(self, upcoming: int | None) -> dict[int, str]:
        """The names of an archive that has come to its end, by the numbers of its files' notes.

        Args:
            upcoming: the archive of the file that comes next.
        """
        if upcoming == self._archive or self._private:
            return {}
        given, self._given = self._given, {}
        return given


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
    _names: _Names = field(default_factory=_Names)
    _count: int = 0
    _listing: str | None = None

    def take_in(self, arrival: Arrival, number: int) -> BatchItem | None:
        """Store one file, or list it with the reason why not.

        Returns:
            What became of it; None for a DICOMDIR, which is of no interest beside its files.
        """
        self._name_files(arrival.archive)
        name, stored_name = _clean_name(arrival.name), self._names.stored(arrival, number)
        problem = arrival.problem
        if arrival.data is not None:
            try:
                file = take_file(self.installation, arrival.data)
                with self.installation.database.transaction() as session:
                    intake = Intake(session, self.installation, self.reader, self.details, self.id)
                    item, note = intake.link(name, stored_name, file)
                self._count += 1
                if note is not None:
                    self._names.note(arrival, note)
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
        return self._refuse(name, _neutral_name(number), problem)

    def finish(self) -> BatchItem | None:
        """Note that all files are dealt with.

        Returns:
            The refusal of a DICOMDIR, where nothing else came.
        """
        self._name_files(None)
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

    def _name_files(self, upcoming: int | None) -> None:
        if names := self._names.finished(upcoming):
            with self.installation.database.transaction() as session:
                batches.name_items(session, names)


def _neutral_name(number: int) -> str:
    return f"File {number} of the upload"


def _clean_name(name: str) -> str:
    """A file's name as it is listed; a long one keeps its beginning and its end."""
    line = one_line(name) or "(without a name)"
    if len(line) <= _LONGEST_NAME:
        return line
    half = (_LONGEST_NAME - 1) // 2
    return f"{line[:half]}…{line[-half:]}"
